//! Snapshots of the reports.
//!
//! Values that a clock or the system chose (times, ports, numbers of threads) are removed before
//! the comparison.

mod common;

use std::path::PathBuf;

use checker::grade::Outcome;
use checker::{museum, report};
use common::judged;
use insta::{Settings, assert_snapshot};

/// Removes values that differ from run to run.
fn redacted() -> Settings {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    // The column of milliseconds in a conversation, in lines with an arrow.
    settings.add_filter(r"(?m)^([> ] +\d+) +\d+\.\d  ", "$1   [ms]  ");
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:[port]");
    // How many digits the thread's number has decides how much of the place fits.
    settings.add_filter(r"\(\d+\) panicked at\s+\S+", "([id]) panicked at [place]");
    // A panic ends its connection by FIN or by RST, depending on what had been read.
    settings.add_filter(
        r"got +(a reset|the end) of the TCP connection",
        "got        [the end] of the TCP connection",
    );
    settings.add_filter(r"\b\d+ ms", "[n] ms");
    settings.add_filter(r"\d+\.\d intervals", "[n] intervals");
    settings
}

/// Returns the report of this check on a server of the museum.
fn report_on(option: &str, name: &str, exercise: &str, id: &str) -> String {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let graded = runtime.block_on(async {
        let (program, _) = museum::open().await.expect("the museum opens");
        let grade = async || {
            museum::grade_server(&program, option, name, exercise, 1)
                .await
                .expect("the exercise exists")
        };
        judged(grade).await
    });
    let graded = graded.iter().find(|graded| graded.check.id == id).expect("the check was graded");
    match &graded.outcome {
        Outcome::Failed(failed) => {
            anstream::adapter::strip_str(&report::human::failure(graded, failed)).to_string()
        }
        other => panic!("{id} on {name}: {other:?}"),
    }
}

/// Removes the part under this heading. Conversations of several clients and late lines of output
/// differ from run to run.
fn without(report: &str, heading: &str) -> String {
    let mut lines = report.lines();
    let mut kept: Vec<&str> =
        lines.by_ref().take_while(|line| !line.starts_with(heading)).collect();
    kept.extend(lines.skip_while(|line| !line.is_empty()).skip(1));
    kept.join("\n")
}

const CONVERSATION: &str = "The conversation";
const OUTPUT: &str = "The server printed last";

macro_rules! echo_reports {
    ($($test:ident: $fault:literal, $id:literal;)*) => {$(
        #[test]
        fn $test() {
            let report = report_on("--fault", $fault, "echo", $id);
            redacted().bind(|| assert_snapshot!(stringify!($test), without(&report, OUTPUT)));
        }
    )*};
}

echo_reports! {
    wrong_accept_key: "accept-key-from-the-rfc", "echo::handshake";
    status_200: "handshake-answers-200", "echo::handshake";
    no_welcome: "welcome-missing", "echo::welcome";
    trimmed: "trims-white-space", "echo::reply";
    cut_long_text: "cut-at-65536-bytes", "echo::payloads";
    lossy_binary: "question-marks", "echo::binary";
    pong_without_payload: "empty-pong", "echo::ping";
    close_code: "close-code-always-1000", "echo::close";
    close_unanswered: "close-unanswered", "echo::close";
    still_open: "tcp-left-open", "echo::close";
}

/// Removes the frames that the client may have sent before the answer came.
#[test]
fn fragments() {
    let report = report_on("--fault", "fragments-one-by-one", "echo", "echo::payloads");
    redacted()
        .bind(|| assert_snapshot!("fragments", without(&without(&report, CONVERSATION), OUTPUT)));
}

/// Here the output is the evidence, and the check waits for it.
#[test]
fn log_on_stderr() {
    let report = report_on("--fault", "logs-to-stderr", "echo", "echo::log");
    redacted().bind(|| assert_snapshot!("log_on_stderr", report));
}

#[test]
fn a_panic_comes_first() {
    let report = report_on("--process", "panic-on-connect", "echo", "echo::handshake");
    redacted().bind(|| {
        assert_snapshot!("a_panic_comes_first", without(&without(&report, CONVERSATION), OUTPUT))
    });
}

#[test]
fn dead_but_not_dropped() {
    let report = report_on("--fault", "never-drops", "heartbeat", "heartbeat::dead");
    redacted().bind(|| {
        assert_snapshot!("dead_but_not_dropped", without(&without(&report, CONVERSATION), OUTPUT))
    });
}

#[test]
fn no_pings_at_all() {
    let report = report_on("--fault", "no-pings", "heartbeat", "heartbeat::pings");
    redacted().bind(|| {
        assert_snapshot!("no_pings_at_all", without(&without(&report, CONVERSATION), OUTPUT))
    });
}

#[test]
fn welcome_to_everybody() {
    let report = report_on("--fault", "welcome-to-all", "broadcast", "broadcast::welcome");
    redacted().bind(|| {
        assert_snapshot!("welcome_to_everybody", without(&without(&report, CONVERSATION), OUTPUT))
    });
}

/// No line of a report is wider than 80 columns.
#[test]
fn reports_fit_80_columns() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots");
    let paths =
        std::fs::read_dir(folder).expect("snapshots").map(|entry| entry.expect("an entry").path());
    let is_report = |path: &PathBuf| {
        // `watch` fills the terminal that it has.
        let others = ["race_drawn__", "student_", "watch_"];
        path.file_name().is_some_and(|name| {
            !others.iter().any(|other| name.to_string_lossy().starts_with(other))
        })
    };
    let reports: Vec<PathBuf> = paths.filter(is_report).collect();
    assert!(reports.len() >= 12, "only {} reports are kept", reports.len());
    for path in reports {
        let text = std::fs::read_to_string(&path).expect("a text");
        // The snapshot's header ends with the second line of dashes.
        let report = text.splitn(3, "---\n").nth(2).expect("a head and a report");
        for line in report.lines() {
            assert!(line.chars().count() <= 80, "{}: {line}", path.display());
        }
    }
}
