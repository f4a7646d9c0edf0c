//! `cargo checker mistakes`: shows that the checks catch what students write.

use std::io::Write;
use std::process::ExitCode;

use checker::cli::live::MistakesArgs;
use checker::cli::{UNKNOWN, USAGE, complain, fresh_seed, progress, until_interrupted};
use clap::Parser;
use mistakes::catalogue::{self, Chapter};
use mistakes::grading::{self, Found, Settings};
use mistakes::table;
use tokio::sync::mpsc;

#[derive(Parser)]
#[command(name = "cargo checker", bin_name = "cargo checker", version)]
enum Command {
    /// Show that the checks catch what students write
    Mistakes(MistakesArgs),
}

fn main() -> ExitCode {
    let Command::Mistakes(args) = Command::parse();
    until_interrupted(run(args))
}

async fn run(args: MistakesArgs) -> ExitCode {
    let chapters = match catalogue::chapters() {
        Ok(chapters) => chapters,
        Err(error) => return complain(UNKNOWN, format!("the catalogue: {error}")),
    };
    let selected = match select(&chapters, &args.mistakes) {
        Ok(selected) => selected,
        Err(word) => {
            return complain(USAGE, format!("there is no exercise or mistake `{word}`"));
        }
    };
    progress("building …");
    let servers = match grading::servers().await {
        Ok(servers) => servers,
        Err(error) => return complain(UNKNOWN, &error),
    };
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let settings = Settings { runs: args.runs, jobs: args.jobs, seed };
    let mistakes: usize = selected.iter().map(|chapter| chapter.mistakes.len()).sum();
    let all = mistakes * usize::from(args.runs);
    let (done, mut names) = mpsc::unbounded_channel();
    let showing = tokio::spawn(async move {
        let mut count = 0;
        while let Some(name) = names.recv().await {
            count += 1;
            progress(&format!("{count} of {all} gradings, last {name}"));
        }
        progress("");
    });
    let rows = grading::grade(&servers, &selected, settings, done).await;
    let _ = showing.await;
    let mut text = table::table(&rows);
    if args.mistakes.is_empty() {
        text += &format!("\nAllowed by the contract:\n{}", table::allowed(&chapters));
    }
    let _ = writeln!(anstream::stdout(), "{text}\n{} Seed {seed}.", table::summary(&rows));
    if rows.iter().all(grading::Row::holds) {
        ExitCode::SUCCESS
    } else if rows.iter().flat_map(|row| &row.found).any(|found| matches!(found, Found::Unknown(_)))
    {
        ExitCode::from(UNKNOWN)
    } else {
        ExitCode::FAILURE
    }
}

/// The mistakes that these words select (an exercise or a name; no word selects all), or the word
/// that selects none.
fn select(chapters: &[Chapter], words: &[String]) -> Result<Vec<Chapter>, String> {
    let matches =
        |chapter: &Chapter, name: &str, word: &str| chapter.exercise == word || name == word;
    for word in words {
        let known = chapters.iter().any(|chapter| {
            chapter.mistakes.iter().any(|mistake| matches(chapter, &mistake.name, word))
        });
        if !known {
            return Err(word.clone());
        }
    }
    let mut selected = chapters.to_vec();
    for chapter in selected.iter_mut().filter(|_| !words.is_empty()) {
        let all = std::mem::take(&mut chapter.mistakes);
        chapter.mistakes = all
            .into_iter()
            .filter(|mistake| words.iter().any(|word| matches(chapter, &mistake.name, word)))
            .collect();
    }
    Ok(selected)
}
