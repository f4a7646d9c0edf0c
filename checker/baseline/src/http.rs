//! An HTTP/1.1 server on a listener, for the baseline and for the playground.

use std::convert::Infallible;
use std::io;

use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A request with an unread body.
pub type Request = hyper::Request<Incoming>;
/// The body of a response, as one type for all kinds of bodies.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;
/// A response.
pub type Response = hyper::Response<Body>;

/// Serves all connections of this listener until the future is dropped. A connection may be
/// upgraded. Fails if `accept` fails while no connection is open.
pub async fn serve<F: Future<Output = Response> + Send + 'static>(
    listener: TcpListener,
    answer: impl Fn(Request) -> F + Clone + Send + 'static,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection(stream, answer.clone()))),
                Err(error) if client_failed(&error) => {}
                // Most likely out of file descriptors. A connection that ends frees one.
                Err(error) => connections.join_next().await.map(drop).ok_or(error)?,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Returns whether only the client that was being accepted failed, and not the listener.
fn client_failed(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection<F: Future<Output = Response> + Send + 'static>(
    stream: TcpStream,
    answer: impl Fn(Request) -> F + Send,
) {
    // Nagle's algorithm would delay small responses. Push disables it, too.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    // A broken connection must not end the server.
    let _ =
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

/// Makes a response with this status, these headers and this body.
pub fn response<const N: usize>(
    status: StatusCode,
    headers: [(HeaderName, &'static str); N],
    body: impl Into<Bytes>,
) -> Response {
    let mut response = hyper::Response::new(Full::new(body.into()).boxed_unsync());
    *response.status_mut() = status;
    response
        .headers_mut()
        .extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

/// Makes a response with one line of text as its body.
pub fn text_response(status: StatusCode, words: &str) -> Response {
    response(status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{words}\n"))
}

/// Returns the value of a query parameter (WHATWG URL standard, section 5.1).
pub fn parameter(request: &Request, name: &str) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// Returns the value of a header, or an empty string if it is missing or not text.
pub fn header(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
