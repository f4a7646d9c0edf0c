//! HTTP: the page, and the two addresses of WebSockets.
//!
//! A room code is in the address of students. The page needs a key as well, which only the
//! instructor's address has: it shows names.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use futures_util::{SinkExt, StreamExt};
use hyper_tungstenite::{HyperWebsocketStream, is_upgrade_request, upgrade};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{
    CloseFrame, WebSocketConfig, frame::coding::CloseCode,
};

use crate::heartbeat::End;
use crate::room::Room;
use crate::{student, viewer};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

const FILES: [(&str, &str, &str); 4] = [
    ("/board.css", CSS, include_str!("page/board.css")),
    ("/board.js", JAVASCRIPT, include_str!("page/board.js")),
    ("/link.js", JAVASCRIPT, include_str!("page/link.js")),
    ("/draw.js", JAVASCRIPT, include_str!("page/draw.js")),
];

/// Loads no foreign files, runs no markup from a name, and allows no frames around the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self' ws:; img-src data:; frame-ancestors 'none'; \
                      base-uri 'none'; form-action 'none'";

/// The most connections at a time. Each costs a file descriptor and some kilobytes.
const MOST_CONNECTIONS: usize = 1_500;
/// The longest message of a student: a hello with all verdicts has about 4 KB.
const LONGEST_MESSAGE: usize = 64 * 1024;
/// The time limit for the answer to a close frame.
const GOODBYE: Duration = Duration::from_secs(1);

/// A running board.
pub(crate) struct Board {
    /// The code in the address of students.
    pub(crate) code: String,
    /// The secret in the address of the page.
    pub(crate) key: String,
    /// The heartbeat interval.
    pub(crate) period: Duration,
    /// The state.
    pub(crate) room: Room,
    /// Becomes true at the end. Each connection has a receiver until it is closed.
    pub(crate) shutdown: watch::Sender<bool>,
    /// The number of open connections.
    pub(crate) open: AtomicUsize,
}

/// Serves on this listener until the future is dropped.
pub(crate) async fn serve(listener: TcpListener, board: Arc<Board>) -> io::Result<()> {
    let mut router = Router::new()
        .route("/{code}", get(join))
        .route("/{code}/page", get(watch_room))
        .fallback((StatusCode::NOT_FOUND, "there is no such page\n"));
    for (path, content_type, text) in FILES {
        router = router.route(path, get((file_headers(content_type), text)));
    }
    // Nagle's algorithm would delay the second of two small messages.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router.with_state(board)).await
}

fn file_headers(content_type: &'static str) -> [(header::HeaderName, &'static str); 5] {
    [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ]
}

/// The reason why a request is refused.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("there is no such room; compare the code with the board's address")]
    Room,
    #[error("a page of another origin cannot join")]
    Origin,
    #[error("the key of the page's address is missing or wrong")]
    Key,
    #[error("this address accepts WebSockets only")]
    NoUpgrade,
    #[error("the board has {MOST_CONNECTIONS} connections already")]
    Full,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Refusal::Room => StatusCode::NOT_FOUND,
            Refusal::Origin | Refusal::Key => StatusCode::FORBIDDEN,
            Refusal::NoUpgrade => StatusCode::UPGRADE_REQUIRED,
            Refusal::Full => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, format!("{self}\n")).into_response()
    }
}

/// `/CODE`: the page for a browser, and the WebSocket of a student.
async fn join(
    State(board): State<Arc<Board>>,
    Path(code): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    if !code.eq_ignore_ascii_case(&board.code) {
        return Err(Refusal::Room);
    }
    if !is_upgrade_request(&request) {
        return Ok((file_headers(HTML), include_str!("page/index.html")).into_response());
    }
    // A student's program is no page. A browser always sends `Origin` with an upgrade request.
    if request.headers().contains_key(header::ORIGIN) {
        return Err(Refusal::Origin);
    }
    accept(board, request, student::serve)
}

#[derive(Deserialize)]
struct Access {
    #[serde(default)]
    key: String,
}

/// `/CODE/page`: the WebSocket of the page.
async fn watch_room(
    State(board): State<Arc<Board>>,
    Path(code): Path<String>,
    Query(access): Query<Access>,
    request: Request,
) -> Result<Response, Refusal> {
    if !code.eq_ignore_ascii_case(&board.code) {
        return Err(Refusal::Room);
    }
    if access.key != board.key {
        return Err(Refusal::Key);
    }
    accept(board, request, viewer::serve)
}

/// Counts an open connection until it is dropped.
struct Connection(Arc<Board>);

impl Connection {
    fn count(board: Arc<Board>) -> Result<Self, Refusal> {
        let before = board.open.fetch_add(1, Ordering::Relaxed);
        let connection = Connection(board);
        if before < MOST_CONNECTIONS { Ok(connection) } else { Err(Refusal::Full) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Accepts a WebSocket, and serves it in a task of its own.
fn accept<Serving: Future<Output = ()> + Send>(
    board: Arc<Board>,
    mut request: Request,
    serve: impl FnOnce(Arc<Board>, HyperWebsocketStream, watch::Receiver<bool>) -> Serving
    + Send
    + 'static,
) -> Result<Response, Refusal> {
    let connection = Connection::count(board.clone())?;
    let config = WebSocketConfig::default()
        // The library's default is 128 KiB for each connection.
        .read_buffer_size(4 * 1024)
        .max_message_size(Some(LONGEST_MESSAGE))
        .max_frame_size(Some(LONGEST_MESSAGE));
    let (response, socket) = upgrade(&mut request, Some(config)).map_err(|_| Refusal::NoUpgrade)?;
    let shutdown = board.shutdown.subscribe();
    tokio::spawn(async move {
        let _connection = connection;
        if let Ok(socket) = socket.await {
            serve(board, socket, shutdown).await;
        }
    });
    Ok(response.map(Body::new))
}

/// Ends a connection: says why in a close frame, if the peer may still read one.
pub(crate) async fn close(board: &Board, mut socket: HyperWebsocketStream, end: End) {
    let (code, reason) = match end {
        // The library has queued the answer, which leaves when the socket is read to its end.
        End::Closed { .. } => (None, String::new()),
        End::Refused(reason) => (Some(CloseCode::Policy), reason),
        End::Shutdown => (Some(CloseCode::Away), String::new()),
        End::NoPong | End::Stalled | End::Failed(_) => return,
    };
    let goodbye = async {
        if let Some(code) = code {
            // A close frame has room for 123 bytes.
            let mut cut = reason.len().min(120);
            while !reason.is_char_boundary(cut) {
                cut -= 1;
            }
            let frame = CloseFrame { code, reason: reason[..cut].into() };
            if socket.send(Message::Close(Some(frame))).await.is_err() {
                return;
            }
        }
        while let Some(Ok(_)) = socket.next().await {}
    };
    let _ = timeout(GOODBYE.min(board.period), goodbye).await;
}
