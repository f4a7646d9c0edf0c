//! Draws the screen: the first failure at the top, progress and keys at the bottom.

use std::io::{self, Write};

use anstream::AutoStream;
use anstream::adapter::strip_str;
use anstyle::Style;
use crossterm::cursor::MoveTo;
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType, size};

const DIM: Style = Style::new().dimmed();

/// The last line, with the keys.
const KEYS: &str = "h hint  l lesson  a all  r run again  q quit";

/// Standard output: a terminal, or a log.
pub(crate) struct Screen {
    /// True if the output is a terminal that can be cleared.
    pub(crate) interactive: bool,
    colours: bool,
    last: String,
}

impl Screen {
    /// Creates the screen, with or without a terminal.
    pub(crate) fn new(interactive: bool) -> Self {
        let colours = AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        Screen { interactive, colours, last: String::new() }
    }

    /// Draws `body` above `status`. Unless `whole`, the body is cut to fit the terminal.
    pub(crate) fn show(&mut self, body: &str, status: &str, whole: bool) {
        if !self.interactive {
            // A log contains each state once.
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
        // Queued, not flushed, because a screen that is empty for a moment flickers.
        let _ = queue!(io::stdout(), Clear(ClearType::All), MoveTo(0, 0));
        // In raw mode a line feed does not return to the first column.
        self.print(&format!("{body}{status}\n{DIM}{KEYS}{DIM:#}"), "\r\n");
    }

    fn print(&self, text: &str, line_end: &str) {
        let text = if self.colours { text.to_string() } else { strip_str(text).to_string() };
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.replace('\n', line_end).as_bytes());
        let _ = out.flush();
    }
}

/// Returns the number of rows that the terminal needs for a line.
fn rows(line: &str, columns: usize) -> usize {
    strip_str(line).to_string().chars().count().div_ceil(columns).max(1)
}

fn height(text: &str, columns: usize) -> usize {
    text.lines().map(|line| rows(line, columns)).sum()
}

/// Keeps the lines that fit, and adds the number of lines left out.
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
