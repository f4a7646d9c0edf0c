//! `cargo checker class`: grades many submissions, and writes what platforms want.

mod adjust;
mod args;
mod class;
mod classfiles;
mod compile;
mod convert;
mod files;
mod finish;
mod formats;
mod gradebook;
mod grading;
mod hand_back;
mod intake;
mod launch;
mod libraries;
mod machine;
mod merge;
mod messages;
mod model;
mod overview;
mod pack;
mod pages;
mod progress;
mod rehearsal;
mod roster;
mod sample;
mod settings;
mod similarity;
mod text;
mod watchdog;
mod weights;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use checker::interrupt::{INTERRUPTED, interrupted};
use clap::{Parser, Subcommand};

/// Exit code of a command line that makes no sense.
const USAGE: u8 = 2;
/// Exit code of a class that could not be graded.
const NOT_GRADED: u8 = 3;

#[derive(Parser)]
#[command(
    name = "cargo checker class",
    about = "Grades many submissions, which need not be trusted",
    version
)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Grade submissions
    ///
    /// Exit codes: 0 there is a verdict on everything, 1 a submission has fewer points than
    /// --fail-under, 2 the command line makes no sense, 3 something could not be judged.
    Class(args::ClassArgs),
    /// Set a submission's points or a comment by hand
    Adjust(adjust::AdjustArgs),
    /// Put the parts of a class together that were graded with --shard
    Merge(merge::MergeArgs),
    /// Make a class with known verdicts, to try the grader on
    Sample(sample::SampleArgs),
    /// Grade a class with every kind of hand-in, and print expected rows beside what came
    ///
    /// Exit codes: 0 everything as expected, 1 a row is not, 3 the class could not be graded.
    Rehearse(rehearsal::RehearseArgs),
    /// Write one grading in a platform's format
    Convert(convert::ConvertArgs),
    /// Read the sources of one submission
    #[command(hide = true)]
    Unpack(intake::UnpackArgs),
    /// Grade the programs of one submission
    #[command(hide = true)]
    Worker { task: PathBuf },
    /// Run a program under limits
    #[command(hide = true)]
    Confine(launch::confine::Confine),
    /// Print the ABI of the kernel's Landlock
    #[command(hide = true)]
    LandlockAbi,
}

fn main() -> ExitCode {
    if let Some(code) = libraries::wrapper() {
        return code;
    }
    let outcome = match Cli::parse().command {
        Command::Class(args) => run_class(&args),
        Command::Adjust(args) => adjust::run(&args).map_err(usage),
        Command::Merge(args) => merge::run(&args).map_err(usage),
        Command::Sample(args) => sample::run(&args).map_err(usage),
        Command::Rehearse(args) => rehearse(&args),
        Command::Convert(args) => convert::run(&args).map_err(usage),
        Command::Unpack(args) => intake::run(&args),
        Command::Worker { task } => worker::run(&task),
        Command::Confine(args) => Ok(launch::confine::run(&args)),
        Command::LandlockAbi => {
            launch::print_landlock_abi();
            Ok(ExitCode::SUCCESS)
        }
    };
    outcome.unwrap_or_else(|error| complain(&error))
}

fn usage(error: anyhow::Error) -> anyhow::Error {
    class::Usage::from(error).into()
}

fn run_class(args: &args::ClassArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("the runtime does not start")?;
    let code = runtime.block_on(async {
        tokio::select! {
            code = class::run(args) => code,
            () = interrupted() => {
                progress::line("");
                let out = args.out.display();
                eprintln!("error: interrupted; continue with --resume --out {out}");
                Ok(ExitCode::from(INTERRUPTED))
            }
        }
    });
    runtime.shutdown_background();
    code
}

fn rehearse(args: &rehearsal::RehearseArgs) -> anyhow::Result<ExitCode> {
    let line = rehearsal::make(args).map_err(usage)?;
    if let Command::Class(class) = Cli::try_parse_from(line)?.command {
        run_class(&class)?;
    }
    rehearsal::compare(args)
}

fn complain(error: &anyhow::Error) -> ExitCode {
    progress::line("");
    eprintln!("error: {}", text::block(&format!("{error:#}"), 4000));
    ExitCode::from(if error.is::<class::Usage>() { USAGE } else { NOT_GRADED })
}
