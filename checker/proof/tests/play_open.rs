//! `cargo checker play --open FILE`: a saved wire is shown again.

mod browser;
mod common;

use browser::{Browser, Playground};
use common::checker;
use serde_json::json;

#[tokio::test]
async fn a_saved_wire_is_shown_again_event_by_event() {
    let Some(browser) = Browser::start().await else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wire.json");
    {
        let arguments = ["broadcast", "--target", "solutions", "--interval", "60000"];
        let playground = Playground::start(&arguments);
        browser.open(&playground, 2).await;
        browser.say(1, "said in the lesson").await;
        browser
            .until("document.querySelector('#client-2 .log').innerText.includes('in the lesson')")
            .await;
        let saved = browser.saved().await;
        std::fs::write(&file, saved.to_string()).expect("it is written");
    }
    let playground = Playground::start(&["--open", file.to_str().expect("text")]);
    browser.page.goto(&playground.address).await.expect("the page is there");
    browser.until("document.querySelector('#recording-at').textContent.startsWith('1 of ')").await;
    let rows = "return document.querySelectorAll('#lanes li').length";
    browser.until("document.querySelectorAll('#lanes li').length === 1").await;
    let body = browser.page.find(fantoccini::Locator::Css("body")).await.expect("a body");
    body.send_keys("\u{e014}").await.expect("it takes keys");
    browser.until("document.querySelectorAll('#lanes li').length === 2").await;
    body.send_keys("\u{e012}").await.expect("it takes keys");
    browser.until("document.querySelectorAll('#lanes li').length === 1").await;
    body.send_keys("e").await.expect("it takes keys");
    browser
        .until("document.querySelector('#lanes').innerText.includes('said in the lesson')")
        .await;
    assert!(browser.run(rows).await.as_u64().is_some_and(|rows| rows >= 9));
    browser.until("document.querySelectorAll('#diagram .arrow').length >= 5").await;
    body.send_keys("\u{e007}").await.expect("it takes keys");
    browser.until("document.querySelector('#detail-body td')").await;
    assert_eq!(
        browser.run("return document.querySelector('#server').offsetParent").await,
        json!(null)
    );
    browser.close().await;
}

#[test]
fn a_file_that_is_no_saved_wire_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("it is written");
        path
    };
    let event = r#"{"id":0,"at":1,"client":1,"connection":1,"way":"sideways","kind":"text"}"#;
    for (path, words) in [
        (folder.path().join("gone.json"), "cannot read"),
        (write("empty.json", ""), "is no saved wire: EOF"),
        (write("other.json", "{}"), "is no saved wire: missing field `events`"),
        (
            write("way.json", &format!(r#"{{"events":[{event}]}}"#)),
            "is no saved wire: unknown variant `sideways`, expected `up` or `down`",
        ),
    ] {
        let path = path.to_str().expect("text");
        let output =
            checker().args(["play", "--port", "0", "--open", path]).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words) && said.contains(path), "{said}");
    }
}
