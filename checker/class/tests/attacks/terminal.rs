//! A class that is graded on a terminal: no submission reaches it.

use std::io::Read;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::common::grader::{Class, Ground, grounds};
use crate::programs::attacking;

/// Looks for a terminal wherever there may be one, and types into it.
const TYPES: &str = r#"
    let open = |path: String| std::fs::OpenOptions::new().read(true).write(true).open(path);
    let terminals = (0..256).map(|number| format!("/dev/pts/{number}"));
    let files: Vec<_> = terminals.chain(["/dev/tty".into(), "/dev/console".into()]).map(open).collect();
    let type_into = |fd: i32| "touch owned\n".bytes().all(|byte| unsafe { ioctl(fd, 0x5412, &byte) } == 0);
    use std::os::fd::AsRawFd;
    let opened = files.iter().flatten().map(|file| file.as_raw_fd());
    let all: Vec<i32> = opened.chain(0..64).collect();
    succeeded(all.into_iter().any(type_into) || std::fs::File::open("/dev/tty").is_ok());
"#;

fn on_a_terminal(ground: Ground) {
    let class = Class::new(ground);
    class.put("types", &attacking(TYPES));
    let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).expect("a terminal");
    let command = class.command();
    // A shell waits behind the grader, as an instructor's does. `read -t 0` says whether there is
    // input.
    let script = "\"$@\"; if read -t 0; then echo TYPED; else echo CLEAN; fi";
    let mut line = CommandBuilder::new("bash");
    line.args(["-c", script, "bash"]);
    if is_other(&ground) {
        line.args(["setpriv", "--reuid", "31416", "--regid", "31416", "--clear-groups"]);
    }
    line.arg(command.get_program());
    line.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => line.env(name, value),
            None => line.env_remove(name),
        }
    }
    let mut child = pair.slave.spawn_command(line).expect("bash");
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().expect("a terminal");
    let (mut shown, mut buffer) = (String::new(), [0; 4096]);
    // The end of a terminal is an error on Linux.
    while let Ok(read @ 1..) = reader.read(&mut buffer) {
        shown.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    child.wait().expect("it ends");
    assert!(shown.contains("CLEAN") && !shown.contains("TYPED"), "{ground:?}: {shown}");
    class.assert_right("types");
}

fn is_other(ground: &Ground) -> bool {
    crate::common::grader::is_root() && !ground.root
}

#[test]
fn no_submission_types_into_the_terminal_of_the_instructor() {
    for ground in grounds(&["bubblewrap", "landlock", "off"]) {
        on_a_terminal(ground);
    }
}
