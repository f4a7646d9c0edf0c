//! The playground in a browser.

mod browser;
mod common;

use browser::{Browser, Playground};
use common::{checker, museum};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const SOLUTION: [&str; 3] = ["broadcast", "--target", "solutions"];

/// Returns an expression that is true once the page shows that this client received the text.
fn heard(client: usize, text: &str) -> String {
    format!(
        "[...document.querySelectorAll('#client-{client} .heard')]\
         .some((line) => line.textContent.includes({text:?}))"
    )
}

#[tokio::test]
async fn two_clients_exchange_a_broadcast_and_a_payload_stays_text() {
    let Some(browser) = Browser::start().await else { return };
    // The interval is long, since a ping would add arrows to those counted below.
    let playground = Playground::start(&[&SOLUTION[..], &["--interval", "60000"]].concat());
    browser.open(&playground, 2).await;
    browser.say(1, "hello, everybody").await;
    browser.until(&heard(1, "Server received: hello, everybody")).await;
    browser.until(&heard(2, "Server received: hello, everybody")).await;

    let markup = "<script>window.harmed = true</script><img src=x onerror='window.harmed = true'>";
    browser.say(2, markup).await;
    browser.until(&heard(1, markup)).await;
    browser
        .until(
            "[...document.querySelectorAll('#lanes .payload')]\
             .some((payload) => payload.textContent.includes('<script>'))",
        )
        .await;
    browser.until("document.querySelector('#diagram svg')?.textContent.includes('<script>')").await;
    assert_eq!(
        browser
            .run("return document.querySelectorAll('main img, section script, article script').length")
            .await,
        0
    );
    assert_eq!(browser.run("return window.harmed === undefined").await, true);

    // The diagram has three arrows for each of the two messages, and the two welcomes.
    let arrows = |way: &str| {
        format!(
            "document.querySelectorAll('#diagram .arrow[data-way={way}]').length === {}",
            if way == "up" { 2 } else { 6 }
        )
    };
    browser.until(&arrows("up")).await;
    browser.until(&arrows("down")).await;
    browser.close().await;
}

#[tokio::test]
async fn a_cable_pulled_for_two_intervals_drops_the_client() {
    let Some(browser) = Browser::start().await else { return };
    let beat = 1_500;
    let playground =
        Playground::start(&[&SOLUTION[..], &["--interval", &beat.to_string()]].concat());
    browser.open(&playground, 2).await;
    for kind in ["ping", "pong"] {
        browser.until(&format!("document.querySelector('#lanes .{kind}')")).await;
    }
    // The second client's link is cut for a moment after a pong, the first client's for good.
    browser.click("#client-1 .cable").await;
    browser.click("#client-2 .cable").await;
    browser.click("#client-2 .cable").await;
    browser
        .until(
            "document.querySelector('#client-1 .state')\
             .textContent.includes('dropped by the server')",
        )
        .await;
    browser.say(2, "still here").await;
    browser
        .until(
            "[...document.querySelectorAll('#client-2 .heard')]\
             .some((line) => line.textContent.includes('still here'))",
        )
        .await;
    let saved = browser.saved().await;
    let events = saved["events"].as_array().expect("events");
    let at = |found: &dyn Fn(&serde_json::Value) -> bool| {
        events
            .iter()
            .find(|event| event["client"] == 1 && found(event))
            .and_then(|event| event["at"].as_u64())
    };
    let pulled = at(&|event| event["kind"] == "cable").expect("the cable was pulled");
    let dropped =
        at(&|event| event["kind"] == "end" && event["way"] == "down").expect("it was dropped");
    let beats = (dropped - pulled) as f64 / 1000.0 / f64::from(beat);
    assert!(beats < 2.2, "dropped after {beats:.2} beats");
    assert!(
        at(&|event| event["kind"] == "end" && !event["delivered"].is_null()).is_none(),
        "the client was told"
    );
    browser.close().await;
}

#[tokio::test]
async fn a_student_s_panic_is_a_banner() {
    let Some(browser) = Browser::start().await else { return };
    let playground =
        Playground::start(&["echo", "--command", &museum("--process", "panic-on-connect")]);
    browser.page.goto(&playground.address).await.expect("the page is there");
    browser.until("document.querySelector('#panic')?.textContent.includes('panicked at')").await;
    browser.close().await;
}

#[tokio::test]
async fn a_frame_is_shown_with_its_bits_and_a_fragmented_message_goes_through() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&SOLUTION);
    browser.open(&playground, 2).await;
    browser.click("#client-1 .row button[title^='three fragments']").await;
    browser.until("document.querySelectorAll('#lanes .kind.continuation').length >= 2").await;
    browser
        .until(
            "[...document.querySelectorAll('#client-2 .heard')]\
             .some((line) => line.textContent.includes('one message in three fragments'))",
        )
        .await;
    browser
        .run("document.querySelector('#lanes .kind.continuation').closest('button').click()")
        .await;
    browser
        .until("document.querySelector('#detail-body').textContent.includes('the message goes on')")
        .await;
    browser.run("document.querySelector('#lanes .kind.response').closest('button').click()").await;
    browser.until("document.querySelector('#detail-body').textContent.includes('258EAFA5')").await;
    browser
        .until(
            "[...document.querySelectorAll('#detail-body td')]\
             .some((cell) => cell.textContent === 'right')",
        )
        .await;
    browser.close().await;
}

#[tokio::test]
async fn polling_beside_it_counts_both_and_is_slower() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&SOLUTION);
    browser.open(&playground, 2).await;
    browser
        .run(
            "document.querySelector('#every').value = 300; document.querySelector('#poll').click()",
        )
        .await;
    browser.until("document.querySelector('#poll').textContent === 'Stop'").await;
    for n in 0..5 {
        browser.say(1, &format!("number {n}")).await;
    }
    let cell = |row: usize, column: usize| {
        format!("document.querySelectorAll('#columns tr')[{row}].children[{column}].textContent")
    };
    browser.until(&format!("{} === '5' && {} === '5'", cell(0, 1), cell(0, 2))).await;
    browser.until(&format!("parseFloat({}) < parseFloat({})", cell(3, 1), cell(3, 2))).await;
    browser.close().await;
}

#[tokio::test]
async fn a_server_that_is_restarted_finds_its_clients_again() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&SOLUTION);
    browser.open(&playground, 2).await;
    browser.until("document.querySelector('#facts dd + dt + dd')?.textContent > 0").await;
    let pid = browser.run("return document.querySelector('#facts dd + dt + dd').textContent").await;
    browser.click("#restart").await;
    browser.until("document.querySelectorAll('.log .heard').length >= 4").await;
    browser
        .until(&format!("document.querySelector('#facts dd + dt + dd').textContent != {pid}"))
        .await;
    browser.until("document.querySelectorAll('.state[data-kind=open]').length === 2").await;
    browser.close().await;
}

/// Starts a server that never answers and prints its requests.
const BARE: &str = r#"fn main() {
    let listener = std::net::TcpListener::bind(std::env::var("ADDR").unwrap()).unwrap();
    println!("VERSION");
    println!("WebSocket server running on ws://{}", listener.local_addr().unwrap());
    let _held: Vec<_> = listener.incoming().collect();
}
"#;

#[tokio::test]
async fn a_save_builds_and_starts_it_again_and_a_slip_of_the_pen_ends_nothing() {
    let Some(browser) = Browser::start().await else { return };
    let root = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("it is written");
    };
    let source = "day1/echo/src/main.rs";
    write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"day1/echo\"]\n");
    write(
        "day1/echo/Cargo.toml",
        "[package]\nname = \"echo\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    write("checker/tests/day1.rs", "");
    write(source, &BARE.replace("VERSION", "the first one"));
    let environment = [
        ("CARGO_MANIFEST_DIR", root.path().join("checker")),
        ("CARGO_TARGET_DIR", root.path().join("target")),
    ];
    let playground = Playground::start_with(&["echo", "--watch"], &environment);
    browser.page.goto(&playground.address).await.expect("the page is there");
    let printed =
        |text: &str| format!("document.querySelector('#output').textContent.includes('{text}')");
    browser.until(&printed("the first one")).await;
    write(source, &BARE.replace("VERSION", "the second one"));
    browser.until(&printed("the second one")).await;
    write(source, "fn main() { let x: u8 = \"no number\"; }");
    browser
        .until("document.querySelector('#complaint')?.textContent.includes('mismatched types')")
        .await;
    assert_eq!(browser.run(&format!("return {}", printed("the second one"))).await, true);
    write(source, &BARE.replace("VERSION", "the third one"));
    browser.until(&printed("the third one")).await;
    browser.until("!document.querySelector('#complaint')").await;
    browser.close().await;
}

/// Bytes wait while the link is cut. None is lost, and the delay is the configured one.
#[tokio::test]
async fn a_cable_plugged_in_again_delivers_and_a_long_one_takes_its_time() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&[&SOLUTION[..], &["--interval", "60000"]].concat());
    browser.open(&playground, 2).await;
    browser.click("#client-2 .cable").await;
    browser.say(1, "while it was out").await;
    browser.until(&heard(1, "while it was out")).await;
    let held = "[...document.querySelectorAll('#lanes .lane:nth-child(2) .payload')]\
                .some((payload) => payload.textContent.includes('while'))";
    browser.until(held).await;
    assert_eq!(browser.run(&format!("return {}", heard(2, "while it was out"))).await, false);
    browser.click("#client-2 .cable").await;
    browser.until(&heard(2, "while it was out")).await;

    let slide = "const slider = document.querySelector('#client-2 input[type=range]'); \
                 slider.value = 400; slider.dispatchEvent(new Event('input'));";
    browser.run(slide).await;
    browser
        .until(
            "[...document.querySelectorAll('#lanes .cable')]\
             .some((cable) => cable.parentElement.textContent.includes('latency 400 ms'))",
        )
        .await;
    browser.say(1, "a long way").await;
    browser.until(&heard(2, "a long way")).await;
    let saved = browser.saved().await;
    let events = saved["events"].as_array().expect("events").iter();
    let late = events.filter(|event| event["text"] == "Server received: a long way");
    let took = |event: &serde_json::Value| {
        event["delivered"].as_u64().expect("delivered") - event["at"].as_u64().expect("read")
    };
    let took: Vec<_> =
        late.map(|event| (event["client"].as_u64().expect("a client"), took(event))).collect();
    assert_eq!(took.len(), 2, "{took:?}");
    for (client, micros) in took {
        assert_eq!(client == 2, micros >= 400_000, "client {client}: {micros} µs");
    }
    browser.close().await;
}

/// Moves a slider of a client: 0 is the latency, 1 the read rate.
async fn slide(browser: &Browser, client: usize, slider: usize, value: u32) {
    let script = format!(
        "const slider = document.querySelectorAll('#client-{client} input[type=range]')[{slider}];
         slider.value = {value};
         slider.dispatchEvent(new Event('input'));"
    );
    browser.run(&script).await;
}

/// A slow reader's pings wait behind the large messages, so the server drops it. Its FIN waits
/// there, too.
#[tokio::test]
async fn a_slow_client_is_shown_as_dropped_before_it_has_read_the_end() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&[&SOLUTION[..], &["--interval", "1000"]].concat());
    browser.open(&playground, 2).await;
    slide(&browser, 1, 1, 4).await;
    let large = "[...document.querySelectorAll('#client-2 button')]
        .find((button) => button.textContent === 'Large').click()";
    browser.run(large).await;
    browser.run(large).await;
    let state = "document.querySelector('#client-1 .state')";
    browser.until(&format!("{state}.textContent.includes('dropped by the server')")).await;
    let beside = format!("return {state}.nextElementSibling.textContent");
    assert_eq!(browser.run(&beside).await, "connected");
    browser.close().await;
}

#[tokio::test]
async fn an_arrow_that_has_not_arrived_ends_before_the_next_life_line() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&[&SOLUTION[..], &["--interval", "1500"]].concat());
    browser.open(&playground, 2).await;
    browser.click("#client-2 .cable").await;
    browser.say(1, "held back").await;
    let arrow = "#diagram .arrow[data-client='2'][data-way=down][data-state=under-way]";
    browser.until(&format!("document.querySelector(\"{arrow}\")")).await;
    let ends = format!(
        "return document.querySelector(\"{arrow}\").x2.baseVal.value
         < document.querySelectorAll('#diagram line:not(.arrow)')[1].x1.baseVal.value"
    );
    assert_eq!(browser.run(&ends).await, true);
    browser
        .until("document.querySelector('#client-2 .state').textContent.includes('dropped')")
        .await;
    browser.say(2, "too late").await;
    browser.until("document.querySelector('#diagram .arrow[data-way=up][data-state=lost]')").await;
    browser.close().await;
}

#[tokio::test]
async fn heartbeats_fold_into_two_rows_and_the_handshake_stays() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&[&SOLUTION[..], &["--interval", "100"]].concat());
    browser.open(&playground, 2).await;
    let rows = |kind: &str| format!("#lanes .lane:first-child li[data-kind={kind}]");
    browser.until(&format!("document.querySelector('{}')?.dataset.count >= 8", rows("ping"))).await;
    for kind in ["ping", "pong", "request", "response"] {
        let count = format!("return document.querySelectorAll('{}').length", rows(kind));
        assert_eq!(browser.run(&count).await, 1, "{kind}");
    }
    browser.close().await;
}

#[tokio::test]
async fn keys_leave_a_field_without_removing_its_client() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&[&SOLUTION[..], &["--interval", "60000"]].concat());
    browser.open(&playground, 2).await;
    let field = browser.page.find(fantoccini::Locator::Css("#client-1-text")).await.expect("it");
    // Escape and Space.
    field.send_keys("\u{e00c}").await.expect("it takes keys");
    let focus = browser.page.active_element().await.expect("an element");
    focus.send_keys(" ").await.expect("it takes keys");
    assert_eq!(browser.run("return document.querySelectorAll('.card').length").await, 2);
    let stops = "return [...document.querySelectorAll('#lanes button')]
        .every((button) => button.tabIndex === -1)";
    assert_eq!(browser.run(stops).await, true);
    // Arrow keys move from a lane to its rows.
    let lane = browser.page.find(fantoccini::Locator::Css("#lanes .rows")).await.expect("a lane");
    lane.send_keys("\u{e015}").await.expect("it takes keys");
    let focused = browser.run("return document.activeElement.parentElement.dataset.kind").await;
    assert_eq!(focused, "request");
    slide(&browser, 1, 1, 4).await;
    let label = "const slider = document.querySelectorAll('#client-1 input[type=range]')[1];
        return `${slider.ariaLabel}: ${slider.getAttribute('aria-valuetext')}`";
    assert_eq!(browser.run(label).await, "reads of client 1: 100 B/s");
    browser.close().await;
}

/// How many processes have this command line.
#[cfg(target_os = "linux")]
fn running(command: &str) -> usize {
    let command: Vec<u8> =
        command.bytes().map(|byte| if byte == b' ' { 0 } else { byte }).collect();
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| line.strip_suffix(b"\0") == Some(&command)).count()
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_leaves_nothing_behind() {
    let server = museum("--process", "ignore-sigterm");
    let mut playground = Playground::start(&["echo", "--command", &server]);
    assert_eq!(running(&server), 1, "the server runs");
    let interrupt = std::process::Command::new("kill")
        .args(["-INT", &playground.child.id().to_string()])
        .status();
    assert!(interrupt.expect("kill runs").success());
    let status = playground.child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    assert_eq!(running(&server), 0, "the server is still there");
    assert!(
        std::net::TcpStream::connect(playground.parts().0.trim_start_matches("http://")).is_err(),
        "it still listens"
    );
}

/// Returns the control socket's response to a request with this origin, host and token.
fn status(address: &str, origin: Option<&str>, host: &str, token: &str) -> String {
    use std::io::{BufRead, BufReader, Write};
    let address = address.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    write!(
        stream,
        "GET /control?token={token} HTTP/1.1\r\nHost: {host}\r\n{origin}\
         Upgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .expect("it takes a request");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("it answers");
    line.split_whitespace().nth(1).unwrap_or_default().to_string()
}

#[tokio::test]
async fn a_lane_refuses_a_page_of_another_origin() {
    let playground = Playground::start(&["echo", "--command", &museum("--right", "raw-echo")]);
    let (address, token) = playground.parts();
    let mut request = format!("{}/control?token={token}", address.replace("http", "ws"))
        .into_client_request()
        .expect("a URL");
    request.headers_mut().insert("Origin", address.parse().expect("a header"));
    let (mut control, _) = tokio_tungstenite::connect_async(request).await.expect("it answers");
    control.send(r#"{"do":"add"}"#.into()).await.expect("it takes a command");
    let port = loop {
        let message = control.next().await.expect("it stays open").expect("a message");
        let message: Value = serde_json::from_slice(&message.into_data()).expect("JSON");
        if let Some(port) = message["port"].as_u64().filter(|_| message["type"] == "client") {
            break port;
        }
    };
    let lane = format!("http://127.0.0.1:{port}");
    let host = lane.trim_start_matches("http://");
    assert_eq!(status(&lane, Some(address), host, ""), "101");
    assert_eq!(status(&lane, None, host, ""), "101");
    assert_eq!(status(&lane, Some("http://elsewhere.example"), host, ""), "403");
    assert_eq!(status(&lane, Some("http://rebound.example"), "rebound.example", ""), "403");
}

#[cfg(target_os = "linux")]
#[test]
fn the_page_has_the_name_of_the_machine() {
    let playground = Playground::start(&["echo", "--command", &museum("--right", "raw-echo")]);
    let (address, token) = playground.parts();
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    let port = address.rsplit_once(':').expect("a port").1;
    let host = format!("{}:{port}", name.trim());
    assert_eq!(status(address, Some(&format!("http://{host}")), &host, token), "101");
}

#[test]
fn only_its_own_page_drives_it() {
    let playground = Playground::start(&["echo", "--command", &museum("--right", "raw-echo")]);
    let (address, token) = playground.parts();
    let host = address.trim_start_matches("http://");
    assert_eq!(status(address, Some(address), host, token), "101");
    assert_eq!(status(address, Some("http://elsewhere.example"), host, token), "403");
    assert_eq!(status(address, Some("null"), host, token), "403");
    assert_eq!(status(address, None, host, token), "403");
    assert_eq!(status(address, Some(address), host, ""), "403");
    assert_eq!(status(address, Some(address), host, &token.replace(|_| true, "0")), "403");
    // A foreign host name that resolves to this machine, and a page of that origin.
    assert_eq!(status(address, Some("http://rebound.example"), "rebound.example", token), "403");
}

#[test]
fn a_port_in_use_is_one_line_that_names_a_free_one() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let output = checker().args(["play", "--port", &port]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let free = said.trim_end().rsplit_once("--port ").expect("a proposal").1;
    assert!(said.contains(&port) && free != port, "{said}");
    assert!(std::net::TcpListener::bind(format!("127.0.0.1:{free}")).is_ok(), "{free} is not free");
}

/// Nothing overflows the page or its box, in any width and colour scheme. Screenshots go to the
/// folder in `CHECKER_SCREENSHOTS`.
#[tokio::test]
async fn nothing_is_cut_at_any_width() {
    let Some(browser) = Browser::start().await else { return };
    let playground = Playground::start(&[&SOLUTION[..], &["--interval", "1000"]].concat());
    browser.open(&playground, 2).await;
    browser.click("#add").await;
    browser.until("document.querySelectorAll('.card .heard').length >= 3").await;
    browser.run("document.querySelector('#poll').click()").await;
    browser.say(1, "hello, everybody").await;
    browser.say(2, "one-long-word-".repeat(12).as_str()).await;
    browser.until("document.querySelectorAll('#lanes .kind.pong').length >= 3").await;
    browser.click("#client-3 .cable").await;
    browser
        .until("document.querySelector('#client-3 .state').textContent.includes('dropped')")
        .await;
    browser.run("document.querySelector('#lanes .up .kind.text').closest('button').click()").await;
    browser.until("document.querySelector('#detail-body td')").await;
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
                // The diagram is drawn again for its width.
                browser.until("document.querySelector('#diagram svg')").await;
                let outside = browser.run(OUTSIDE).await;
                let name = format!("{width}-{theme}{}", if large { "-large" } else { "" });
                if let Some(folder) = &folder {
                    for part in ["clients", "wire", "sequence", "server", "polling"] {
                        browser
                            .run(&format!("document.querySelector('#{part}').scrollIntoView()"))
                            .await;
                        let picture = browser.page.screenshot().await.expect("a picture");
                        std::fs::write(folder.join(format!("{name}-{part}.png")), picture)
                            .expect("it is written");
                    }
                }
                assert_eq!(outside, serde_json::json!([]), "{name}");
            }
        }
    }
    browser.close().await;
}

/// Lists elements that are wider than the page, the card or the section around them.
const OUTSIDE: &str = "
    const found = [];
    const page = document.documentElement;
    if (page.scrollWidth > page.clientWidth)
        found.push(`the page: ${page.scrollWidth} of ${page.clientWidth}`);
    for (const box of document.querySelectorAll('main section[id], .card, header, .lane')) {
        const { right } = box.getBoundingClientRect();
        const inside = 'button, input, a, label, h2, h3, p, dd, output';
        for (const inner of box.querySelectorAll(inside)) {
            if (inner.closest('.rows, .log, .wide, pre') || !inner.offsetParent) continue;
            if (inner.getBoundingClientRect().right > right + 1)
                found.push(`${box.id || box.className}: ${inner.outerHTML.slice(0, 80)}`);
            if (inner.matches('button') && inner.scrollWidth > inner.clientWidth + 1)
                found.push(`cut: ${inner.textContent}`);
        }
    }
    return found;
";
