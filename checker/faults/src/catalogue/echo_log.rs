//! Faults of `echo`: log lines.

use super::common::*;
use super::echo::echo;

pub(super) const FAULTS: &[Fault] = &[
    echo(
        "connect-not-logged",
        &["echo::log"],
        "Your log has no `Client connected`; when something goes wrong at night, the log is all \
         there is.",
        mutation! {
            fn log(&self, log: &Log, event: Event<'_>) {
                if !matches!(event, Event::Connected) {
                    log.line(event.to_string());
                }
            }
        },
    ),
    echo(
        "logs-other-words",
        &["echo::log"],
        "Your log lines say the same in other words; a script may look for exactly `Client \
         connected`, `Received: …` and `Client disconnected`.",
        mutation! {
            fn log(&self, log: &Log, event: Event<'_>) {
                log.line(match event {
                    Event::Connected => "New client connected!".to_owned(),
                    Event::Received(said) => format!("Message received: {said}"),
                    Event::Disconnected(_) => "Client left".to_owned(),
                });
            }
        },
    ),
    echo(
        "logs-to-stderr",
        &["echo::log"],
        "Your log lines go to standard error; the contract wants them on standard output, where \
         the ready line is.",
        mutation! {
            fn log(&self, _: &Log, event: Event<'_>) {
                eprintln!("{event}");
            }
        },
    ),
    echo(
        "logs-without-message",
        &["echo::log"],
        "Your log says that a message was received but not which; the line is `Received: ` and \
         the message.",
        mutation! {
            fn log(&self, log: &Log, event: Event<'_>) {
                log.line(match event {
                    Event::Received(_) => "Received a message".to_owned(),
                    other => other.to_string(),
                });
            }
        },
    ),
    echo(
        "logs-debug-form",
        &["echo::log"],
        "Your log shows the message as `{:?}` does, in quotes and with escapes; the line is \
         `Received: ` and the message as it came.",
        mutation! {
            fn log(&self, log: &Log, event: Event<'_>) {
                log.line(match event {
                    Event::Received(said) => format!("Received: {said:?}"),
                    other => other.to_string(),
                });
            }
        },
    ),
    echo(
        "logs-the-first-80-characters",
        &["echo::log"],
        "Your log cuts a message after 80 characters; what was sent is all of it.",
        mutation! {
            fn log(&self, log: &Log, event: Event<'_>) {
                log.line(match event {
                    Event::Received(said) => {
                        format!("Received: {}", said.chars().take(80).collect::<String>())
                    }
                    other => other.to_string(),
                });
            }
        },
    ),
    echo(
        "logs-in-two-writes",
        &["echo::log"],
        "Your log prints a line's beginning and its message one after the other, so lines of \
         several clients get mixed up: print a line at once.",
        mutation! {
            fn log(&self, log: &Log, event: Event<'_>) {
                let Event::Received(said) = event else { return log.line(event.to_string()) };
                print!("Received: ");
                std::thread::sleep(Duration::from_micros(200));
                println!("{said}");
            }
        },
    ),
    echo(
        "logs-control-frames",
        &["echo::log"],
        "Your log has a `Received: ` for every frame that comes out of the stream; pings, pongs \
         and close frames are no messages.",
        mutation! {
            fn control(&self, frame: Control<'_>) -> Result<(), End> {
                let text = String::from_utf8_lossy(frame.payload);
                frame.server.log.line(Event::Received(&text).to_string());
                frame.handle()
            }
        },
    ),
    echo(
        "logs-trimmed",
        &["echo::log"],
        "Your log leaves out the spaces at the beginning of a message; the log should show a \
         message as it was sent.",
        mutation! {
            fn log(&self, log: &Log, event: Event<'_>) {
                log.line(match event {
                    Event::Received(said) => format!("Received: {}", said.trim()),
                    other => other.to_string(),
                });
            }
        },
    ),
    echo(
        "logs-only-polite-leave",
        &["echo::log"],
        "Your server logs `Client disconnected` only after a close frame; most clients leave \
         without one, and the log has them connected for ever.",
        mutation! {
            fn log(&self, log: &Log, event: Event<'_>) {
                match event {
                    Event::Disconnected(end) if !matches!(end, End::Closed { .. }) => {}
                    _ => log.line(event.to_string()),
                }
            }
        },
    ),
    echo(
        "throwing-out-not-logged",
        &["echo::log"],
        "A client that your server throws out has left, too, and its line is missing from the \
         log.",
        mutation! {
            fn log(&self, log: &Log, event: Event<'_>) {
                if !matches!(event, Event::Disconnected(End::Violation(_))) {
                    log.line(event.to_string());
                }
            }
        },
    ),
    echo(
        "logs-leave-twice",
        &["echo::log"],
        "Your log says `Client disconnected` twice for one client, once for its close frame and \
         once for the end of the stream.",
        mutation! {
            fn log(&self, log: &Log, event: Event<'_>) {
                if matches!(event, Event::Disconnected(_)) {
                    log.line(event.to_string());
                }
                log.line(event.to_string());
            }
        },
    ),
    echo(
        "log-kept-in-buffer",
        &["echo::log"],
        "Your log lines wait in a buffer until it is full; a log is of no use if it cannot be \
         read while the server runs.",
        mutation! { fn buffers_log(&self) -> bool { true } },
    ),
];
