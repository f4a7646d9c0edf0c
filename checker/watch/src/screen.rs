//! Draws the screen: the first failure at the top, progress and keys at the bottom.

use std::io::{self, Write};

use anstream::AutoStream;
use anstream::adapter::strip_str;
use anstyle::Style;
use checker::terminal::shown;
use crossterm::cursor::MoveTo;
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType, size};

const DIM: Style = Style::new().dimmed();

/// The keys, below a report.
pub(crate) const KEYS: &str = "h hint  l lesson  a all  r run again  q quit";
/// The keys, below a hint or a lesson.
pub(crate) const KEYS_OF_TEXT: &str = "b back  h next hint  l lesson  r run again  q quit";
/// The size of a screen that does not tell its size.
const DEFAULT_SIZE: (u16, u16) = (80, 24);
/// The greatest width of a report.
const WIDEST: usize = 100;

/// Standard output: a terminal, or a log.
pub(crate) struct Screen {
    /// True if the output is a terminal that can be cleared.
    pub(crate) interactive: bool,
    colours: bool,
    last: String,
    /// The first line of the body that is shown.
    scroll: usize,
    /// The number of lines of the body that were shown last.
    page: usize,
}

impl Screen {
    /// Creates the screen, with or without a terminal.
    pub(crate) fn new(interactive: bool) -> Self {
        let colours = AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        Screen { interactive, colours, last: String::new(), scroll: 0, page: 1 }
    }

    /// Returns the number of columns for a text.
    pub(crate) fn width(&self) -> usize {
        if self.interactive { dimensions().0.min(WIDEST) } else { DEFAULT_SIZE.0.into() }
    }

    /// Returns whether this body fits above this status and these keys.
    pub(crate) fn fits(&self, body: &str, status: &str, keys: &str) -> bool {
        let (columns, rows) = dimensions();
        !self.interactive || lines(body, columns).len() + below(status, keys, columns).len() <= rows
    }

    /// Scrolls by pages; a negative number scrolls up.
    pub(crate) fn scroll_pages(&mut self, pages: isize) {
        self.scroll_lines(pages.saturating_mul(self.page.saturating_sub(1).max(1) as isize));
    }

    /// Scrolls by lines; a negative number scrolls up.
    pub(crate) fn scroll_lines(&mut self, lines: isize) {
        self.scroll = self.scroll.saturating_add_signed(lines);
    }

    /// Scrolls to the first line.
    pub(crate) fn scroll_to_top(&mut self) {
        self.scroll = 0;
    }

    /// Draws `body` above `status` and `keys`. A body that does not fit can be scrolled.
    pub(crate) fn show(&mut self, body: &str, status: &str, keys: &str) {
        if !self.interactive {
            // A log contains each state once.
            let text = format!("{body}{status}");
            if text != self.last {
                self.last.clone_from(&text);
                self.print(&format!("{}\n", shown(&text)), "\n");
            }
            return;
        }
        let (columns, rows) = dimensions();
        let body = lines(body, columns);
        let below = below(status, keys, columns);
        let mut room = rows.saturating_sub(below.len());
        let mut indicator = None;
        if body.len() > room {
            room = room.saturating_sub(1).max(1);
            self.scroll = self.scroll.min(body.len() - room);
            let last = self.scroll + room;
            let text = format!("lines {}-{last} of {}, ↓ ↑ scroll", self.scroll + 1, body.len());
            let text = shown(&text);
            indicator = Some(format!("{DIM}{text}{DIM:#}"));
        } else {
            self.scroll = 0;
        }
        self.page = room;
        let shown = body.into_iter().skip(self.scroll).take(room);
        let text: Vec<String> = shown.chain(indicator).chain(below).collect();
        // Queued, not flushed, because a screen that is empty for a moment flickers.
        let _ = queue!(io::stdout(), Clear(ClearType::All), MoveTo(0, 0));
        // In raw mode a line feed does not return to the first column.
        self.print(&text.join("\n"), "\r\n");
    }

    fn print(&self, text: &str, line_end: &str) {
        let text = if self.colours { text.to_string() } else { strip_str(text).to_string() };
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.replace('\n', line_end).as_bytes());
        let _ = out.flush();
    }
}

/// Returns the columns and rows of the terminal.
fn dimensions() -> (usize, usize) {
    let (columns, rows) = size().unwrap_or(DEFAULT_SIZE);
    (usize::from(columns).max(1), usize::from(rows))
}

/// Returns the lines of the status and of the keys.
fn below(status: &str, keys: &str, columns: usize) -> Vec<String> {
    // A key and its name stay on one line.
    let keys = keys.replace("  ", "\n").replace(' ', "\u{a0}").replace('\n', "  ");
    let keys = lines(&keys, columns)
        .into_iter()
        .map(|line| format!("{DIM}{}{DIM:#}", line.replace('\u{a0}', " ")));
    lines(status, columns).into_iter().chain(keys).collect()
}

/// Wraps a text between words.
fn lines(text: &str, columns: usize) -> Vec<String> {
    let options =
        textwrap::Options::new(columns).word_splitter(textwrap::WordSplitter::NoHyphenation);
    shown(text)
        .lines()
        .flat_map(|line| textwrap::wrap(line, &options))
        .map(|line| line.into_owned())
        .collect()
}
