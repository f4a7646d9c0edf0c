//! `cargo checker explain`.

use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Args;

use super::{USAGE, complain};
use crate::terminal;

const STRONG: Style = Style::new().bold();

#[derive(Args)]
pub(super) struct ExplainArgs {
    /// The check, as in echo::close
    #[arg(value_name = "CHECK")]
    check: String,
}

/// Prints the explanation of a check.
pub(super) fn run(args: ExplainArgs) -> ExitCode {
    let check = match super::check(&args.check) {
        Ok(check) => check,
        Err(message) => return complain(USAGE, &message),
    };
    let why = check.explanation();
    let points = check.points();
    let unit = if points == 1 { "point" } else { "points" };
    let mut text = format!("{STRONG}{}{STRONG:#}  {points} {unit}\n\n", check.id);
    let wrapped = |paragraph: &str| textwrap::fill(paragraph, 80);
    let _ = writeln!(text, "{}\n", wrapped(check.row()));
    let _ = writeln!(text, "{STRONG}Why it matters{STRONG:#}\n{}\n", wrapped(&why.why));
    let (good, bad) = (AnsiColor::Green.on_default(), AnsiColor::Red.on_default());
    let _ =
        writeln!(text, "{good}Right{good:#} (→ to the server, ← to the client)\n{}\n", why.right);
    let _ = writeln!(text, "{bad}Wrong{bad:#}\n{}\n", why.wrong);
    let _ = writeln!(text, "read   {}\nhint   cargo checker hint {}", check.lesson(), check.id);
    let _ = writeln!(text, "all    lessons/contract.md");
    let _ = terminal::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
