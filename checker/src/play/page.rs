//! Serves the page, its control socket and the file that is saved.
//!
//! Any page that the browser has open can reach this port. So what drives the playground, or tells what went over
//! its wire, takes a token, which is in the page's address only; the socket also looks at `Origin`, and everything
//! at `Host`, so that no name of somebody else's that leads here counts as ours.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::control::talk;
use super::session::Session;

const FILES: &[(&str, &str, &str)] = &[
    ("/", "text/html", include_str!("page/index.html")),
    ("/style.css", "text/css", include_str!("page/style.css")),
    ("/main.js", "text/javascript", include_str!("page/main.js")),
    ("/control.js", "text/javascript", include_str!("page/control.js")),
    ("/clients.js", "text/javascript", include_str!("page/clients.js")),
    ("/wire.js", "text/javascript", include_str!("page/wire.js")),
    ("/dissect.js", "text/javascript", include_str!("page/dissect.js")),
    ("/sequence.js", "text/javascript", include_str!("page/sequence.js")),
    ("/server.js", "text/javascript", include_str!("page/server.js")),
    ("/polling.js", "text/javascript", include_str!("page/polling.js")),
    ("/class.js", "text/javascript", include_str!("page/class.js")),
    ("/dom.js", "text/javascript", include_str!("page/dom.js")),
];

/// Nothing but our own files is loaded, no markup of a payload could run, and nobody frames us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws:; img-src 'self' data:; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Serves on this listener until it is dropped.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(listener: TcpListener, session: Arc<Session>) -> std::io::Result<()> {
    let mut router = Router::new().route("/control", get(control)).route("/wire.json", get(saved));
    for (path, kind, text) in FILES {
        router = router.route(path, get(move |State(session), headers| file(session, headers, kind, text)));
    }
    axum::serve(listener, router.with_state(session)).await
}

async fn file(session: Arc<Session>, headers: HeaderMap, kind: &'static str, text: &'static str) -> Response {
    if !ours(&session, &headers) {
        return refused("this is not the name of this machine");
    }
    let headers = [
        (header::CONTENT_TYPE, format!("{kind}; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_string()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_string()),
        (header::REFERRER_POLICY, "no-referrer".to_string()),
        (header::CACHE_CONTROL, "no-store".to_string()),
    ];
    (headers, text).into_response()
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
}

async fn saved(
    State(session): State<Arc<Session>>,
    headers: HeaderMap,
    Query(Token { token }): Query<Token>,
) -> Response {
    if !ours(&session, &headers) || token != session.token {
        return refused("the token of the page's address is missing or wrong");
    }
    let text = session.journal.saved().to_string();
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"wire.json\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

async fn control(
    State(session): State<Arc<Session>>,
    Query(Token { token }): Query<Token>,
    mut request: Request,
) -> Response {
    let headers = request.headers();
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !ours(&session, headers) || text(header::ORIGIN) != format!("http://{}", text(header::HOST)) {
        return refused("a page of another origin does not drive this one");
    }
    if token != session.token {
        return refused("the token of the page's address is missing or wrong");
    }
    let key = text(header::SEC_WEBSOCKET_KEY).to_string();
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let (Some(upgrade), false) = (upgrade, key.is_empty()) else {
        return (StatusCode::UPGRADE_REQUIRED, "a WebSocket is wanted here\n").into_response();
    };
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            talk(session, WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await).await;
        }
    });
    let accept = derive_accept_key(key.as_bytes());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

fn refused(why: &str) -> Response {
    (StatusCode::FORBIDDEN, format!("{why}\n")).into_response()
}

/// Whether the request was made to this machine by a name that nobody else can give it.
fn ours(session: &Session, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
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
