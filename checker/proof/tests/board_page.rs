//! The page of the board in a browser.

mod board_process;
mod browser;
mod common;

use std::time::{Duration, Instant};

use board_client::message::Outcome;
use board_process::BoardProcess;
use browser::Browser;
use harness::stall_monitor::StallMonitor;
use serde_json::json;

/// The longest run-queue delay of a machine that is quiet enough to judge times.
const QUIET: Duration = Duration::from_millis(100);

/// Returns an expression that is true if the page shows this text.
fn shows(text: &str) -> String {
    format!("document.querySelector('main').innerText.includes({text:?})")
}

async fn open(browser: &Browser, board: &BoardProcess) {
    browser.page.goto(&board.page_address()).await.expect("the page is there");
    browser.until("document.querySelector('#state').dataset.kind === 'open'").await;
}

async fn press(browser: &Browser, key: &str) {
    let body = browser.page.find(fantoccini::Locator::Css("body")).await.expect("a body");
    body.send_keys(key).await.expect("it takes keys");
}

#[tokio::test]
async fn the_page_shows_who_stands_where_and_what_stops_most() {
    let Some(browser) = Browser::start().await else { return };
    let board = BoardProcess::start(&["--interval", "500"]);
    open(&browser, &board).await;
    browser.until(&shows("No student has joined yet.")).await;
    let ada = board.join(1, "Ada <img src=x onerror='harmed=1'>").await;
    let (grace, alan) = (board.join(2, "Grace").await, board.join(3, "Alan").await);
    ada.report("echo::handshake", Outcome::Passed);
    browser
        .until("document.querySelector('#greens').innerText.includes('★ echo::handshake')")
        .await;
    grace.report("echo::welcome", Outcome::Failed);
    browser.until("document.querySelector('#longest').innerText.includes('Grace')").await;
    alan.report("echo::welcome", Outcome::Failed);
    ada.report("echo::close", Outcome::Failed);
    browser
        .until("document.querySelector('#stops li')?.innerText.replace(/\\s+/g, ' ') === 'echo::welcome 2 of 3'")
        .await;
    let first = "return document.querySelector('#longest li .name').innerText";
    assert_eq!(browser.run(first).await, "Grace", "who has been red for longest is first");
    assert_eq!(browser.run("return window.harmed === undefined").await, true);
    assert_eq!(browser.run("return document.querySelectorAll('img').length").await, 0);

    // Names are switched off by one key, and stay off after a reload.
    press(&browser, "n").await;
    browser.until(&format!("!{} && {}", shows("Grace"), shows("student 2"))).await;
    browser.page.refresh().await.expect("it loads again");
    browser.until("document.querySelectorAll('#students li').length === 3").await;
    browser.until(&format!("!{} && {}", shows("Grace"), shows("student 2"))).await;
    press(&browser, "n").await;
    browser.until(&shows("Grace")).await;

    alan.leave().await;
    browser.until("document.querySelector('[data-number=\"3\"]').innerText.includes('left')").await;
    browser.close().await;
}

#[tokio::test]
async fn the_page_comes_back_to_a_board_that_was_killed() {
    let Some(browser) = Browser::start().await else { return };
    let board = BoardProcess::start(&[]);
    open(&browser, &board).await;
    let ada = board.join(1, "Ada").await;
    ada.report("echo::handshake", Outcome::Passed);
    browser.until(&shows("Ada")).await;
    let board = board.kill_and_restart(&[]);
    browser.until("document.querySelector('#state').dataset.kind === 'open'").await;
    let _grace = board.join(2, "Grace").await;
    browser.until(&format!("{} && {}", shows("Ada"), shows("Grace"))).await;
    browser.close().await;
}

/// A class in the middle of a lesson. Nothing overflows the page or its box. Screenshots go to the
/// folder in `CHECKER_SCREENSHOTS`.
#[tokio::test]
async fn nothing_is_cut_with_30_students_at_any_width() {
    let Some(browser) = Browser::start().await else { return };
    let board = BoardProcess::start(&["--interval", "60000"]);
    let checks = checks::all();
    let mut links = Vec::new();
    for number in 0..30 {
        let name = match number {
            7 => "one-very-long-name-without-any-space-123".to_string(),
            _ => format!("Student {number}"),
        };
        let link = board.join(number, &name).await;
        let passed = number * 7 % checks.len();
        for check in &checks[..passed] {
            link.report(check.id, Outcome::Passed);
        }
        link.report(checks[passed].id, Outcome::Failed);
        for check in checks.iter().skip(passed + 1).take(5) {
            link.report(check.id, Outcome::Blocked);
        }
        links.push(link);
    }
    links.remove(12).leave().await;
    open(&browser, &board).await;
    browser.until("document.querySelector('#count').textContent === '29 here, 1 gone'").await;
    let (stalls, reported) = (StallMonitor::start(), Instant::now());
    links[0].report(checks[0].id, Outcome::Passed);
    browser.until("document.querySelector('#greens li')?.innerText.includes('Student 0')").await;
    let (took, machine) = (reported.elapsed(), stalls.worst_since(reported));
    eprintln!("a verdict was drawn after {took:?}; the machine stalled for {machine:?}");
    assert!(took < Duration::from_secs(1) || machine > QUIET, "{took:?}");
    let folder = std::env::var_os("CHECKER_SCREENSHOTS").map(std::path::PathBuf::from);
    for (width, height) in [(360, 780), (1_280, 900), (3_840, 2_160)] {
        browser.page.set_window_size(width, height).await.expect("a size");
        for theme in ["light", "dark"] {
            for large in [false, true] {
                let dress = format!(
                    "document.documentElement.dataset.theme = '{theme}'; \
                     document.documentElement.classList.toggle('large', {large});"
                );
                browser.run(&dress).await;
                let name = format!("board-{width}-{theme}{}", if large { "-large" } else { "" });
                if let Some(folder) = &folder {
                    let picture = browser.page.screenshot().await.expect("a picture");
                    std::fs::write(folder.join(format!("{name}.png")), picture)
                        .expect("it is written");
                }
                assert_eq!(browser.run(OUTSIDE).await, json!([]), "{name}");
            }
        }
    }
    browser.close().await;
}

/// Lists elements that are wider than the page or the section around them.
const OUTSIDE: &str = "
    const found = [];
    const page = document.documentElement;
    if (page.scrollWidth > page.clientWidth)
        found.push(`the page: ${page.scrollWidth} of ${page.clientWidth}`);
    for (const box of document.querySelectorAll('section, header')) {
        const { right } = box.getBoundingClientRect();
        for (const inner of box.querySelectorAll('*')) {
            if (inner.offsetParent && inner.getBoundingClientRect().right > right + 1)
                found.push(`${box.id}: ${inner.outerHTML.slice(0, 80)}`);
        }
    }
    return found;
";
