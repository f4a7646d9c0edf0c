//! Renders the failures of servers that do not run in words.

use harness::exercise::Target;
use harness::failure::start::StartCause;
use harness::server::StartError;

const READY_LINE: &str = "WebSocket server running on ws://<host>:<port>";

/// Headline, expected and got.
pub(super) fn sentence(cause: &StartCause) -> (String, String, String) {
    match cause {
        StartCause::NotStarted { exercise, todo, .. } => (
            format!("Exercise {exercise} is not started yet."),
            "a server that answers its first client".to_string(),
            format!("a skeleton that stops at {}", todo.split(':').next().unwrap_or(todo)),
        ),
        StartCause::NotSubmitted(exercise) => (
            format!("Exercise {exercise} was not submitted."),
            "a server that answers its first client".to_string(),
            format!("a submission without {}", exercise.source(Target::Day1)),
        ),
        StartCause::DoesNotCompile { exercise, errors, .. } => (
            format!("Exercise {exercise} does not compile."),
            "a program that compiles".to_string(),
            errors.trim_end().to_string(),
        ),
        StartCause::NotAllowed { exercise, crates, errors, .. } => (
            format!(
                "Exercise {exercise} needs `{}`, which this class does not allow.",
                crates.join("` and `")
            ),
            "a program that compiles with the workbook's dependencies".to_string(),
            errors.trim_end().to_string(),
        ),
        StartCause::Server(error) => server_sentence(error),
    }
}

fn server_sentence(error: &StartError) -> (String, String, String) {
    let (headline, expected, got) = match error {
        StartError::NoSuchProgram(reason) => {
            ("The program cannot be run.", "a program that starts".to_string(), reason.clone())
        }
        StartError::Ended(status) => (
            "The server ended before it was ready.",
            format!("a line on stdout: {READY_LINE}"),
            status.clone(),
        ),
        StartError::NotReady(timeout) => (
            "The server never printed its ready line.",
            format!("a line on stdout: {READY_LINE}"),
            format!("no such line within {} s", timeout.as_secs()),
        ),
        StartError::NoPort(line) => {
            ("The ready line names no port.", READY_LINE.to_string(), line.clone())
        }
        StartError::AnothersPort(line) => (
            "The ready line names the port of another process.",
            "the port on which this server listens".to_string(),
            line.clone(),
        ),
        StartError::IgnoresAddr { addr, port } => {
            let expected = format!("with ADDR={addr}: a server that listens there");
            return match port {
                Some(port) => (
                    format!("The server listens on port {port} and not on the address in ADDR."),
                    expected,
                    format!("a server on port {port}"),
                ),
                None => (
                    "The server tried an address in use and not the one in ADDR.".to_string(),
                    expected,
                    "a server that found its address in use and ended".to_string(),
                ),
            };
        }
        StartError::WrongReadyLine { addr, line } => (
            "The ready line names another port than the one on which the server listens.",
            format!("WebSocket server running on ws://{addr}"),
            line.clone(),
        ),
    };
    (headline.to_string(), expected, got)
}

/// Returns the next step.
pub(super) fn hint(cause: &StartCause) -> String {
    let text = match cause {
        StartCause::NotStarted { exercise, target, .. } => {
            let place = target.map(|target| exercise.source(target));
            return format!(
                "Read {}, then open {} and begin with TODO 1.",
                exercise.lesson(),
                place.as_deref().unwrap_or("the program")
            );
        }
        StartCause::NotSubmitted(exercise) => {
            return format!("Submit {} as well.", exercise.source(Target::Day1));
        }
        StartCause::DoesNotCompile { exercise, target, .. } => {
            return format!(
                "Fix the first error in {}. `cargo check -p {}` shows the errors again.",
                exercise.source(*target),
                exercise.package(*target)
            );
        }
        StartCause::NotAllowed { exercise, target, .. } => {
            return format!(
                "Write {} with the crates that the workbook's Cargo.toml of {} names.",
                exercise.source(*target),
                exercise.package(*target)
            );
        }
        StartCause::Server(error) => match error {
            StartError::NoSuchProgram(_) => "Check the path of the program.",
            StartError::Ended(_) => {
                "Run the program by hand and read its first error. A server accepts connections \
                 until it is killed."
            }
            StartError::NotReady(_) => {
                "Print the line once the listener is bound. If stdout is not a terminal, other \
                 languages may have to flush it."
            }
            StartError::AnothersPort(_) => {
                "Print the listener's address (`local_addr`), and print it only once it is bound."
            }
            StartError::IgnoresAddr { .. } => {
                "Bind the address in the environment variable ADDR. `127.0.0.1:8080` is only for \
                 when it is not set."
            }
            StartError::WrongReadyLine { .. } => {
                "Print the listener's address (`local_addr`), and no fixed text."
            }
            StartError::NoPort(_) => {
                "With port 0 the system chooses: ask the listener for its local address."
            }
        },
    };
    text.to_string()
}
