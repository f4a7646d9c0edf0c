//! Serves the page, its control socket and the saved file.
//!
//! Any other page in the browser can reach this port. So the control socket and the saved file need
//! the token from the page's address. The control socket also checks `Origin`. All requests check
//! `Host`, against DNS rebinding: a foreign name may resolve to this machine.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use hyper_tungstenite::upgrade;
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::control::run_control;
use crate::recording::Recording;
use crate::session::Session;
use baseline::origin;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

const JSON: &str = "application/json";

const FILES: [(&str, &str, &str); 15] = [
    ("/", HTML, include_str!("page/index.html")),
    ("/style.css", CSS, include_str!("page/style.css")),
    ("/main.js", JAVASCRIPT, include_str!("page/main.js")),
    ("/control.js", JAVASCRIPT, include_str!("page/control.js")),
    ("/clients.js", JAVASCRIPT, include_str!("page/clients.js")),
    ("/wire.js", JAVASCRIPT, include_str!("page/wire.js")),
    ("/dissect.js", JAVASCRIPT, include_str!("page/dissect.js")),
    ("/sequence.js", JAVASCRIPT, include_str!("page/sequence.js")),
    ("/server.js", JAVASCRIPT, include_str!("page/server.js")),
    ("/polling.js", JAVASCRIPT, include_str!("page/polling.js")),
    ("/class.js", JAVASCRIPT, include_str!("page/class.js")),
    ("/script.js", JAVASCRIPT, include_str!("page/script.js")),
    ("/script.json", JSON, include_str!("page/script.json")),
    ("/recording.js", JAVASCRIPT, include_str!("page/recording.js")),
    ("/dom.js", JAVASCRIPT, include_str!("page/dom.js")),
];

/// Loads no foreign files, runs no markup from a payload, and allows no frames around the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self' ws:; img-src 'self' data:; frame-ancestors 'none'; \
                      base-uri 'none'; form-action 'none'";

/// Serves on this listener until the future is dropped.
pub async fn serve(listener: TcpListener, session: Arc<Session>) -> io::Result<()> {
    let router = files()
        .route("/control", get(control))
        .route("/wire.json", get(download))
        .route("/view.svg", get(view_code))
        .layer(middleware::from_fn_with_state(session.host, check_host))
        .with_state(session);
    serve_router(listener, router).await
}

/// Serves a saved file on this listener of `host` until the future is dropped.
pub async fn serve_recording(
    listener: TcpListener,
    host: IpAddr,
    recording: Arc<Recording>,
) -> io::Result<()> {
    let router = files()
        .route("/control", get(control_recording))
        .route("/wire.json", get(download_recording))
        .layer(middleware::from_fn_with_state(host, check_host))
        .with_state(recording);
    serve_router(listener, router).await
}

async fn serve_router(listener: TcpListener, router: Router) -> io::Result<()> {
    // Nagle's algorithm would delay the second of two small messages.
    axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), router).await
}

/// Routes to the page's files.
fn files<State: Clone + Send + Sync + 'static>() -> Router<State> {
    let mut router = Router::new().fallback((StatusCode::NOT_FOUND, "there is no such page\n"));
    for (path, content_type, text) in FILES {
        let headers = [
            (header::CONTENT_TYPE, content_type),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        router = router.route(path, get((headers, text)));
    }
    router
}

/// The reason why a request is refused.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("this is not the name of this machine")]
    Host,
    #[error("a page of another origin cannot drive this one")]
    Origin,
    #[error("the token of the page's address is missing or wrong")]
    Token,
    #[error("this address accepts WebSockets only")]
    NoUpgrade,
    #[error("no other machine reaches this page: start it with --host")]
    NoViewers,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Refusal::Host | Refusal::Origin | Refusal::Token => StatusCode::FORBIDDEN,
            Refusal::NoUpgrade => StatusCode::UPGRADE_REQUIRED,
            Refusal::NoViewers => StatusCode::NOT_FOUND,
        };
        (status, format!("{self}\n")).into_response()
    }
}

#[derive(Deserialize)]
struct Access {
    #[serde(default)]
    token: String,
}

impl Access {
    /// Returns whether the page may drive, or only look.
    fn may_drive(&self, session: &Session) -> Result<bool, Refusal> {
        match &self.token {
            token if *token == session.token => Ok(true),
            token if *token == session.view_token => Ok(false),
            _ => Err(Refusal::Token),
        }
    }
}

/// A QR code of the address for pages that only look.
async fn view_code(
    State(session): State<Arc<Session>>,
    Query(access): Query<Access>,
) -> Result<impl IntoResponse, Refusal> {
    access.may_drive(&session)?;
    let url = session.view_url.as_deref().ok_or(Refusal::NoViewers)?;
    let code = QrCode::new(url).map_err(|_| Refusal::NoViewers)?;
    let picture = code.render::<svg::Color<'_>>().min_dimensions(300, 300).build();
    Ok(([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "no-store")], picture))
}

async fn download(
    State(session): State<Arc<Session>>,
    Query(access): Query<Access>,
) -> Result<impl IntoResponse, Refusal> {
    access.may_drive(&session)?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"wire.json\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, session.log.to_json().to_string()))
}

async fn control(
    State(session): State<Arc<Session>>,
    Query(access): Query<Access>,
    mut request: Request,
) -> Result<Response, Refusal> {
    check_origin(request.headers())?;
    let may_drive = access.may_drive(&session)?;
    let (response, socket) = upgrade(&mut request, None).map_err(|_| Refusal::NoUpgrade)?;
    tokio::spawn(async move {
        if let Ok(socket) = socket.await {
            run_control(session, may_drive, socket).await;
        }
    });
    Ok(response.map(axum::body::Body::new))
}

async fn download_recording(
    State(recording): State<Arc<Recording>>,
    Query(access): Query<Access>,
) -> Result<impl IntoResponse, Refusal> {
    if access.token != recording.token {
        return Err(Refusal::Token);
    }
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, recording.to_json().to_string()))
}

async fn control_recording(
    State(recording): State<Arc<Recording>>,
    Query(access): Query<Access>,
    mut request: Request,
) -> Result<Response, Refusal> {
    check_origin(request.headers())?;
    if access.token != recording.token {
        return Err(Refusal::Token);
    }
    let (response, socket) = upgrade(&mut request, None).map_err(|_| Refusal::NoUpgrade)?;
    tokio::spawn(async move {
        if let Ok(socket) = socket.await {
            recording.run_control(socket).await;
        }
    });
    Ok(response.map(axum::body::Body::new))
}

/// Refuses a request of another page.
fn check_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let own = format!("http://{}", header_text(headers, header::HOST));
    if header_text(headers, header::ORIGIN) == own { Ok(()) } else { Err(Refusal::Origin) }
}

/// Refuses a request unless its `Host` names this machine.
async fn check_host(
    State(host): State<IpAddr>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let name = origin::host_name(header_text(request.headers(), header::HOST));
    let is_ours = match origin::address(name) {
        Some(address) => address.is_loopback() || !host.is_loopback(),
        None => origin::is_own_name(name),
    };
    if is_ours { Ok(next.run(request).await) } else { Err(Refusal::Host) }
}

/// Returns a header's value, or an empty string if it is missing or not text.
fn header_text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
