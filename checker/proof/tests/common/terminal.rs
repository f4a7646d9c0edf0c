//! A real terminal that runs `cargo checker watch`.

use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::Parser;

use super::workbook::Workbook;

/// The time limit of each wait.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(120);

/// The terminal.
pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    shown: Arc<Shown>,
}

struct Shown {
    parser: Mutex<Parser>,
    changed: Condvar,
}

fn size(rows: u16, columns: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

impl Terminal {
    /// Opens a terminal of this size and runs the checker on this workbook.
    pub(crate) fn open(workbook: &Workbook, args: &[&str], rows: u16, columns: u16) -> Self {
        Terminal::with_locale("C.UTF-8", workbook, args, rows, columns)
    }

    /// Opens a terminal in this locale, such as `C`.
    pub(crate) fn with_locale(
        locale: &str,
        workbook: &Workbook,
        args: &[&str],
        rows: u16,
        columns: u16,
    ) -> Self {
        let pair = native_pty_system().openpty(size(rows, columns)).expect("a terminal");
        let mut command = CommandBuilder::new(super::running_checker().get_program());
        command.args(args);
        for (name, value) in workbook.environment() {
            command.env(name, value);
        }
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", locale);
        command.env_remove("CHECKER_TARGET");
        command.env_remove("NO_COLOR");
        let child = pair.slave.spawn_command(command).expect("it starts");
        let shown = Arc::new(Shown {
            parser: Mutex::new(Parser::new(rows, columns, 0)),
            changed: Condvar::new(),
        });
        let mut output = pair.master.try_clone_reader().expect("its output");
        let keys = pair.master.take_writer().expect("its input");
        let reader = shown.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // When the child exits, reading a terminal fails on some systems and blocks on others.
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                reader.parser.lock().expect("no panic holds it").process(&bytes[..count]);
                reader.changed.notify_all();
            }
        });
        Terminal { child, master: pair.master, keys, shown }
    }

    /// Returns the text on the screen, without colours.
    pub(crate) fn screen(&self) -> String {
        self.shown.parser.lock().expect("no panic holds it").screen().contents()
    }

    /// Waits until the screen meets a condition, and returns its text.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        let mut parser = self.shown.parser.lock().expect("no panic holds it");
        loop {
            let screen = parser.screen().contents();
            if wanted(&screen) {
                return screen;
            }
            assert!(began.elapsed() < RESPONSE_TIMEOUT, "no {what} on the screen:\n{screen}");
            let left = RESPONSE_TIMEOUT.saturating_sub(began.elapsed());
            parser = self.shown.changed.wait_timeout(parser, left).expect("no panic holds it").0;
        }
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: char) {
        write!(self.keys, "{key}").and_then(|()| self.keys.flush()).expect("it takes keys");
    }

    /// Changes the size of the window.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.shown.parser.lock().expect("no panic holds it").screen_mut().set_size(rows, columns);
        self.master.resize(size(rows, columns)).expect("it changes its size");
    }

    /// Waits for the exit and returns the exit code.
    pub(crate) fn end(mut self) -> u32 {
        self.child.wait().expect("an end").exit_code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
