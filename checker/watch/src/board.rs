//! `--board`: shows the instructor's board the student's name and verdicts.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use board_client::address::{AddressError, BoardAddress};
use board_client::link::{BoardLink, LinkState};
use board_client::message::{Name, NameError, Outcome as BoardOutcome};
use checker::cli::live::WatchArgs;
use checker::grade::{Graded, Outcome};
use harness::store;
use harness::verdict::FailureKind;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::timeout;

/// The file in `target/checker/` that remembers the student from one run to the next.
const STORE: &str = "board.json";
/// How long the start waits to hear whether the board accepts the student.
const FIRST_TRY: Duration = Duration::from_secs(2);

/// The reason why watch does not join the board.
#[derive(Debug, Error)]
pub(crate) enum JoinError {
    /// The address is wrong.
    #[error("--board: {0}")]
    Address(#[from] AddressError),
    /// The name is wrong.
    #[error("--name: {0}")]
    Name(#[from] NameError),
    /// No name is given, and there is no terminal to ask.
    #[error("--board needs a name to show: add --name NAME")]
    NoName,
    /// The terminal cannot be read.
    #[error("cannot read a name from this terminal: {0}; add --name NAME")]
    Read(#[from] io::Error),
    /// The board refused.
    #[error("--board {address}: {reason}")]
    Refused {
        /// The address.
        address: BoardAddress,
        /// The board's reason.
        reason: String,
    },
}

/// What is remembered of a student.
#[derive(Default, Serialize, Deserialize)]
struct Remembered {
    name: Option<Name>,
    /// A random number by which the board knows the student.
    #[serde(default)]
    student: String,
}

/// The connection to the board.
pub(crate) struct Board {
    link: BoardLink,
    address: BoardAddress,
    name: Name,
    state: watch::Receiver<LinkState>,
}

/// Joins the board that the arguments name, if they name one.
///
/// Fails if the board refuses. A board that cannot be reached is tried again later.
pub(crate) async fn join(args: &WatchArgs) -> Result<Option<Board>, JoinError> {
    let Some(address) = &args.board else { return Ok(None) };
    let address: BoardAddress = address.parse()?;
    let mut remembered: Remembered = store::read(STORE);
    let name = match &args.name {
        Some(name) => Name::try_from(name.clone())?,
        None => {
            let last = remembered.name.clone();
            // On a thread for blocking reads, so that Ctrl-C ends the program meanwhile.
            let asking = tokio::task::spawn_blocking(|| ask_name(last));
            asking.await.map_err(io::Error::other)??
        }
    };
    if remembered.student.len() != 32 {
        remembered.student = format!("{:032x}", rand::random::<u128>());
    }
    remembered.name = Some(name.clone());
    // An error only makes the next run ask again.
    let _ = store::write(STORE, &remembered);
    let link = BoardLink::open(address.clone(), remembered.student, name.clone());
    let mut state = link.state();
    // A board that does not answer must not keep the student waiting.
    let decided = state.wait_for(|state| *state != LinkState::Connecting);
    let _ = timeout(FIRST_TRY, decided).await;
    let first = state.borrow_and_update().clone();
    match first {
        LinkState::Refused(reason) => Err(JoinError::Refused { address, reason }),
        _ => Ok(Some(Board { link, address, name, state })),
    }
}

/// Asks for a name once. An empty line takes the last one.
fn ask_name(last: Option<Name>) -> Result<Name, JoinError> {
    if !io::stdin().is_terminal() {
        return last.ok_or(JoinError::NoName);
    }
    let default =
        last.as_ref().map(|name| format!(" (Enter for {})", name.as_str())).unwrap_or_default();
    let mut out = io::stdout();
    write!(
        out,
        "The board shows a name that you choose and the verdict on each check.\n\
         Your source stays on this machine.\n\
         Your name on the board{default}: "
    )?;
    out.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    match (line.trim(), last) {
        ("", Some(last)) => Ok(last),
        (name, _) => Ok(Name::try_from(name.to_string())?),
    }
}

impl Board {
    /// Tells the board a verdict.
    pub(crate) fn report(&self, graded: &Graded) {
        let outcome = match &graded.outcome {
            Outcome::Passed => BoardOutcome::Passed,
            Outcome::Failed(report) if report.failure.kind == FailureKind::NotStarted => {
                BoardOutcome::NotStarted
            }
            Outcome::Failed(_) => BoardOutcome::Failed,
            Outcome::Blocked(_) => BoardOutcome::Blocked,
            Outcome::Inconclusive(_) => BoardOutcome::Unknown,
        };
        self.link.report(graded.check.id, outcome);
    }

    /// Waits until the state of the connection changes.
    pub(crate) async fn changed(&mut self) {
        if self.state.changed().await.is_err() {
            // The connection never changes again.
            std::future::pending().await
        }
    }

    /// Says in one line where the verdicts go and what is sent.
    pub(crate) fn status(&self) -> String {
        let Board { address, name, .. } = self;
        let name = name.as_str();
        match &*self.state.borrow() {
            LinkState::Connected => {
                format!("board: {address} gets the name {name} and verdicts, never your source\n")
            }
            LinkState::Connecting => format!("board: connecting to {address} …\n"),
            LinkState::Waiting(reason) | LinkState::Refused(reason) => {
                format!("board: {address}: {reason}; trying again\n")
            }
        }
    }

    /// Says goodbye.
    pub(crate) async fn leave(self) {
        self.link.leave().await;
    }
}
