//! `cargo checker reset`.

use std::process::ExitCode;

use clap::Args;

use super::{UNKNOWN, complain};
use crate::reset::{Reset, reset};
use crate::skeleton;
use harness::exercise::{Exercise, Target};
use harness::server::build::workspace;

#[derive(Args)]
pub(super) struct ResetArgs {
    /// Which exercise (echo, heartbeat or broadcast)
    #[arg(value_name = "EXERCISE", value_parser = super::exercise)]
    exercise: Exercise,
}

/// Resets an exercise.
pub(super) fn run(args: ResetArgs) -> ExitCode {
    let source = args.exercise.source(Target::Day1);
    match reset(&workspace().join(&source), skeleton::of(args.exercise)) {
        Ok(Reset::Untouched) => println!("{source} is the skeleton already; nothing has changed."),
        Ok(Reset::Restored) => println!("{source} was not there; now it is the skeleton."),
        Ok(Reset::Kept(copy)) => {
            let copy =
                copy.strip_prefix(workspace()).map(|path| path.to_path_buf()).unwrap_or(copy);
            println!("{source} is the skeleton again. What you had is in {}.", copy.display());
        }
        Err(error) => return complain(UNKNOWN, format!("{source}: {error}; nothing has changed")),
    }
    ExitCode::SUCCESS
}
