//! What is pressed, and the terminal's size.

use std::io::{self, IsTerminal};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, read};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use tokio::sync::mpsc;

/// What the student wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// The next hint.
    Hint,
    /// The lesson.
    Lesson,
    /// All failures, or the first only.
    All,
    /// The same again.
    Again,
    /// The end.
    Quit,
    /// The terminal has another size now.
    Resized,
}

/// While this lives, keys come one by one, and aren't shown.
pub(crate) struct Keyboard(());

impl Keyboard {
    /// Listens to the terminal, if there is one.
    ///
    /// # Errors
    /// When the terminal can't be switched to single keys.
    pub(crate) fn open() -> io::Result<Option<(Self, mpsc::UnboundedReceiver<Key>)>> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Ok(None);
        }
        enable_raw_mode()?;
        let keyboard = Keyboard(());
        let (pressed, keys) = mpsc::unbounded_channel();
        // A thread that nobody waits for: reading a key can't be given up.
        std::thread::spawn(move || {
            while let Ok(event) = read() {
                if let Some(key) = key(&event)
                    && pressed.send(key).is_err()
                {
                    return;
                }
            }
            // There is no terminal any more.
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
            _ => None,
        },
        _ => None,
    }
}
