//! axe-core finds nothing serious on the pages: the playground, the board, and the reports.
//!
//! Without npm these tests are skipped. On a build machine, where `CI` is set, they fail.

mod board_process;
mod browser;
mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use board_client::message::Outcome;
use board_process::BoardProcess;
use browser::{Browser, Playground};
use common::{checker, classroom, museum, skip};

/// Installs axe-core once, and returns its source.
fn axe() -> Option<String> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _installing = INSTALLING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axe");
    std::fs::create_dir_all(&home).expect("a folder");
    let sources = harness::server::build::workspace().join("checker/proof/axe");
    let same = |name: &str| {
        let read = |folder: &Path| std::fs::read(folder.join(name)).ok();
        read(&sources).is_some() && read(&sources) == read(&home)
    };
    let script = home.join("node_modules/axe-core/axe.min.js");
    if !same("package-lock.json") || !script.exists() {
        for name in ["package.json", "package-lock.json"] {
            std::fs::copy(sources.join(name), home.join(name)).expect("it is copied");
        }
        // On Windows npm is a script, which only a shell can start.
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        match Command::new(npm).args(arguments).current_dir(&home).output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                skip(&format!("axe-core: npm: {}", String::from_utf8_lossy(&output.stderr)));
                return None;
            }
            Err(error) => {
                skip(&format!("axe-core: npm can't be started: {error}"));
                return None;
            }
        }
    }
    Some(std::fs::read_to_string(script).expect("npm has installed it"))
}

/// The colours of a page with a switch for them.
const THEMES: &[&str] = &["light", "dark"];

/// Fails if axe-core finds anything serious on the page, in these colours, and in a narrow and a
/// wide window.
async fn assert_accessible(browser: &Browser, axe: &str, themes: &[&str], page: &str) {
    for (width, height) in [(360, 780), (1_280, 900)] {
        browser.page.set_window_size(width, height).await.expect("a size");
        for theme in themes {
            browser.run(&format!("document.documentElement.dataset.theme = '{theme}'")).await;
            browser.run(axe).await;
            let found = browser
                .run(
                    "return axe.run(document, { resultTypes: ['violations'] })
                        .then((found) => found.violations
                            .filter(({ impact }) => impact === 'serious' || impact === 'critical')
                            .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3)
                                .map((node) => `${node.target} ${node.failureSummary}`).join('; ')}`))",
                )
                .await;
            assert_eq!(found, serde_json::json!([]), "{page}, {theme}, {width} px");
        }
    }
}

#[tokio::test]
async fn the_playground_and_its_script() {
    let Some(axe) = axe() else { return };
    let Some(browser) = Browser::start().await else { return };
    let arguments = ["broadcast", "--target", "solutions", "--interval", "500", "--script"];
    let playground = Playground::start(&arguments);
    browser.open(&playground, 2).await;
    browser.until("!document.querySelector('#script').hidden").await;
    browser.say(1, "hello, everybody").await;
    browser.until("document.querySelectorAll('#lanes .kind.pong').length >= 2").await;
    browser.run("document.querySelector('#lanes .up .kind.text').closest('button').click()").await;
    browser.until("document.querySelector('#detail-body td')").await;
    browser.click("#client-2 .cable").await;
    browser
        .until("document.querySelector('#client-2 .state').textContent.includes('dropped')")
        .await;
    // A paused page has no row that vanishes while axe-core looks at it.
    browser.run("document.querySelector('#pause').click()").await;
    assert_accessible(&browser, &axe, THEMES, "the playground").await;
    browser.run("document.querySelector('#help').click()").await;
    assert_accessible(&browser, &axe, THEMES, "the keys of the playground").await;
    browser.close().await;
}

#[tokio::test]
async fn the_board() {
    let Some(axe) = axe() else { return };
    let Some(browser) = Browser::start().await else { return };
    let board = BoardProcess::start(&["--interval", "60000"]);
    let (ada, grace) = (board.join(1, "Ada").await, board.join(2, "Grace").await);
    ada.report("echo::handshake", Outcome::Passed);
    grace.report("echo::welcome", Outcome::Failed);
    let alan = board.join(3, "Alan").await;
    alan.leave().await;
    browser.page.goto(&board.page_address()).await.expect("the page is there");
    browser.until("document.querySelectorAll('#students li').length === 3").await;
    browser.until("document.querySelector('#longest li')").await;
    assert_accessible(&browser, &axe, THEMES, "the board").await;
    browser.close().await;
}

/// Returns the pages in a folder and the folders in it.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "html") {
            found.push(path);
        }
    }
    found
}

/// The report of one grading, and the reports of a class with a right, a wrong and an empty
/// submission.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "grades a class, which takes a minute; CONTRIBUTING names the command"]
async fn the_reports() {
    let Some(axe) = axe() else { return };
    let Some(browser) = Browser::start().await else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let Some(reports) = tokio::task::block_in_place(|| write_reports(folder.path(), &out)) else {
        return;
    };
    assert!(reports.len() >= 5, "{reports:?}");
    for report in reports {
        let address = format!("file://{}", report.display());
        browser.page.goto(&address).await.expect("the page is there");
        // A report has one set of colours.
        assert_accessible(&browser, &axe, &["light"], &address).await;
    }
    browser.close().await;
}

/// Returns `None` on a machine without a sandbox.
fn write_reports(folder: &Path, out: &Path) -> Option<Vec<PathBuf>> {
    std::fs::create_dir_all(out).expect("a folder");
    let report = out.join("report.html");
    let graded = checker()
        .args([
            "grade",
            "echo",
            "--command",
            &museum("--fault", "one-variable-for-all-messages"),
            "--html",
        ])
        .arg(&report)
        .output()
        .expect("it runs");
    assert_eq!(graded.status.code(), Some(1), "{}", String::from_utf8_lossy(&graded.stderr));
    let right = std::fs::read_to_string(
        harness::server::build::workspace().join("solutions/echo/src/main.rs"),
    );
    let right = right.expect("the reference");
    let wrong = right.replace("Welcome! Connection established.", "Welcome! Connected.");
    let submissions = folder.join("submissions");
    for (name, text) in [("right", right.as_str()), ("wrong", &wrong), ("empty", "")] {
        let source = submissions.join(name).join("day1/echo/src/main.rs");
        std::fs::create_dir_all(source.parent().expect("a folder")).expect("a folder");
        std::fs::write(source, text).expect("it is written");
    }
    let class = classroom()
        .args(["class", "--each"])
        .arg(&submissions)
        .arg("--out")
        .arg(out.join("class"))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&class.stderr);
    if class.status.code() == Some(3) {
        skip(&format!("the reports of a class: {said}"));
        return None;
    }
    assert_eq!(class.status.code(), Some(0), "{said}");
    Some(pages(out))
}
