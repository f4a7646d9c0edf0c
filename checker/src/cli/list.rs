//! `cargo checker list`.

use std::io::Write;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Args;

use crate::state::{self, Remembered};
use crate::terminal;
use harness::exercise::{Exercise, Target};

const STRONG: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

#[derive(Args)]
pub(super) struct ListArgs {
    /// Only this exercise (echo, heartbeat or broadcast)
    #[arg(value_name = "EXERCISE", value_parser = super::exercise)]
    exercise: Option<Exercise>,
}

/// Prints the exercises and checks with their last verdicts.
pub(super) fn run(args: ListArgs) -> ExitCode {
    let mut out = terminal::stdout();
    let grades = state::grades();
    let (mut earned, mut possible) = (0, 0);
    for exercise in Exercise::ALL {
        if args.exercise.is_some_and(|wanted| wanted != exercise) {
            continue;
        }
        let checks: Vec<_> =
            checks::all().into_iter().filter(|check| check.exercise == exercise).collect();
        let remembered = grades.get(exercise.name());
        let known =
            |id: &str| remembered.and_then(|grade| grade.checks.get(id)).map(String::as_str);
        let total: u32 = checks.iter().map(|check| check.points()).sum();
        let passed = checks.iter().filter(|check| known(check.id) == Some("passed"));
        let got: u32 = passed.map(|check| check.points()).sum();
        (earned, possible) = (earned + got, possible + total);
        let _ = writeln!(
            out,
            "{STRONG}{exercise}{STRONG:#}  {got} of {total} points  {}",
            exercise.lesson()
        );
        let _ = writeln!(
            out,
            "{DIM}  {}{DIM:#}{}",
            exercise.source(Target::Day1),
            remark(exercise, remembered)
        );
        for check in checks {
            let state = known(check.id).unwrap_or("-");
            let style = match state {
                "passed" => AnsiColor::Green.on_default(),
                "failed" => AnsiColor::Red.on_default().bold(),
                _ => DIM,
            };
            let heading = check.lesson().trim_start_matches("lessons/");
            let (id, points) = (check.id, check.points());
            let _ = writeln!(
                out,
                "  {style}{state:<8}{style:#} {id:<22} {points}  {DIM}{heading}{DIM:#}"
            );
        }
        let _ = writeln!(out);
    }
    let _ = writeln!(
        out,
        "{earned} of {possible} points. `cargo checker grade` grades again; \
         `cargo checker explain CHECK` explains a check."
    );
    ExitCode::SUCCESS
}

fn remark(exercise: Exercise, remembered: Option<&Remembered>) -> &'static str {
    match remembered {
        None => ", not graded yet",
        Some(grade) if grade.source != state::fingerprint(exercise) => {
            ", changed since it was graded"
        }
        Some(_) => "",
    }
}
