//! Measures how each server of the catalogue and of the museum fails, so that the report recognises
//! a mistake by its failures.

use std::path::Path;
use std::sync::Arc;

use checker::grade;
use checker::known_mistakes::{self, KnownMistake};
use checker::museum::{self, Row};
use checker::plan::Plan;
use harness::exercise::Exercise;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::catalogue::{Chapter, Mistake};
use crate::grading::{Settings, program};

/// Grades everything `settings.runs` times. Returns the servers with a unique failure, and the
/// number of all servers.
pub async fn measure(
    servers: &Path,
    chapters: &[Chapter],
    settings: Settings,
    done: mpsc::UnboundedSender<String>,
) -> Result<(Vec<KnownMistake>, usize), museum::MuseumError> {
    let (faults, catalogue) = museum::open().await?;
    let mistakes: usize = chapters.iter().map(|chapter| chapter.mistakes.len()).sum();
    let mut rounds = Vec::new();
    for run in 0..u64::from(settings.runs) {
        let seed = settings.seed.wrapping_add(run);
        let (jobs, names) = (usize::from(settings.jobs), done.clone());
        let museum =
            museum::matrix(faults.clone(), catalogue.faults.clone(), jobs, seed, names).await;
        let mut round: Vec<KnownMistake> =
            museum.faults.iter().filter_map(Row::known_mistake).collect();
        round.extend(mistakes_of(servers, chapters, settings, seed, &done).await);
        rounds.push(round);
    }
    Ok((known_mistakes::unique(&rounds), catalogue.faults.len() + mistakes))
}

async fn mistakes_of(
    servers: &Path,
    chapters: &[Chapter],
    settings: Settings,
    seed: u64,
    done: &mpsc::UnboundedSender<String>,
) -> Vec<KnownMistake> {
    let jobs = Arc::new(Semaphore::new(settings.jobs.into()));
    let mut gradings = JoinSet::new();
    for chapter in chapters {
        let Some(exercise) = Exercise::named(chapter.exercise) else { continue };
        for mistake in chapter.mistakes.clone() {
            let (jobs, done, servers) = (jobs.clone(), done.clone(), servers.to_path_buf());
            gradings.spawn(async move {
                let _job = jobs.acquire().await;
                let plan = Plan::of(exercise, program(&servers, &mistake), seed);
                let signature = known_mistakes::signature(&grade::grade_all(plan).await, exercise);
                let _ = done.send(mistake.name.clone());
                let Mistake { name, sentence, .. } = mistake;
                let exercise = exercise.name().to_string();
                signature.map(|signature| KnownMistake { name, exercise, sentence, signature })
            });
        }
    }
    gradings.join_all().await.into_iter().flatten().collect()
}
