//! One round: build, then grade. It can be aborted.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use checker::grade::{self, Graded};
use checker::plan;
use harness::exercise::{Exercise, Target};

/// An event of a round.
#[derive(Debug)]
pub(crate) enum RoundEvent {
    /// The build ended. If it failed, the verdicts contain the error.
    Built(Duration),
    /// A check has its verdict.
    Verdict(Box<Graded>),
    /// All checks have their verdicts.
    Complete(Duration),
    /// The round was aborted, or failed for this reason.
    Over(Option<String>),
}

/// A running round. Dropping it aborts it.
pub(crate) struct Round {
    /// The exercises that are built and graded.
    pub(crate) exercises: Vec<Exercise>,
    /// The duration of the build, after its end.
    pub(crate) built: Option<Duration>,
    /// The events. The last is `Complete` or `Over`.
    pub(crate) events: mpsc::UnboundedReceiver<RoundEvent>,
    aborted: watch::Sender<bool>,
}

impl Round {
    /// Starts a round.
    pub(crate) fn start(exercises: Vec<Exercise>, seed: u64) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let aborted = watch::Sender::new(false);
        tokio::spawn(run(exercises.clone(), seed, sender, aborted.subscribe()));
        Round { exercises, built: None, events, aborted }
    }

    /// Aborts the round, which then sends [`RoundEvent::Over`].
    ///
    /// A build is finished first, because killing a compiler may leave half a program.
    pub(crate) fn abort(&self) {
        self.aborted.send_replace(true);
    }
}

async fn run(
    exercises: Vec<Exercise>,
    seed: u64,
    events: mpsc::UnboundedSender<RoundEvent>,
    mut aborted: watch::Receiver<bool>,
) {
    let checks = checks::all().into_iter().filter(|check| exercises.contains(&check.exercise));
    let checks = plan::with_needs(checks.map(|check| check.id).collect());
    let began = Instant::now();
    let plan = match plan::build_plan(checks, Target::Day1, seed).await {
        Ok(plan) => plan.remember_uptime(),
        Err(error) => return drop(events.send(RoundEvent::Over(Some(error.to_string())))),
    };
    let _ = events.send(RoundEvent::Built(began.elapsed()));
    let graded_from = Instant::now();
    let (done, mut verdicts) = mpsc::unbounded_channel();
    let forward = async {
        while let Some(graded) = verdicts.recv().await {
            let _ = events.send(RoundEvent::Verdict(Box::new(graded)));
        }
    };
    let grading = async { tokio::join!(grade::grade(plan, done), forward) };
    tokio::select! {
        biased;
        // `wait_for` fails if the round was dropped, which aborts it as well.
        _ = aborted.wait_for(|aborted| *aborted) => drop(events.send(RoundEvent::Over(None))),
        _ = grading => drop(events.send(RoundEvent::Complete(graded_from.elapsed()))),
    }
}
