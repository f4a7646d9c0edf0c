//! `cargo checker class`: grades many submissions, and writes what platforms want.

mod alike;
mod args;
mod class;
mod classfiles;
mod collect;
mod confine;
mod convert;
mod entry;
mod files;
mod formats;
mod merge;
mod model;
mod overview;
mod page;
mod progress;
mod sample;
mod sandbox;
mod worker;
mod workshop;

use std::path::PathBuf;
use std::process::ExitCode;

use checker::interrupt::{INTERRUPTED, interrupted};
use clap::{Parser, Subcommand};

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
    /// Exit codes: 0 there is a verdict on everything, 2 the command line makes no sense, 3 something could not be judged.
    Class(args::ClassArgs),
    /// Put the parts of a class together that were graded with --shard
    Merge(merge::MergeArgs),
    /// Make a class whose verdicts are known, to try the grader on
    Sample(sample::SampleArgs),
    /// Write one grading in a platform's format
    Convert(convert::ConvertArgs),
    /// Grade the programs of one submission
    #[command(hide = true)]
    Worker { task: PathBuf },
    /// Run a program under limits
    #[command(hide = true)]
    Confine(confine::Confine),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Worker { task } => worker::run(&task),
        Command::Confine(args) => confine::run(args),
        Command::Class(args) => in_runtime(&args),
        Command::Merge(args) => match merge::run(&args) {
            Ok((summary, code)) => {
                println!("{summary}");
                ExitCode::from(code)
            }
            Err(error) => complain(2, &error),
        },
        Command::Sample(args) => match sample::run(&args) {
            Ok(text) => {
                println!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => complain(2, &error),
        },
        Command::Convert(args) => match convert::run(&args) {
            Ok(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => complain(2, &error),
        },
    }
}

fn in_runtime(args: &args::ClassArgs) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            return complain(3, &format!("this machine does not let the checker work: {error}"));
        }
    };
    let code = runtime.block_on(async {
        tokio::select! {
            code = class::run(args) => code.unwrap_or_else(|(code, message)| complain(code, &message)),
            () = interrupted() => {
                complain(INTERRUPTED, &format!("interrupted; go on with --resume --out {}", args.out.display()))
            }
        }
    });
    runtime.shutdown_background();
    code
}

fn complain(code: u8, message: &str) -> ExitCode {
    progress::line("");
    eprintln!("error: {message}");
    ExitCode::from(code)
}
