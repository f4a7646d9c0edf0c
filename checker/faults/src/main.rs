//! The museum: servers with one fault each, right servers in other designs, and programs that
//! behave
//! badly as processes.
//!
//! `faults --fault NAME`, `--right NAME`, `--process NAME`, `--list`.

mod base;
mod catalogue;
mod config;
mod log;
mod process;
mod right;

use std::process::ExitCode;

use base::Exercise;
use catalogue::{Design, RIGHT};
use config::Config;

const USAGE: &str = "usage: faults --list | --fault NAME | --right NAME | --process NAME";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["--list"] => {
            println!("{}", catalogue::list());
            ExitCode::SUCCESS
        }
        ["--fault", name] => match catalogue::faults().find(|fault| fault.name == name) {
            Some(fault) => serve(fault.exercise, &Design::Base(fault.mutation)),
            None => unknown("fault", name, catalogue::faults().map(|fault| fault.name)),
        },
        ["--right", name] => match RIGHT.iter().find(|right| right.name == name) {
            Some(right) => serve(right.exercise, &right.design),
            None => unknown("right server", name, RIGHT.iter().map(|right| right.name)),
        },
        ["--process", name, ref rest @ ..] => match process::run(name, rest) {
            Some(code) => code,
            None => unknown("process", name, process::PROCESSES.iter().map(|(name, _)| *name)),
        },
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Serves with the settings from the environment until the process is killed.
fn serve(exercise: Exercise, design: &Design) -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(complaint) => {
            eprintln!("{complaint}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = match *design {
        Design::Base(mutation) => {
            right::on_all_cores(base::run(config.clone(), exercise, mutation))
        }
        Design::Own(run) => run(config.clone()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ADDR is {:?}: {error}", config.addr);
            ExitCode::FAILURE
        }
    }
}

/// Prints the most similar names.
fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> ExitCode {
    let mut near: Vec<_> = known.map(|known| (distance(name, known), known)).collect();
    near.sort_unstable();
    let near: Vec<_> = near.into_iter().take(3).map(|(_, known)| known).collect();
    eprintln!("no {kind} is called {name:?}; the nearest are {}", near.join(", "));
    ExitCode::from(2)
}

/// Returns the Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let best =
                (row[j] + 1).min(row[j + 1] + 1).min(diagonal + usize::from(letter != *other));
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}
