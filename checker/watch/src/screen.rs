//! What the student sees: what to look at first on top, where they are and which keys there are at the bottom.

use std::io::{self, Write};

use anstream::AutoStream;
use anstream::adapter::strip_str;
use anstyle::Style;
use crossterm::cursor::MoveTo;
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType, size};

const DIM: Style = Style::new().dimmed();

/// The keys, as the last line says them.
const KEYS: &str = "h hint  l lesson  a all  r run again  q quit";

/// The terminal, or whatever the output goes to.
pub(crate) struct Screen {
    /// Whether it can be cleared, and there are keys.
    pub(crate) interactive: bool,
    colours: bool,
    last: String,
}

impl Screen {
    /// The screen of this process.
    pub(crate) fn new(interactive: bool) -> Self {
        let colours = AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        Screen { interactive, colours, last: String::new() }
    }

    /// Shows `body`, cut to what has room unless `whole`, and below it `status`.
    pub(crate) fn show(&mut self, body: &str, status: &str, whole: bool) {
        if !self.interactive {
            // A log: each state once, and nothing that moves.
            let text = format!("{body}{status}");
            if text != self.last {
                self.last.clone_from(&text);
                self.print(&format!("{text}\n"), "\n");
            }
            return;
        }
        let (columns, rows) = size().unwrap_or((80, 24));
        let (columns, rows) = (usize::from(columns).max(1), usize::from(rows));
        let room = rows.saturating_sub(height(status, columns) + 2);
        let body = if whole { body.to_string() } else { cut(body, columns, room) };
        // Not flushed yet: a screen that is empty for a moment flickers.
        let _ = queue!(io::stdout(), Clear(ClearType::All), MoveTo(0, 0));
        // In raw mode a line feed goes down and not back.
        self.print(&format!("{body}{status}\n{DIM}{KEYS}{DIM:#}"), "\r\n");
    }

    fn print(&self, text: &str, line_end: &str) {
        let text = if self.colours { text.to_string() } else { strip_str(text).to_string() };
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.replace('\n', line_end).as_bytes());
        let _ = out.flush();
    }
}

/// How many rows a line takes that is wrapped by the terminal.
fn rows(line: &str, columns: usize) -> usize {
    strip_str(line).to_string().chars().count().div_ceil(columns).max(1)
}

fn height(text: &str, columns: usize) -> usize {
    text.lines().map(|line| rows(line, columns)).sum()
}

/// The first lines, as many as have room, and how many there are more.
fn cut(text: &str, columns: usize, room: usize) -> String {
    if height(text, columns) <= room {
        return text.to_string();
    }
    let mut kept = String::new();
    let mut used = 1;
    let mut lines = text.lines();
    for line in lines.by_ref() {
        used += rows(line, columns);
        if used > room {
            break;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    let left = text.lines().count() - kept.lines().count();
    format!("{kept}{DIM}… {left} more lines: press a, or make the window higher{DIM:#}\n")
}
