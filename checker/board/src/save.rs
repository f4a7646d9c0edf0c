//! `--save FILE`: the events of a room, one JSON object a line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::SystemTime;

use board_client::message::Outcome;
use serde_json::json;

/// A file to which events are appended. Dropping it waits until all of them are written.
pub(crate) struct EventFile {
    lines: Option<Sender<String>>,
    writer: Option<JoinHandle<()>>,
}

impl EventFile {
    /// Opens a file, which may have events of an earlier run.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let name = path.display().to_string();
        let (lines, received) = channel::<String>();
        // A thread of its own: a slow disk must not stop the async tasks.
        let writer = std::thread::spawn(move || {
            let mut failed = false;
            for line in received {
                if let Err(error) = write_line(&mut file, line)
                    && !failed
                {
                    failed = true;
                    eprintln!("warning: cannot write {name}: {error}; events are missing from it");
                }
            }
        });
        Ok(EventFile { lines: Some(lines), writer: Some(writer) })
    }

    /// Appends an event of a student: `joined`, `left`, `vanished`, or a check with its outcome.
    pub(crate) fn append(&mut self, name: &str, event: &str, outcome: Option<Outcome>) {
        let at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let line = match outcome {
            Some(outcome) => json!({ "at": at, "name": name, "check": event, "outcome": outcome }),
            None => json!({ "at": at, "name": name, "event": event }),
        };
        if let Some(lines) = &self.lines {
            let _ = lines.send(line.to_string());
        }
    }
}

/// Writes the line at once, so that a board that is killed loses nothing.
fn write_line(file: &mut File, line: String) -> io::Result<()> {
    file.write_all(format!("{line}\n").as_bytes())
}

impl Drop for EventFile {
    fn drop(&mut self) {
        drop(self.lines.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}
