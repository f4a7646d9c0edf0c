//! The hooks of the server. Each default method is the right server; a fault overrides a few.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Interval;
use tokio_tungstenite::tungstenite::Bytes;

use super::answer::{self, Control, Decoded, Event, Reply};
use super::beat::Tick;
use super::conn::Conn;
use super::handshake::{self, HandshakeFailure, Request};
use super::hub::{self, Clients};
use super::outbox::Pace;
use super::reader::{Assembled, End, Fragments, Frame, MESSAGE_LIMIT, Message};
use super::{Exercise, PREFIX, Server, WELCOME, beat, frame, serve};
use crate::log::Log;

/// Overrides hooks of the right server.
///
/// A program runs one server, so a mutation keeps its state in statics.
pub(crate) trait Mutation: Sync {
    // Process

    /// Prints the ready line.
    fn announce(&self, log: &Log, line: String) {
        log.line(line);
    }

    /// Returns true if log lines wait until a buffer is full.
    fn buffers_log(&self) -> bool {
        false
    }

    /// Prints the log line of an event.
    fn log(&self, log: &Log, event: Event<'_>) {
        log.line(event.to_string());
    }

    // Connections

    /// Returns true if small packets are sent without waiting for acknowledgements.
    fn nodelay(&self) -> bool {
        true
    }

    /// Serves an accepted connection. The accept loop continues when the future is ready.
    fn dispatch(&self, server: Arc<Server>, stream: TcpStream) -> BoxFuture<'static, ()> {
        tokio::spawn(serve(server, stream));
        Box::pin(async {})
    }

    /// Returns the number of connections that are served at the same time.
    fn connection_slots(&self) -> usize {
        Semaphore::MAX_PERMITS
    }

    /// Returns the number of handshakes that are read at the same time.
    fn handshake_slots(&self) -> usize {
        Semaphore::MAX_PERMITS
    }

    /// Returns the key of a new connection in the map of clients.
    fn connection_id(&self, next: u64, _clients: &Clients) -> u64 {
        next
    }

    /// Adds a client to the map, under its lock. Returns false if there is no room for it.
    fn join(&self, server: &Server, clients: &mut Clients, conn: &Arc<Conn>) -> bool {
        hub::join(server, clients, conn)
    }

    /// Removes a client from the map.
    fn leave<'a>(
        &self,
        server: &'a Server,
        conn: &'a Arc<Conn>,
        end: &'a End,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async { server.hub.leave(server, conn, end) })
    }

    /// Is called after a client was removed from the map, under its lock.
    fn left(&self, _clients: &mut Clients, _id: u64, _end: &End) {}

    /// Is called after the end of a connection was logged.
    fn ended(&self, _server: &Arc<Server>, _conn: &Conn, _end: &End) {}

    /// Returns true if the connection ends with a TCP reset and without a close frame.
    fn resets(&self, _end: &End) -> bool {
        false
    }

    // Handshake

    /// Returns the length of the request head if it is complete.
    fn head_length(&self, bytes: &[u8]) -> Option<usize> {
        handshake::head_length(bytes)
    }

    /// Is called when a handshake fails.
    fn handshake_failed(&self, _failure: HandshakeFailure) {}

    /// Returns false to close the connection without a response.
    fn accepts(&self, _request: &Request) -> bool {
        true
    }

    /// Returns true if the response is a 101.
    fn upgrades(&self, request: &Request) -> bool {
        request.is_valid()
    }

    /// Responds to a request that is not upgraded.
    fn refuse<'a>(&self, stream: &'a mut TcpStream) -> BoxFuture<'a, ()> {
        Box::pin(handshake::refuse(stream))
    }

    /// Returns the text that the accept key is computed from.
    fn accept_key(&self, key: &str) -> String {
        handshake::accept_key(key)
    }

    /// Returns the 101 response.
    fn response(&self, _request: &Request, accept_key: &str) -> String {
        handshake::response(accept_key, "")
    }

    // Writing

    /// Returns the size of the pieces in which the first bytes are written.
    fn write_size(&self) -> Option<usize> {
        None
    }

    /// Returns the frame as it is sent.
    fn frame(&self, frame: Bytes) -> Bytes {
        frame
    }

    /// Limits the rate of the writer task.
    fn pace(&self) -> Option<Pace> {
        None
    }

    // Reading

    /// Returns true if this is the beginning of a frame that a client may send.
    /// `nth` counts the frames before it.
    fn is_valid_head(&self, first: u8, second: u8, _nth: u64) -> bool {
        frame::is_valid_head(first, second)
    }

    /// Is called when a read ended inside of a frame's header.
    fn incomplete_header(&self) -> Result<(), End> {
        Ok(())
    }

    /// Checks a frame's length. `total` counts the payload bytes of the frames before it.
    fn check_length(&self, length: u64, _total: u64) -> Result<(), End> {
        if length > MESSAGE_LIMIT { Err(End::Violation(1009)) } else { Ok(()) }
    }

    /// Adds a data frame to the fragments before it. Returns the message once it is complete.
    fn assemble(&self, fragments: &mut Fragments, frame: Frame) -> Assembled {
        fragments.add(frame)
    }

    /// Returns true if the server continues after a frame that violates the protocol.
    fn skips_violations(&self) -> bool {
        false
    }

    /// Returns true if the reader looks whether the client has sent more before it answers.
    fn looks_ahead(&self) -> bool {
        false
    }

    /// Returns how long a client may send nothing.
    fn idle_timeout(&self) -> Option<Duration> {
        None
    }

    /// Is called after each read.
    fn bytes_read(&self, _conn: &Conn) {}

    // Answers

    /// Sends the welcome.
    fn welcome(&self, server: &Server, conn: &Conn) {
        conn.out.push(server.mutation.encode(WELCOME));
    }

    /// Is called with each complete message.
    fn message(&self, _conn: &Conn, _message: &Message) {}

    /// Decodes a text message; `None` if it gets no reply.
    fn decode_text(&self, message: Message) -> Decoded {
        String::from_utf8(message.bytes).map(Some).map_err(|_| End::Violation(1007))
    }

    /// Decodes a binary message; `None` if it gets no reply.
    fn decode_binary(&self, _server: &Server, _conn: &Conn, bytes: &[u8]) -> Decoded {
        Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
    }

    /// Is called with the text of a message before it is logged.
    fn receive(&self, said: String) -> BoxFuture<'static, Result<String, End>> {
        Box::pin(async { Ok(said) })
    }

    /// Returns the reply to a message.
    fn reply(&self, _server: &Server, _conn: &Conn, said: &str) -> Option<String> {
        Some(format!("{PREFIX}{said}"))
    }

    /// Encodes a text message.
    fn encode(&self, text: &str) -> Bytes {
        frame::text(text)
    }

    /// Sends a reply to the clients that get it.
    fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
        reply.deliver();
        Box::pin(async { Ok(()) })
    }

    /// Handles a control frame.
    fn control(&self, frame: Control<'_>) -> Result<(), End> {
        frame.handle()
    }

    /// Answers a ping.
    fn ping(&self, conn: &Conn, payload: &[u8]) {
        answer::ping(conn, payload);
    }

    /// Records a pong.
    fn pong(&self, _server: &Server, conn: &Conn, _payload: &[u8]) {
        answer::pong(conn);
    }

    /// Answers a close frame.
    fn close<'a>(&self, conn: &'a Conn, code: Option<u16>, _reason: &'a str) -> BoxFuture<'a, ()> {
        conn.out.push_last(frame::close(code));
        Box::pin(async {})
    }

    // Broadcast

    /// Queues a reply for all clients, under the lock of the map.
    fn fan_out(&self, server: &Server, clients: &Clients, _from: &Conn, frame: &Bytes) {
        clients.values().for_each(|to| server.mutation.offer(to, frame));
    }

    /// Queues a reply for one client, or drops the client if its queue is full.
    fn offer(&self, to: &Conn, frame: &Bytes) {
        hub::offer(to, frame);
    }

    // Heartbeat

    /// Pings the client until the connection ends, and ends it if a ping stays unanswered.
    fn heartbeat<'a>(&self, server: &'a Arc<Server>, conn: &'a Conn) -> BoxFuture<'a, ()> {
        if server.exercise == Exercise::Echo {
            return Box::pin(async {});
        }
        Box::pin(beat::run(server, conn))
    }

    /// Returns the interval between two pings.
    fn interval(&self, configured: Duration) -> Duration {
        configured
    }

    /// Returns the timer of a connection.
    fn timer(&self, server: &Server) -> Interval {
        beat::timer(server)
    }

    /// Waits for the next tick.
    fn tick<'a>(&self, mut tick: Tick<'a>) -> BoxFuture<'a, ()> {
        Box::pin(async move { tick.wait().await })
    }

    /// Returns true to do nothing at this tick.
    fn skips(&self, _server: &Server, _conn: &Conn, _beat: u32) -> bool {
        false
    }

    /// Returns true if the client answered the previous ping.
    fn answered<'a>(&self, server: &'a Server, conn: &'a Conn, _beat: u32) -> BoxFuture<'a, bool> {
        Box::pin(beat::answered(server, conn))
    }

    /// Returns the number of unanswered pings after which a client is dropped.
    fn allowed_misses(&self) -> u32 {
        1
    }

    /// Sends a ping.
    fn send_ping<'a>(&self, _server: &'a Server, conn: &'a Conn, _beat: u32) -> BoxFuture<'a, ()> {
        beat::send_ping(conn, b"");
        Box::pin(async {})
    }

    /// Drops a client that did not answer.
    fn drop_client<'a>(&self, _server: &'a Server, conn: &'a Conn) -> BoxFuture<'a, ()> {
        conn.kill();
        Box::pin(async {})
    }
}

/// The right server.
pub(crate) struct Right;

impl Mutation for Right {}

/// An unnamed [`Mutation`] that overrides the given hooks.
macro_rules! mutation {
    ($($hooks:tt)*) => {{
        struct Override;
        impl $crate::base::Mutation for Override { $($hooks)* }
        &Override
    }};
}
pub(crate) use mutation;
