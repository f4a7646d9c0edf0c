//! The hour of `solutions/README.md`, played on the page by its keys.

mod browser;
mod common;

use browser::{Browser, Playground};
use serde_json::Value;

/// What the page shows once a step has done what it says, by the step's minute.
const SHOWN: [(u64, &str); 14] = [
    (0, "document.querySelectorAll('.card .heard').length >= 2"),
    (5, "+document.querySelector('#columns td + td')?.textContent >= 1"),
    (12, "document.querySelector('#detail-title').textContent === 'Client 3: request'"),
    (
        18,
        "[...document.querySelectorAll('.log .heard')].filter((l) => /: Hi$/.test(l.textContent)).length >= 2",
    ),
    (
        24,
        "document.querySelector('#lanes .kind.continuation') && document.querySelector('#detail-body td')",
    ),
    (30, "document.querySelectorAll('#diagram .arrow[data-way=down]').length === 3"),
    (34, "document.querySelectorAll('#diagram .arrow').length >= 6"),
    (
        38,
        "document.querySelector('#client-3 .state').textContent.includes('dropped by the server')",
    ),
    (
        44,
        "[...document.querySelectorAll('#client-3 .state')].some((s) => s.textContent.startsWith('closed:'))",
    ),
    (47, "document.querySelector('#client-2 .log').textContent.includes('cable plugged in again')"),
    (
        50,
        "document.querySelector('#client-1 .state').textContent.includes('dropped by the server')",
    ),
    (
        54,
        "document.querySelector('#client-2 .log .heard:last-child')?.textContent.includes('How long')",
    ),
    (
        57,
        "['closed: 1000', 'closed: 3001'].every((words) => document.querySelector('#cards').innerText.includes(words))",
    ),
    (59, "document.querySelector('#step-next').disabled"),
];

/// Screenshots of each step go to the folder in `CHECKER_SCREENSHOTS`.
#[tokio::test]
async fn the_whole_hour_can_be_played_by_keys() {
    let Some(browser) = Browser::start().await else { return };
    let arguments = ["broadcast", "--target", "solutions", "--interval", "2000", "--script"];
    let playground = Playground::start(&arguments);
    assert!(playground.address.contains("/?script#"), "{}", playground.address);
    browser.page.set_window_size(1_280, 900).await.expect("a size");
    browser.open(&playground, 2).await;
    let folder = std::env::var_os("CHECKER_SCREENSHOTS").map(std::path::PathBuf::from);
    let body = browser.page.find(fantoccini::Locator::Css("body")).await.expect("a body");
    let script = include_str!("../../play/src/page/script.json");
    let steps: Vec<Value> = serde_json::from_str(script).expect("JSON");
    assert_eq!(steps.len(), SHOWN.len());
    for (number, (step, (minute, shown))) in steps.iter().zip(SHOWN).enumerate() {
        assert_eq!(step["minute"], minute);
        let title = format!("Step {} of {}, minute {minute}", number + 1, steps.len());
        browser
            .until(&format!("document.querySelector('#step-title').textContent === '{title}'"))
            .await;
        let asks = "return document.querySelector('#step-ask').textContent.length > 10";
        assert!(browser.run(asks).await == true || minute == 59, "{title} asks nothing");
        body.send_keys("g").await.expect("it takes keys");
        browser.until(shown).await;
        if let Some(folder) = &folder {
            let picture = browser.page.screenshot().await.expect("a picture");
            std::fs::write(folder.join(format!("script-{minute:02}.png")), picture)
                .expect("it is written");
        }
        // The arrow key to the right.
        body.send_keys("\u{e014}").await.expect("it takes keys");
    }
    // And back.
    body.send_keys("\u{e012}").await.expect("it takes keys");
    browser.until("document.querySelector('#step-title').textContent.includes('minute 57')").await;
    for (width, height) in [(360, 780), (1_280, 900)] {
        browser.page.set_window_size(width, height).await.expect("a size");
        for (theme, large) in [("light", false), ("dark", true)] {
            let dress = format!(
                "document.documentElement.dataset.theme = '{theme}'; \
                 document.documentElement.classList.toggle('large', {large}); scrollTo(0, 0);"
            );
            browser.run(&dress).await;
            let name = format!("script-{width}-{theme}{}", if large { "-large" } else { "" });
            if let Some(folder) = &folder {
                let picture = browser.page.screenshot().await.expect("a picture");
                std::fs::write(folder.join(format!("{name}.png")), picture).expect("it is written");
            }
            assert_eq!(browser.run(OUTSIDE).await, serde_json::json!([]), "{name}");
        }
    }
    browser.close().await;
}

/// Lists what is wider than the page, or than the panel of the script.
const OUTSIDE: &str = "
    const found = [];
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) found.push(`the page: ${scrollWidth} of ${clientWidth}`);
    const { right } = document.querySelector('#script').getBoundingClientRect();
    for (const inner of document.querySelectorAll('#script *')) {
        if (inner.offsetParent && inner.getBoundingClientRect().right > right + 1)
            found.push(inner.outerHTML.slice(0, 80));
    }
    return found;
";
