//! A valid upgrade request gets `101` with `Upgrade: websocket`, `Connection: Upgrade` and the
//! right `Sec-WebSocket-Accept`, and names no subprotocol or extension that the client did not
//! offer.

use rand::RngExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{Check, MINIMUM, check};
use harness::client::{RESPONSE_TIMEOUT, request, timeout_on_busy_host};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Echo;
use harness::failure::Cause;
use harness::failure::echo::EchoCause;
use harness::verdict::{CheckResult, Failure, ResultExt};
use harness::wire::transcript::Highlight;

pub(super) const CHECK: Check = Check {
    minimum: MinimumEvidence { connections: 13, ..MINIMUM },
    gate: Some(|ctx| Box::pin(plainly(ctx))),
    ..check("echo::handshake", Echo, include_str!("handshake.md"), |ctx| Box::pin(in_all_ways(ctx)))
};

/// Uses the key of the RFC's example (section 1.3).
pub(crate) async fn plainly(ctx: &mut TestContext) -> CheckResult {
    upgrade(ctx, &PLAIN, "dGhlIHNhbXBsZSBub25jZQ==").await
}

pub(crate) async fn in_all_ways(ctx: &mut TestContext) -> CheckResult {
    for way in WAYS {
        let key = random_key(ctx);
        upgrade(ctx, way, &key).await.context(way.when)?;
    }
    Ok(())
}

/// A way in which a valid request may be written and sent (sections 1.3, 4.2.1; RFC 9112, section
/// 5).
struct Way {
    when: &'static str,
    headers: &'static [&'static str],
    rewrite: fn(String) -> String,
    in_two_pieces: bool,
}

const PLAIN: Way =
    Way { when: "", headers: &[], rewrite: std::convert::identity, in_two_pieces: false };

const WAYS: &[Way] = &[
    PLAIN,
    // A server need not speak any of these. It must not name others.
    Way {
        when: "in a request that offers subprotocols and an extension",
        headers: &[
            "Sec-WebSocket-Protocol: workbook.day1, workbook.day2",
            "Sec-WebSocket-Extensions: x-workbook-day1",
        ],
        ..PLAIN
    },
    Way {
        when: "in a request with lower-case header names and no space after the colons",
        rewrite: |request| {
            let lines = request.split("\r\n").map(|line| match line.split_once(": ") {
                Some((name, value)) => format!("{}:{value}", name.to_lowercase()),
                None => line.to_string(),
            });
            lines.collect::<Vec<_>>().join("\r\n")
        },
        ..PLAIN
    },
    Way {
        when: "in a request with `Upgrade: WebSocket` and `Connection: upgrade`",
        rewrite: |request| {
            request
                .replace("Upgrade: websocket", "Upgrade: WebSocket")
                .replace("Connection: Upgrade", "Connection: upgrade")
        },
        ..PLAIN
    },
    // TCP has no messages: one read need not return all of it.
    Way { when: "in a request that comes in two pieces", in_two_pieces: true, ..PLAIN },
    Way {
        when: "in a request with `Connection: keep-alive, Upgrade`, as Firefox has it",
        rewrite: |request| {
            request.replace("Connection: Upgrade", "Connection: keep-alive, Upgrade")
        },
        ..PLAIN
    },
    // No space is needed between these words (RFC 9110, section 5.6.1).
    Way {
        when: "in a request with `Connection: keep-alive,Upgrade`",
        rewrite: |request| request.replace("Connection: Upgrade", "Connection: keep-alive,Upgrade"),
        ..PLAIN
    },
    // A list may come in several lines (RFC 9110, section 5.3). `Upgrade` is in the first:
    // tungstenite reads no other.
    Way {
        when: "in a request with two `Connection` lines",
        headers: &["Connection: keep-alive"],
        ..PLAIN
    },
    Way {
        when: "in a request with an `Origin`, which every browser sends",
        headers: &["Origin: http://localhost"],
        ..PLAIN
    },
    // More than some parsers have room for.
    Way {
        when: "in a request with 18 headers, as a browser's",
        headers: &[
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
        ],
        ..PLAIN
    },
    // A developer's browser sends as many to `localhost`.
    Way {
        when: "in a request with 4 KiB of cookies",
        rewrite: |request| {
            let cookies = "seen=01234567890123456789; ".repeat(150);
            request.replace("\r\n\r\n", &format!("\r\nCookie: {cookies}last=1\r\n\r\n"))
        },
        ..PLAIN
    },
    Way {
        when: "in a request that offers compression, as every browser does",
        headers: &[DEFLATE],
        ..PLAIN
    },
];

/// Browsers offer this extension. A server that does not support it ignores it (RFC 7692, section
/// 7).
pub(super) const DEFLATE: &str =
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";

/// Returns a random key as section 4.1 requires it: 16 bytes in base64.
pub(super) fn random_key(ctx: &mut TestContext) -> String {
    let mut key: String =
        (0..21).map(|_| ctx.rng.sample(rand::distr::Alphanumeric) as char).collect();
    // Only two bits of the last character count. The others are zero.
    key.push(['A', 'Q', 'g', 'w'][ctx.rng.random_range(0..4)]);
    key + "=="
}

async fn upgrade(ctx: &mut TestContext, way: &Way, key: &str) -> CheckResult {
    let mut client = ctx.open().await?;
    let mut request = (way.rewrite)(request(key, way.headers));
    if way.in_two_pieces {
        let rest = request.split_off(request.len() * 2 / 3);
        client.send_bytes(request.into_bytes());
        client.flush().await;
        // A server may give up a request that takes seconds, on a busy machine as on another.
        let _ = timeout(RESPONSE_TIMEOUT / 2, join_three_clients(ctx)).await;
        request = rest;
    }
    client.send_bytes(request.into_bytes());
    let head = client.response().await?;
    if let Err(cause) = judge(&head, key, way.headers) {
        let highlight = Highlight::Response { connection: client.number() };
        return Err(Failure::caused(cause).about([client.number()]).at(highlight).into());
    }
    ctx.leave(client).await;
    Ok(())
}

/// Lets three clients join and leave.
///
/// A server that has let in three later clients has had its turn, so it has read the first piece of
/// the request. A server that handles one connection at a time lets in none of them, and has had
/// the time to read.
async fn join_three_clients(ctx: &mut TestContext) {
    for _ in 0..3 {
        let Ok(mut visitor) = ctx.open().await else { break };
        visitor.send_bytes(request(&random_key(ctx), &[]).into_bytes());
        let response = timeout_on_busy_host(RESPONSE_TIMEOUT / 4, visitor.response()).await;
        if !matches!(response, Some(Ok(_))) {
            visitor.hang_up();
            break;
        }
        ctx.leave(visitor).await;
    }
}

/// Judges the head of the response to a request with this key and these offers.
fn judge(head: &str, key: &str, offers: &[&str]) -> Result<(), Cause> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    if let Err(error) = response.parse(head.as_bytes()) {
        return Err(EchoCause::InvalidResponse { error: error.to_string() }.into());
    }
    if response.code != Some(101) {
        let status_line = head.lines().next().unwrap_or_default().to_string();
        return Err(Cause::UpgradeRefused { status_line });
    }
    has_token(&response, "Upgrade", "websocket")?;
    has_token(&response, "Connection", "Upgrade")?;
    let (name, accept) = ("Sec-WebSocket-Accept", derive_accept_key(key.as_bytes()));
    let got = values(&response, name);
    if got != [accept.as_str()] {
        let expected = format!("{name}: {accept} (for the key {key})");
        return Err(EchoCause::WrongHeader { name, expected, got }.into());
    }
    names_offers_only(&response, "Sec-WebSocket-Protocol", offers)?;
    names_offers_only(&response, "Sec-WebSocket-Extensions", offers)?;
    // A response may name several extensions, but only one subprotocol (section 4.2.2).
    let subprotocols = names(&values(&response, "Sec-WebSocket-Protocol").join(","));
    if subprotocols.len() > 1 {
        return Err(EchoCause::SeveralSubprotocols(subprotocols).into());
    }
    Ok(())
}

/// Returns the values of all headers with this name.
fn values(response: &httparse::Response, name: &str) -> Vec<String> {
    let named = response.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
    named.map(|header| String::from_utf8_lossy(header.value).trim().to_string()).collect()
}

fn has_token(
    response: &httparse::Response,
    name: &'static str,
    token: &str,
) -> Result<(), EchoCause> {
    let got = values(response, name);
    let mut tokens = got.iter().flat_map(|value| value.split(','));
    if tokens.any(|got| got.trim().eq_ignore_ascii_case(token)) {
        return Ok(());
    }
    Err(EchoCause::WrongHeader { name, expected: format!("{name}: {token}"), got })
}

fn names_offers_only(
    response: &httparse::Response,
    name: &'static str,
    offers: &[&str],
) -> Result<(), EchoCause> {
    let offered = offers.iter().find_map(|offer| offer.strip_prefix(name)?.strip_prefix(": "));
    let offered = offered.unwrap_or_default();
    let allowed = names(offered);
    match names(&values(response, name).join(",")).into_iter().find(|got| !allowed.contains(got)) {
        None => Ok(()),
        Some(granted) => Err(EchoCause::NotOffered { name, offered: offered.to_string(), granted }),
    }
}

/// Returns the names in a list of subprotocols or extensions, without parameters.
fn names(list: &str) -> Vec<String> {
    let items = list.split(',').map(|item| item.split(';').next().unwrap_or_default().trim());
    items.filter(|name| !name.is_empty()).map(ToString::to_string).collect()
}
