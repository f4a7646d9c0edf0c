//! What stays in place on the playground's page: columns, details, lanes, and the end of a log.

mod browser;
mod common;

use browser::{Browser, Playground};

const SOLUTION: [&str; 3] = ["broadcast", "--target", "solutions"];

/// Returns an expression that is true once the page shows that this client received the text.
fn heard(client: usize, text: &str) -> String {
    format!(
        "[...document.querySelectorAll('#client-{client} .heard')]\
         .some((line) => line.textContent.includes({text:?}))"
    )
}

/// The details are a dock, lanes are in the order of clients, and clearing moves nothing.
#[tokio::test]
async fn the_page_stays_where_it_is() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&[&SOLUTION[..], &["--interval", "60000"]].concat());
    browser.page.set_window_size(1_280, 900).await.expect("a size");
    browser.open(&playground, 2).await;
    let lanes = "return [...document.querySelectorAll('#lanes h3')].map((h) => h.textContent[7])";
    assert_eq!(browser.run(lanes).await, serde_json::json!(["1", "2"]));
    browser.say(1, "a frame to look at").await;
    browser.until("document.querySelector('#lanes .up .kind.text')").await;
    // A label that is too long loses its prefix, and not its message.
    browser
        .until(
            "[...document.querySelectorAll('#diagram text')]\
             .some((label) => label.textContent.startsWith('text …a frame to look at'))",
        )
        .await;
    browser.run("document.querySelector('#lanes .up .kind.text').closest('button').click()").await;
    browser.until("document.querySelector('#detail-body td')").await;
    let in_view = |css: &str| {
        format!(
            "return (() => {{
                const {{ top, bottom }} = document.querySelector('{css}').getBoundingClientRect();
                return top < innerHeight && bottom > 0 && bottom <= innerHeight + 1;
            }})()"
        )
    };
    assert_eq!(browser.run(&in_view("#detail")).await, true);
    // The sequence is scrolled to in its column, and the clients stay in view.
    browser.run("document.querySelector('#detail-close').click()").await;
    browser.run("document.querySelector('#sequence').scrollIntoView({ block: 'end' })").await;
    for css in ["#diagram", "#client-1"] {
        assert_eq!(browser.run(&in_view(css)).await, true, "{css}");
    }
    let top = "return document.querySelector('#sequence').getBoundingClientRect().top";
    let before = browser.run(top).await;
    browser.run("document.querySelector('#clear').click()").await;
    assert_eq!(browser.run("return document.querySelectorAll('#lanes li').length").await, 0);
    assert_eq!(browser.run(top).await, before, "clearing moved the page");
    browser.close().await;
}

/// The log of a client shows its last message in any type size.
#[tokio::test]
async fn larger_type_does_not_stop_following() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&[&SOLUTION[..], &["--interval", "60000"]].concat());
    browser.open(&playground, 2).await;
    for n in 0..20 {
        browser.say(1, &format!("number {n}")).await;
    }
    browser.until(&heard(2, "number 19")).await;
    browser.click("#large").await;
    browser.say(1, "the last one").await;
    browser.until(&heard(2, "the last one")).await;
    for css in ["#client-2 .log", "#lanes .lane:nth-child(2) .rows", "#diagram"] {
        let at_end = format!(
            "(() => {{
                const box = document.querySelector('{css}');
                return box.scrollTop + box.clientHeight >= box.scrollHeight - 1;
            }})()"
        );
        browser.until(&at_end).await;
    }
    browser.close().await;
}

/// Messages at equal distances would keep their place between two polls.
#[tokio::test]
async fn messages_come_at_random_moments_that_a_seed_repeats() {
    let Some(browser) = Browser::start().await else { return };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let playground = Playground::start(&[&SOLUTION[..], &["--interval", "60000"]].concat());
        browser.open(&playground, 2).await;
        browser.click("#chatter").await;
        browser.until(&heard(1, "message 6")).await;
        let saved = browser.saved().await;
        let events = saved["events"].as_array().expect("events").iter();
        let sent = events.filter(|event| {
            event["way"] == "up" && event["text"].as_str().is_some_and(|text| text.contains("mess"))
        });
        let sent: Vec<i64> = sent.map(|event| event["at"].as_i64().expect("a time")).collect();
        runs.push(sent.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>());
    }
    let (first, second) = (&runs[0], &runs[1]);
    let spread = first.iter().max().expect("gaps") - first.iter().min().expect("gaps");
    assert!(spread > 300_000, "{first:?}");
    // A busy machine is late now and then.
    let alike = first.iter().zip(second).filter(|(one, other)| (*one - *other).abs() < 150_000);
    assert!(alike.count() >= 3, "{first:?} {second:?}");
    browser.close().await;
}

#[tokio::test]
async fn keys_send_fragments_poll_and_close() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&[&SOLUTION[..], &["--interval", "60000"]].concat());
    browser.open(&playground, 2).await;
    let body = browser.page.find(fantoccini::Locator::Css("body")).await.expect("a body");
    body.send_keys("f").await.expect("it takes keys");
    browser.until(&heard(2, "one message in three fragments")).await;
    body.send_keys("o").await.expect("it takes keys");
    browser.until("document.querySelector('#poll').textContent === 'Stop'").await;
    body.send_keys("q").await.expect("it takes keys");
    browser.until("document.querySelector('#client-1').innerText.includes('closed: 1000')").await;
    browser.close().await;
}
