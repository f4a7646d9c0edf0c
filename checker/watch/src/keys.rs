//! Reads keys and changes of the terminal's size.

use std::io::{self, IsTerminal};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, read};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use tokio::sync::mpsc;

/// A command of the student, or an event of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// Show the next hint.
    Hint,
    /// Show the lesson.
    Lesson,
    /// Switch between all failures and the first.
    All,
    /// Return from a hint or a lesson to the report.
    Back,
    /// Scroll by this many lines.
    Lines(isize),
    /// Scroll by this many pages.
    Pages(isize),
    /// Grade again.
    Again,
    /// Quit.
    Quit,
    /// The size of the terminal changed.
    Resized,
}

/// Keeps the terminal in raw mode until it is dropped: keys arrive one by one and are not echoed.
pub(crate) struct Keyboard(());

impl Keyboard {
    /// Starts to read keys, if there is a terminal.
    pub(crate) fn open() -> io::Result<Option<(Self, mpsc::UnboundedReceiver<Key>)>> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Ok(None);
        }
        enable_raw_mode()?;
        let keyboard = Keyboard(());
        let (pressed, keys) = mpsc::unbounded_channel();
        // A detached thread, because a blocking read of a key cannot be cancelled.
        std::thread::spawn(move || {
            while let Ok(event) = read() {
                if let Some(key) = key(&event)
                    && pressed.send(key).is_err()
                {
                    return;
                }
            }
            // The terminal is gone.
            let _ = pressed.send(Key::Quit);
        });
        Ok(Some((keyboard, keys)))
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        let _ = disable_raw_mode();
    }
}

fn key(event: &Event) -> Option<Key> {
    match event {
        Event::Resize(..) => Some(Key::Resized),
        Event::Key(KeyEvent {
            kind: KeyEventKind::Press | KeyEventKind::Repeat,
            code,
            modifiers,
            ..
        }) => match (code, modifiers.contains(KeyModifiers::CONTROL)) {
            (KeyCode::Char('c' | 'd'), true) | (KeyCode::Char('q'), false) => Some(Key::Quit),
            (KeyCode::Char('h'), false) => Some(Key::Hint),
            (KeyCode::Char('l'), false) => Some(Key::Lesson),
            (KeyCode::Char('a'), false) => Some(Key::All),
            (KeyCode::Char('r'), false) => Some(Key::Again),
            (KeyCode::Char('b') | KeyCode::Esc | KeyCode::Backspace, false) => Some(Key::Back),
            (KeyCode::Down | KeyCode::Char('j'), false) => Some(Key::Lines(1)),
            (KeyCode::Up | KeyCode::Char('k'), false) => Some(Key::Lines(-1)),
            (KeyCode::PageDown | KeyCode::Char(' '), false) => Some(Key::Pages(1)),
            (KeyCode::PageUp, false) => Some(Key::Pages(-1)),
            _ => None,
        },
        _ => None,
    }
}
