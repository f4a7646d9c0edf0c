//! `cargo checker watch`.

use std::process::ExitCode;

use clap::Args;

use super::{UNKNOWN, complain, fresh_seed, hint};
use crate::exercise::Exercise;
use crate::watch::session::Session;

#[derive(Args)]
pub(super) struct WatchArgs {
    /// Only this exercise (echo, heartbeat or broadcast)
    #[arg(value_name = "EXERCISE", value_parser = super::exercise)]
    exercise: Option<Exercise>,
    /// All payloads, sizes and numbers of clients follow from this
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Watches until the student quits.
pub(super) async fn run(args: WatchArgs) -> ExitCode {
    let exercises = args.exercise.map_or_else(|| Exercise::ALL.to_vec(), |exercise| vec![exercise]);
    let session = Session::new(exercises, args.seed.unwrap_or_else(fresh_seed));
    match session.run(|check| hint::next_rung(check, false)).await {
        Ok(()) => {
            println!();
            ExitCode::SUCCESS
        }
        Err(error) => complain(UNKNOWN, &format!("this terminal gives no keys: {error}")),
    }
}
