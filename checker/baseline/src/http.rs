//! Answers HTTP/1.1 on a listener, and what both who do that share: the baseline of the race and the playground.

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

/// A request whose body is yet to come.
pub type Request = hyper::Request<Incoming>;
/// What a body is made of when all answers are to be of one type.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;
/// An answer to a request.
pub type Response = hyper::Response<Body>;

/// Answers on all connections of this listener until it is dropped. A connection may be upgraded.
///
/// # Errors
/// When the listener fails and there is no connection whose end could mend it.
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
                // Out of descriptors, most likely: a connection that ends gives one back.
                Err(error) => connections.join_next().await.map(drop).ok_or(error)?,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Whether only the client that was to be accepted failed.
fn client_failed(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection<F: Future<Output = Response> + Send + 'static>(
    stream: TcpStream,
    answer: impl Fn(Request) -> F + Send,
) {
    // Without it the system may hold a small answer back; push is given the same.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    // What a client breaks off concerns nobody else.
    let _ =
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

/// An answer of this status, with these headers and this body.
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

/// An answer that explains itself in a line.
pub fn text_response(status: StatusCode, words: &str) -> Response {
    response(status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{words}\n"))
}

/// The value of a parameter in the query of a request's address (the WHATWG's URL standard, section 5.1).
pub fn parameter(request: &Request, name: &str) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// The value of a header that is there and is text; empty otherwise.
pub fn header(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
