//! Processes that hang, flood, exit and fork: each gets a verdict, and no process is left.

mod common;

use common::{check, graded, museum};
use serde_json::Value;

fn graded_process(name: &str) -> (i32, Value) {
    graded(&["echo", "--command", &museum("--process", name)])
}

fn fails_to_start(name: &str, words: &str) {
    let (code, result) = graded_process(name);
    assert_eq!(code, 1, "{result:#}");
    let handshake = check(&result, "echo::handshake");
    assert_eq!(handshake["outcome"], "failed", "{result:#}");
    assert!(
        handshake["summary"].as_str().is_some_and(|summary| summary.contains(words)),
        "{handshake:#}"
    );
    assert_eq!(result["totals"]["failed"], 1, "{result:#}");
    assert_eq!(result["totals"]["blocked"], 11, "{result:#}");
}

fn passes(name: &str) {
    let (code, result) = graded_process(name);
    assert_eq!((code, &result["totals"]["passed"]), (0, &12.into()), "{result:#}");
}

#[test]
fn one_that_is_never_ready() {
    fails_to_start("hang", "never printed its ready line");
}

#[test]
fn one_that_ends_at_once() {
    fails_to_start("exit", "ended before it was ready");
    fails_to_start("silent-exit", "ended before it was ready");
}

#[test]
fn one_whose_ready_line_names_another_port() {
    fails_to_start("wrong-port", "refuses connections");
}

#[test]
fn one_that_listens_where_addr_says_and_names_another_port() {
    fails_to_start("fixed-ready-line", "The ready line names another port");
}

#[test]
fn one_that_ignores_addr() {
    fails_to_start("own-port", "and not on the address in ADDR");
    fails_to_start("own-port-taken", "tried an address in use and not the one in ADDR");
}

#[test]
fn one_that_panics_once_it_is_ready() {
    fails_to_start("panic", "The server's process ended");
}

#[test]
fn one_that_panics_when_somebody_connects() {
    fails_to_start("panic-on-connect", "before a response to the upgrade request");
}

#[test]
fn one_that_prints_verdicts_of_its_own() {
    let (code, result) = graded_process("fake-verdict");
    assert_eq!((code, &result["totals"]["passed"]), (1, &0.into()), "{result:#}");
}

#[test]
fn one_that_opens_sockets_by_the_thousand_is_judged() {
    let (code, result) = graded_process("sockets");
    // The system may or may not accept further connections. The checker must give a verdict.
    assert!(code == 0 || code == 1, "{result:#}");
    assert_eq!(result["totals"]["unknown"], 0, "{result:#}");
}

#[test]
fn one_that_is_ready_late() {
    passes("late");
}

#[test]
fn one_that_shouts() {
    passes("flood");
}

#[test]
fn one_that_burns_every_core() {
    passes("busy");
}

#[cfg(unix)]
mod where_few_files_may_be_open {
    use serde_json::Value;

    use super::common::running_checker;

    /// Grades the solutions by a checker that a shell started after this `ulimit`.
    fn graded_after(ulimit: &str) -> (Option<i32>, Value) {
        let mut shell = std::process::Command::new("sh");
        shell.args([
            "-c",
            &format!("{ulimit} && exec \"$0\" grade --target solutions --format json"),
        ]);
        let output = shell.arg(running_checker().get_program()).output().expect("there is a shell");
        (output.status.code(), serde_json::from_slice(&output.stdout).expect("stdout is JSON"))
    }

    #[test]
    fn the_checker_takes_what_it_may() {
        let (code, result) = graded_after("ulimit -S -n 64");
        assert_eq!((code, &result["totals"]["unknown"]), (Some(0), &0.into()), "{result:#}");
    }

    #[test]
    fn it_says_what_is_missing() {
        let (code, result) = graded_after("ulimit -n 64");
        assert_eq!((code, &result["totals"]["failed"]), (Some(3), &0.into()), "{result:#}");
        assert!(result.to_string().contains("after `ulimit -n 4096` there is room"), "{result:#}");
    }
}

#[cfg(target_os = "linux")]
mod on_linux {
    use std::path::Path;
    use std::process::{Child, Stdio};
    use std::time::{Duration, Instant};

    use super::common::{museum, running_checker};
    use super::passes;

    /// Counts the processes with this command line.
    fn running(command: &str) -> usize {
        let command: Vec<u8> =
            command.bytes().map(|byte| if byte == b' ' { 0 } else { byte }).collect();
        let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
        let lines =
            processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
        lines.filter(|line| line.strip_suffix(b"\0") == Some(&command)).count()
    }

    #[test]
    fn one_that_forks_and_one_that_leaves_its_session_leave_nothing_behind() {
        for name in ["fork", "setsid", "ignore-sigterm"] {
            passes(name);
            assert_eq!(running(&museum("--process", name)), 0, "{name} is still there");
        }
    }

    #[test]
    fn one_that_names_the_port_of_another() {
        let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = other.local_addr().expect("it is bound").port();
        let server =
            format!("sh -c 'echo WebSocket server running on ws://127.0.0.1:{port}; sleep 60'");
        let (code, result) = super::graded(&["echo", "--command", &server]);
        let handshake = super::check(&result, "echo::handshake");
        assert_eq!((code, &handshake["outcome"]), (1, &"failed".into()), "{handshake:#}");
        assert_eq!(handshake["summary"], "The ready line names the port of another process.");
    }

    #[test]
    fn a_daemon_is_found_without_its_environment_or_with_a_forged_mark() {
        let daemon = &sleeper(3);
        let museum = museum("--process", "late");
        let forged = "env WORKBOOK_SERVER=1-1-00000000";
        for start in [
            format!("setsid -f env -i {daemon}"),
            format!("setsid -f {forged} {daemon}"),
            // Children of the server itself: in a session of their own, or in a group of their own.
            format!("env -i setsid {daemon} &"),
            format!("set -m; env -i {daemon} & set +m"),
            format!("set -m; {forged} {daemon} & set +m"),
        ] {
            let separator = if start.ends_with('&') { "" } else { ";" };
            let server = format!("sh -c '{start}{separator} exec {museum}'");
            let (code, result) = super::graded(&["echo", "--command", &server]);
            assert_eq!(code, 0, "{start}: {result:#}");
            until(&format!("the daemon of `{start}` is gone"), || running(daemon) == 0);
        }
    }

    /// Starts to grade a server that never becomes ready, and waits until it runs.
    fn grading_of(server: &str) -> Child {
        let mut command = running_checker();
        command.args(["grade", "echo", "--command", server]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        until("the server runs", || running(server) > 0);
        child
    }

    /// Returns a command line that no other test uses, not even in another run.
    fn sleeper(number: u32) -> String {
        format!("sleep {number}{:08}", std::process::id())
    }

    fn until(what: &str, mut happens: impl FnMut() -> bool) {
        let since = Instant::now();
        while !happens() {
            assert!(
                since.elapsed() < Duration::from_secs(10),
                "it did not come to pass that {what}"
            );
            std::thread::yield_now();
        }
    }

    fn signal(child: &Child, signal: &str) {
        let status =
            std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Returns the peak memory of a process in bytes.
    fn most_memory(child: &Child) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        most.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
    }

    #[test]
    fn one_that_talks_without_end_does_not_drown_the_checker() {
        let mut command = running_checker();
        command.args(["grade", "echo", "--command", &museum("--process", "frame-flood")]);
        let mut grading =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        let mut most = 0;
        let status = loop {
            most = most.max(most_memory(&grading).unwrap_or_default());
            if let Some(status) = grading.try_wait().expect("it can be asked") {
                break status;
            }
            std::thread::yield_now();
        };
        assert_eq!(status.code(), Some(1));
        assert!((1..256 << 20).contains(&most), "the checker took {most} bytes");
    }

    #[test]
    fn killing_the_checker_kills_its_servers() {
        let server = &sleeper(1);
        let mut grading = grading_of(server);
        signal(&grading, "-KILL");
        grading.wait().expect("it ends");
        until("the server is gone", || running(server) == 0);
    }

    #[test]
    fn ctrl_c_leaves_no_server_at_all() {
        let server = &sleeper(2);
        let mut grading = grading_of(server);
        signal(&grading, "-INT");
        assert_eq!(grading.wait().expect("it ends").code(), Some(130));
        assert_eq!(running(server), 0);
    }

    #[test]
    fn an_interrupted_soak_tells_what_it_has_seen() {
        let mut command = running_checker();
        command.args(["soak", "--runs", "1000", "--jobs", "1", "--seed", "7"]);
        let server =
            Path::new(command.get_program()).with_file_name("solution-echo").display().to_string();
        let mut soak =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
        // Building comes first and may take long.
        while running(&server) == 0 {
            assert!(
                soak.try_wait().expect("it can be asked").is_none(),
                "it ended before its first server"
            );
        }
        signal(&soak, "-INT");
        let output = soak.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(130), "{said}");
        assert!(said.contains("interrupted after ") && said.contains("000 gradings: "), "{said}");
        assert!(
            said.contains("seeds from 7: ") && said.contains(" 0 failures, 0 unknown"),
            "{said}"
        );
    }
}
