//! One round: build, then grade. It can be given up.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use checker::grade::{self, Graded};
use checker::plan;
use harness::exercise::{Exercise, Target};

/// What a round tells.
#[derive(Debug)]
pub(crate) enum News {
    /// It was built, or failed to build, which the verdicts will say.
    Built(Duration),
    /// A check has its verdict.
    Verdict(Box<Graded>),
    /// All have.
    Complete(Duration),
    /// It was given up, or could not be carried out for the reason given.
    Over(Option<String>),
}

/// A round that is under way. When it is dropped, it is given up.
pub(crate) struct Round {
    /// What is built and graded.
    pub(crate) exercises: Vec<Exercise>,
    /// How long building took, once it is over.
    pub(crate) built: Option<Duration>,
    /// What it tells. It ends with `Complete` or `Over`.
    pub(crate) news: mpsc::UnboundedReceiver<News>,
    given_up: watch::Sender<bool>,
}

impl Round {
    /// Starts one.
    pub(crate) fn start(exercises: Vec<Exercise>, seed: u64) -> Self {
        let (tell, news) = mpsc::unbounded_channel();
        let given_up = watch::Sender::new(false);
        tokio::spawn(run(exercises.clone(), seed, tell, given_up.subscribe()));
        Round { exercises, built: None, news, given_up }
    }

    /// Gives it up. It goes on to build, for a compiler that is killed may leave half a program; it grades nothing any
    /// more, and says so by [`News::Over`].
    pub(crate) fn give_up(&self) {
        self.given_up.send_replace(true);
    }
}

async fn run(
    exercises: Vec<Exercise>,
    seed: u64,
    tell: mpsc::UnboundedSender<News>,
    mut given_up: watch::Receiver<bool>,
) {
    let checks = checks::all().into_iter().filter(|check| exercises.contains(&check.exercise));
    let checks = plan::with_needs(checks.map(|check| check.id).collect());
    let began = Instant::now();
    let plan = match plan::built(checks, Target::Day1, seed).await {
        Ok(plan) => plan.remembering(),
        Err(reason) => return drop(tell.send(News::Over(Some(reason)))),
    };
    let _ = tell.send(News::Built(began.elapsed()));
    let graded_from = Instant::now();
    let (done, mut verdicts) = mpsc::unbounded_channel();
    let passing_on = async {
        while let Some(graded) = verdicts.recv().await {
            let _ = tell.send(News::Verdict(Box::new(graded)));
        }
    };
    let grading = async { tokio::join!(grade::grade(plan, done), passing_on) };
    tokio::select! {
        biased;
        // An error: nobody is there to give it up, or to be told.
        _ = given_up.wait_for(|given_up| *given_up) => drop(tell.send(News::Over(None))),
        _ = grading => drop(tell.send(News::Complete(graded_from.elapsed()))),
    }
}
