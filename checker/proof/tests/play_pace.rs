//! The playground under load, in a file of its own so that no other test runs beside it.

mod browser;
mod common;

use std::time::{Duration, Instant};

use browser::{Browser, Playground};
use harness::stall_monitor::StallMonitor;

/// The longest run-queue delay of a machine that is quiet enough to judge pauses.
const QUIET: Duration = Duration::from_millis(40);

/// Frames of a message from client 1 to clients 1 and 2: one in and two out.
const BURST: &str = "return (async () => {
    const socket = await new Promise((found) => {
        const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (data) {
            if (!this.url.includes('/control')) found(this);
            send.call(this, data);
        };
        document.querySelector('#client-1 form').requestSubmit();
        WebSocket.prototype.send = send;
    });
    let [longest, before, sent, over] = [0, performance.now(), 0, false];
    const began = before;
    const look = () => {
        const now = performance.now();
        longest = Math.max(longest, now - before);
        before = now;
        if (!over) setTimeout(look, 0);
    };
    look();
    while (sent < MESSAGES) {
        const due = Math.min(MESSAGES, Math.floor((performance.now() - began) / 1000 * RATE));
        while (sent < due) socket.send(`burst ${sent++}`);
        await new Promise((later) => setTimeout(later, 5));
    }
    const seconds = (performance.now() - began) / 1000;
    await new Promise((later) => setTimeout(later, 200));
    over = true;
    const lists = [...document.querySelectorAll('.rows')];
    const rows = Math.max(...lists.map((list) => list.childElementCount));
    return { seconds, longest, rows, heap: performance.memory.usedJSHeapSize };
})()";

/// At 1,000 frames a second for ten seconds, the file has every frame and the page never freezes.
#[tokio::test]
async fn a_thousand_frames_a_second_are_all_saved_and_the_page_stays_smooth() {
    let Some(browser) = Browser::start().await else { return };
    let playground =
        Playground::start(&["broadcast", "--target", "solutions", "--interval", "60000"]);
    browser.open(&playground, 2).await;
    let messages = 3_340;
    let script = BURST.replace("MESSAGES", &messages.to_string()).replace("RATE", "334");
    let (stalls, began) = (StallMonitor::start(), Instant::now());
    let measured = browser.run(&script).await;
    let machine = stalls.worst_since(began);
    browser
        .until(&format!(
            "document.querySelector('#client-2 .log').textContent.includes('burst {}')",
            messages - 1
        ))
        .await;
    let saved = browser.saved().await;
    assert_eq!(saved["forgotten"], 0);
    let events = saved["events"].as_array().expect("events");
    for (client, way) in [(1, "up"), (1, "down"), (2, "down")] {
        let of = |event: &&serde_json::Value| event["client"] == client && event["way"] == way;
        let texts = events
            .iter()
            .filter(of)
            .filter_map(|event| event["text"].as_str()?.split_once("burst "));
        let numbers: Vec<u32> =
            texts.map(|(_, number)| number.parse().expect("a number")).collect();
        assert!(
            numbers.iter().copied().eq(0..messages),
            "client {client}, {way}: {} frames",
            numbers.len()
        );
    }
    eprintln!("the page: {measured}; the machine kept others waiting for {machine:?}");
    if machine < QUIET {
        assert!(measured["seconds"].as_f64().is_some_and(|seconds| seconds < 11.0), "{measured}");
        assert!(measured["longest"].as_f64().is_some_and(|longest| longest < 200.0), "{measured}");
    } else {
        eprintln!("\nNOT JUDGED: this machine is too busy to judge pauses on\n");
    }
    assert!(measured["rows"].as_u64().is_some_and(|rows| rows <= 100), "{measured}");
    assert!(measured["heap"].as_u64().is_some_and(|heap| heap < 64 << 20), "{measured}");
    browser.close().await;
}
