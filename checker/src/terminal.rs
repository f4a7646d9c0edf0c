//! Text for terminals that can't show Unicode.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::sync::OnceLock;

use anstream::AutoStream;

/// The argument that asks for ASCII. It may stand anywhere on a command line.
pub const ASCII: &str = "--ascii";
/// The environment variable that asks for ASCII, if it is not empty.
pub const VARIABLE: &str = "CHECKER_ASCII";

/// Removes `--ascii` from these arguments, and remembers that it was there.
pub fn take_ascii(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let (asked, others): (Vec<_>, Vec<_>) =
        arguments.partition(|argument| argument.as_os_str() == ASCII);
    if !asked.is_empty() {
        let _ = CHOICE.set(true);
    }
    others
}

static CHOICE: OnceLock<bool> = OnceLock::new();

/// Returns whether text for people has to be ASCII: because somebody asked for it, or because
/// standard output is a terminal whose locale is not UTF-8.
pub fn is_ascii() -> bool {
    *CHOICE.get_or_init(|| {
        std::env::var_os(VARIABLE).as_deref().is_some_and(|value| value != OsStr::new(""))
            || !supports_unicode::on(supports_unicode::Stream::Stdout)
    })
}

/// Returns this text as the terminal can show it.
pub fn shown(text: &str) -> Cow<'_, str> {
    if is_ascii() { to_ascii(text) } else { Cow::Borrowed(text) }
}

/// Replaces what is drawn by ASCII, and escapes all other characters as Rust does.
fn to_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\0'..='\x7f' => ascii.push(character),
            '…' => ascii.push_str("..."),
            '→' => ascii.push_str("->"),
            '←' => ascii.push_str("<-"),
            '↑' => ascii.push('^'),
            '↓' => ascii.push('v'),
            '█' | '▇' | '▓' => ascii.push('#'),
            '░' | '─' | '–' | '—' => ascii.push('-'),
            '│' => ascii.push('|'),
            '·' => ascii.push('.'),
            '×' => ascii.push('x'),
            '\u{a0}' => ascii.push(' '),
            other => ascii.extend(other.escape_unicode()),
        }
    }
    Cow::Owned(ascii)
}

/// Standard output for text: without colours or in ASCII where the terminal needs that.
pub fn stdout() -> Stdout {
    Stdout(anstream::stdout())
}

/// See [`stdout`].
pub struct Stdout(AutoStream<io::Stdout>);

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(shown(text).as_bytes())?,
            Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
