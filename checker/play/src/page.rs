//! Serves the page, its control socket and the file that is saved.
//!
//! Any page that the browser has open can reach this port. So what drives the playground, or tells what went over
//! its wire, takes a token, which is in the page's address only; the socket also looks at `Origin`, and everything
//! at `Host`, so that no name of somebody else's that leads here counts as ours.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::control::talk;
use crate::session::Session;
use baseline::http::{self, Request, Response, header as text, parameter, response, text_response};

const FILES: &[(&str, &str, &str)] = &[
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("/main.js", "text/javascript; charset=utf-8", include_str!("page/main.js")),
    ("/control.js", "text/javascript; charset=utf-8", include_str!("page/control.js")),
    ("/clients.js", "text/javascript; charset=utf-8", include_str!("page/clients.js")),
    ("/wire.js", "text/javascript; charset=utf-8", include_str!("page/wire.js")),
    ("/dissect.js", "text/javascript; charset=utf-8", include_str!("page/dissect.js")),
    ("/sequence.js", "text/javascript; charset=utf-8", include_str!("page/sequence.js")),
    ("/server.js", "text/javascript; charset=utf-8", include_str!("page/server.js")),
    ("/polling.js", "text/javascript; charset=utf-8", include_str!("page/polling.js")),
    ("/class.js", "text/javascript; charset=utf-8", include_str!("page/class.js")),
    ("/dom.js", "text/javascript; charset=utf-8", include_str!("page/dom.js")),
];

/// Nothing but our own files is loaded, no markup of a payload could run, and nobody frames us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws:; img-src 'self' data:; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Serves on this listener until it is dropped.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(listener: TcpListener, session: Arc<Session>) -> std::io::Result<()> {
    http::serve(listener, move |request| std::future::ready(answer(&session, request))).await
}

fn answer(session: &Arc<Session>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return response(StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")], "");
    }
    match request.uri().path() {
        "/control" => control(session, request),
        "/wire.json" => saved(session, &request),
        path => match FILES.iter().find(|(name, ..)| *name == path) {
            Some((_, kind, text)) => file(session, request.headers(), kind, text),
            None => text_response(StatusCode::NOT_FOUND, "there is no such page here"),
        },
    }
}

fn file(
    session: &Session,
    headers: &HeaderMap,
    kind: &'static str,
    text: &'static str,
) -> Response {
    if !ours(session, headers) {
        return refused("this is not the name of this machine");
    }
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    response(StatusCode::OK, headers, text)
}

/// Whether the request has the token of the page's address.
fn meant_for(session: &Session, request: &Request) -> bool {
    parameter(request, "token").is_some_and(|token| token == session.token)
}

fn saved(session: &Session, request: &Request) -> Response {
    if !ours(session, request.headers()) || !meant_for(session, request) {
        return refused("the token of the page's address is missing or wrong");
    }
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"wire.json\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    response(StatusCode::OK, headers, session.journal.saved().to_string())
}

fn control(session: &Arc<Session>, request: Request) -> Response {
    let headers = request.headers();
    let origin = text(headers, header::ORIGIN);
    if !ours(session, headers) || origin != format!("http://{}", text(headers, header::HOST)) {
        return refused("a page of another origin does not drive this one");
    }
    if !meant_for(session, &request) {
        return refused("the token of the page's address is missing or wrong");
    }
    let key = text(headers, header::SEC_WEBSOCKET_KEY);
    let upgrades = text(headers, header::UPGRADE).eq_ignore_ascii_case("websocket");
    if key.is_empty() || !upgrades {
        return text_response(StatusCode::UPGRADE_REQUIRED, "a WebSocket is wanted here");
    }
    let mut response = response(
        StatusCode::SWITCHING_PROTOCOLS,
        [(header::CONNECTION, "upgrade"), (header::UPGRADE, "websocket")],
        "",
    );
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        response.headers_mut().insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    let session = session.clone();
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            talk(
                session,
                WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await,
            )
            .await;
        }
    });
    response
}

fn refused(why: &str) -> Response {
    text_response(StatusCode::FORBIDDEN, why)
}

/// Whether the request was made to this machine by a name that nobody else can give it.
fn ours(session: &Session, headers: &HeaderMap) -> bool {
    let host = text(headers, header::HOST);
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    if name == "localhost" {
        return true;
    }
    // An address can't be made to lead elsewhere, as a name can.
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.is_ok_and(|address| address.is_loopback() || !session.host.is_loopback())
}
