//! The playground in front of a class: its address, pages that only look, and a reload.

mod browser;
mod common;

use browser::{Browser, Playground};
use common::museum;
use fantoccini::Locator;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const SOLUTION: [&str; 3] = ["broadcast", "--target", "solutions"];

#[tokio::test]
async fn a_class_can_look_and_not_drive() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&[&SOLUTION[..], &["--host", "0.0.0.0"]].concat());
    assert!(!playground.address.contains("0.0.0.0"), "nobody can open {}", playground.address);
    browser.open(&playground, 2).await;
    browser.click("#share").await;
    browser.until("document.querySelector('#view-code').naturalWidth > 0").await;
    let link = browser.page.find(Locator::Css("#view-link")).await.expect("a link");
    let link = link.attr("href").await.expect("it is read").expect("an address");
    browser.click("#viewers button").await;
    browser.say(1, "all can see this").await;

    let window = browser.page.new_window(true).await.expect("a window");
    browser.page.switch_to_window(window.handle).await.expect("it opens");
    browser.page.goto(&link).await.expect("the page is there");
    browser.until("document.querySelector('#lanes').innerText.includes('all can see this')").await;
    for css in ["#add", "#restart", "#poll", "#share"] {
        let hidden = format!("return document.querySelector('{css}').offsetParent === null");
        assert_eq!(browser.run(&hidden).await, true, "{css}");
    }
    browser.run("document.querySelector('#lanes .kind.text').closest('button').click()").await;
    browser.until("document.querySelector('#detail-body td')").await;

    // The page's commands are refused, too, and not only hidden.
    let (address, view_token) = link.split_once("/#").expect("a token");
    let url = format!("{}/control?token={view_token}", address.replace("http", "ws"));
    let mut request = url.into_client_request().expect("a URL");
    request.headers_mut().insert("Origin", address.parse().expect("a header"));
    let (mut control, _) = tokio_tungstenite::connect_async(request).await.expect("it answers");
    control.send(r#"{"do":"restart"}"#.into()).await.expect("it takes a command");
    loop {
        let message = control.next().await.expect("it stays open").expect("a message");
        let message: Value = serde_json::from_slice(&message.into_data()).expect("JSON");
        if message["type"] == "complaint" {
            assert_eq!(message["text"], "this page may only look");
            break;
        }
    }
    browser.close().await;
}

#[tokio::test]
async fn a_page_without_its_token_says_so() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&["echo", "--command", &museum("--right", "raw-echo")]);
    let (address, _) = playground.parts();
    for (wrong, words) in [("", "This address has no token"), ("/#0123", "of an earlier start")] {
        browser.page.goto("about:blank").await.expect("a page");
        browser.page.goto(&format!("{address}{wrong}")).await.expect("the page is there");
        browser
            .until(&format!("document.querySelector('#denied')?.textContent.includes('{words}')"))
            .await;
    }
    browser.close().await;
}

#[tokio::test]
async fn a_reload_keeps_the_numbers_of_the_clients() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&SOLUTION);
    browser.open(&playground, 2).await;
    for _ in 0..3 {
        browser.page.refresh().await.expect("it loads again");
        browser.until("document.querySelectorAll('.log .heard').length >= 2").await;
        let cards = browser
            .run("return [...document.querySelectorAll('.card')].map((card) => card.id)")
            .await;
        assert_eq!(cards, serde_json::json!(["client-1", "client-2"]));
        let open = "document.querySelectorAll('.state[data-kind=open]').length === 2";
        browser.until(open).await;
    }
    browser.close().await;
}

/// A server of another contract: it puts each message into a text of its own.
const FOREIGN: &str = "you said <";

#[tokio::test]
async fn push_counts_the_messages_of_a_foreign_server() {
    let Some(browser) = Browser::start().await else { return };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
                while let Some(Ok(message)) = socket.next().await {
                    if let Ok(text) = message.into_text() {
                        let reply = format!("{FOREIGN}{text}>");
                        let _ = socket.send(reply.into()).await;
                    }
                }
            });
        }
    });
    let playground = Playground::start(&["echo", "--url", &url]);
    browser.page.goto(&playground.address).await.expect("the page is there");
    browser.until("document.querySelector('.state[data-kind=open]')").await;
    browser.run("document.querySelector('#every').value = 300").await;
    browser.click("#poll").await;
    browser.until("document.querySelector('#poll').textContent === 'Stop'").await;
    for text in ["message 1", "message 12"] {
        browser.say(1, text).await;
    }
    let cell = |row: usize, column: usize| {
        format!("document.querySelectorAll('#columns tr')[{row}].children[{column}].textContent")
    };
    browser.until(&format!("{} === '2' && {} === '2'", cell(0, 1), cell(0, 2))).await;
    browser.until(&format!("parseFloat({}) >= 0", cell(3, 1))).await;
    browser.close().await;
}
