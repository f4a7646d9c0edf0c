//! The opening handshake.

use rand::RngExt;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use harness::client::{Client, RESPONSE_TIMEOUT, request, timeout_on_busy_host};
use harness::context::TestContext;
use harness::verdict::{CheckError, CheckResult, FailureKind, Fundamental};
use harness::wire::transcript::Highlight;

/// All other checks depend on it.
pub(super) async fn handshake(ctx: &mut TestContext) -> CheckResult {
    plainly(ctx).await.fundamental()?;
    ctx.gate_passed();
    in_all_ways(ctx).await
}

/// Uses the key of the RFC's example (section 1.3).
pub(crate) async fn plainly(ctx: &mut TestContext) -> CheckResult {
    upgrade(ctx, "dGhlIHNhbXBsZSBub25jZQ==", &[], Way::Plain).await
}

pub(crate) async fn in_all_ways(ctx: &mut TestContext) -> CheckResult {
    let key = chance_key(ctx);
    upgrade(ctx, &key, &[], Way::Plain).await?;
    // A server need not speak any of these. It must not name others.
    let offers = [
        "Sec-WebSocket-Protocol: workbook.day1, workbook.day2",
        "Sec-WebSocket-Extensions: x-workbook-day1",
    ];
    let key = chance_key(ctx);
    upgrade(ctx, &key, &offers, Way::Plain).await?;
    for way in [
        Way::LowerCase,
        Way::MixedCase,
        Way::TwoPieces,
        Way::KeptAlive,
        Way::KeptAliveWithoutSpace,
        Way::TwoLines,
        Way::FromAPage,
        Way::ManyHeaders,
        Way::Cookies,
        Way::Compressing,
    ] {
        let offers: &[&str] = if let Way::Compressing = way { &[DEFLATE] } else { &[] };
        let key = chance_key(ctx);
        upgrade(ctx, &key, offers, way).await.map_err(|error| written(error, way))?;
    }
    Ok(())
}

/// Browsers offer this extension. A server that does not support it ignores it (RFC 7692, section
/// 7).
pub(super) const DEFLATE: &str =
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";

/// A way in which a valid request may be written and sent (sections 1.3, 4.2.1; RFC 9112, section
/// 5). From `KeptAlive` on, as browsers and proxies write it.
#[derive(Clone, Copy)]
enum Way {
    Plain,
    /// Header names may have any case, and no space after them.
    LowerCase,
    /// The values of `Upgrade` and `Connection` may have any case.
    MixedCase,
    /// TCP has no messages: one read need not return all of it.
    TwoPieces,
    /// More than one word in `Connection`.
    KeptAlive,
    /// No space is needed between these words (RFC 9110, section 5.6.1).
    KeptAliveWithoutSpace,
    /// A list may come in several lines (RFC 9110, section 5.3). `Upgrade` is in the first:
    /// tungstenite reads no other.
    TwoLines,
    /// With the origin of a page.
    FromAPage,
    /// With more headers than some parsers have room for.
    ManyHeaders,
    /// With as many cookies as a developer's browser sends to `localhost`.
    Cookies,
    /// With an offer to compress.
    Compressing,
}

/// Sends a request in this way.
async fn ask(ctx: &mut TestContext, client: &mut Client, key: &str, offers: &[&str], way: Way) {
    let mut request =
        match way {
            Way::Plain | Way::TwoPieces | Way::Compressing => request(key, offers),
            Way::KeptAlive => request(key, offers)
                .replace("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
            Way::KeptAliveWithoutSpace => request(key, offers)
                .replace("Connection: Upgrade", "Connection: keep-alive,Upgrade"),
            Way::TwoLines => request(key, &["Connection: keep-alive"]),
            Way::FromAPage => request(key, &["Origin: http://localhost"]),
            Way::ManyHeaders => request(key, USUAL_HEADERS),
            Way::Cookies => {
                let cookies = format!("seen={:020}; ", ctx.rng.random::<u64>()).repeat(150);
                request(key, &[&format!("Cookie: {cookies}last=1")])
            }
            Way::LowerCase => format!(
                "GET / HTTP/1.1\r\nhost:localhost\r\nupgrade:websocket\r\nconnection:Upgrade\r\n\
             sec-websocket-key:{key}\r\nsec-websocket-version:13\r\n\r\n"
            ),
            Way::MixedCase => request(key, offers)
                .replace("Upgrade: websocket", "Upgrade: WebSocket")
                .replace("Connection: Upgrade", "Connection: upgrade"),
        };
    if let Way::TwoPieces = way {
        let second = request.split_off(request.len() * 2 / 3);
        client.send_bytes(request.into_bytes());
        let _ = timeout_on_busy_host(RESPONSE_TIMEOUT / 4, client.wait_until_sent(0)).await;
        // A server that has let in three later clients has had its turn, so the first half has been
        // read by now. A server that handles one connection at a time lets in none of them, and has
        // had the time to read.
        for _ in 0..3 {
            let Ok(mut visitor) = ctx.open().await else { break };
            visitor.send_bytes(self::request(key, &[]).into_bytes());
            let answered = timeout_on_busy_host(RESPONSE_TIMEOUT / 4, visitor.response()).await;
            if !matches!(answered, Some(Ok(_))) {
                visitor.hang_up();
                break;
            }
            ctx.leave(visitor).await;
        }
        request = second;
    }
    client.send_bytes(request.into_bytes());
}

/// Adds what was special about the request.
fn written(error: CheckError, way: Way) -> CheckError {
    let what = match way {
        Way::Plain => return error,
        Way::LowerCase => "a request with lower-case header names",
        Way::MixedCase => "a request with `Upgrade: WebSocket` and `Connection: upgrade`",
        Way::TwoPieces => "a request that came in two pieces",
        Way::KeptAlive => "a request with `Connection: keep-alive, Upgrade`, as Firefox has it",
        Way::KeptAliveWithoutSpace => {
            return error
                .headed("The server refused a request with `Connection: keep-alive,Upgrade`.");
        }
        Way::TwoLines => {
            return error.headed("The server refused a request with two `Connection` lines.");
        }
        Way::FromAPage => "a request with an `Origin`, which every browser sends",
        Way::ManyHeaders => "a request with 18 headers, as a browser's",
        Way::Cookies => "a request with 4 KiB of cookies",
        Way::Compressing => "a request that offers to compress, as every browser's does",
    };
    error.context(&format!("{what}: "))
}

/// With the headers of any request, 18.
const USUAL_HEADERS: &[&str] = &[
    "User-Agent: workbook/1.0",
    "Accept: */*",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate",
    "Cookie: seen=1",
    "DNT: 1",
    "Sec-GPC: 1",
    "Sec-Fetch-Dest: empty",
    "Sec-Fetch-Mode: websocket",
    "Sec-Fetch-Site: same-origin",
    "Pragma: no-cache",
    "Cache-Control: no-cache",
    "Priority: u=4",
];

/// Returns a random key as section 4.1 requires it: 16 bytes in base64.
pub(super) fn chance_key(ctx: &mut TestContext) -> String {
    let mut key: String =
        (0..21).map(|_| ctx.rng.sample(rand::distr::Alphanumeric) as char).collect();
    // Only two bits of the last character count. The others are zero.
    key.push(['A', 'Q', 'g', 'w'][ctx.rng.random_range(0..4)]);
    key + "=="
}

async fn upgrade(ctx: &mut TestContext, key: &str, offers: &[&str], way: Way) -> CheckResult {
    let mut client = ctx.open().await?;
    ask(ctx, &mut client, key, offers, way).await;
    let head = client.response().await?;
    let wrong = |what: &str, expected: &str, got: &str| -> CheckError {
        let failure = client
            .failure(FailureKind::Handshake, format!("the handshake's answer is wrong: {what}"));
        failure
            .expected(expected, got)
            .at(Highlight::Response { connection: client.number() })
            .into()
    };
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    if let Err(error) = response.parse(head.as_bytes()) {
        return Err(wrong(
            "it is no HTTP response",
            "HTTP/1.1 101 Switching Protocols",
            &error.to_string(),
        ));
    }
    let status = response.code.unwrap_or_default();
    if status != 101 {
        return Err(wrong("its status is not 101", "101", &status.to_string()));
    }
    let values = |name: &str| -> Vec<String> {
        let named = response.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| String::from_utf8_lossy(header.value).trim().to_string()).collect()
    };
    let has_token = |name: &str, token: &str| {
        values(name)
            .iter()
            .flat_map(|value| value.split(','))
            .any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    for (name, token) in [("Upgrade", "websocket"), ("Connection", "Upgrade")] {
        if !has_token(name, token) {
            return Err(wrong(name, &format!("{name}: {token}"), &shown(name, &values(name))));
        }
    }
    let accept = derive_accept_key(key.as_bytes());
    let name = "Sec-WebSocket-Accept";
    if values(name) != [accept.as_str()] {
        return Err(wrong(
            name,
            &format!("{name}: {accept} (for the key {key})"),
            &shown(name, &values(name)),
        ));
    }
    for name in ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"] {
        let offered = offers.iter().find_map(|offer| offer.strip_prefix(name)?.strip_prefix(": "));
        let granted = values(name);
        let names = |list: &str| -> Vec<String> {
            list.split(',')
                .map(|one| one.split(';').next().unwrap_or_default().trim().to_string())
                .collect()
        };
        let offered_names = offered.map(names).unwrap_or_default();
        let granted_names: Vec<String> = granted.iter().flat_map(|value| names(value)).collect();
        if let Some(invented) =
            granted_names.iter().find(|granted| !offered_names.contains(granted))
        {
            let expected =
                format!("no {name} but what the client offered ({})", offered.unwrap_or("nothing"));
            return Err(wrong(
                "it grants what nobody asked for",
                &expected,
                &format!("{name}: {invented}"),
            ));
        }
        // A response may name several extensions, but only one subprotocol (section 4.2.2).
        if name == "Sec-WebSocket-Protocol" && granted_names.len() > 1 {
            let expected = format!("no {name}, or one of those offered");
            return Err(wrong(
                "it grants more than one subprotocol",
                &expected,
                &shown(name, &granted),
            ));
        }
    }
    ctx.leave(client).await;
    Ok(())
}

fn shown(name: &str, values: &[String]) -> String {
    if values.is_empty() {
        format!("no {name} header")
    } else {
        format!("{name}: {}", values.join(", "))
    }
}
