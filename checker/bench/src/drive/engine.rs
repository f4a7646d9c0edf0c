//! Thousands of connections on one thread.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::wire::{self, Kind};
use super::{ClientError, DriveError, TIMEOUT};

/// The number of handshakes in progress at a time.
const OPENING: usize = 32;
/// The size of the read buffer that all connections share.
const SCRATCH: usize = 256 << 10;

/// The protocol on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// WebSocket: a handshake, a welcome, frames.
    WebSocket,
    /// No protocol: messages of this many bytes.
    Bytes(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Handshake,
    Welcome,
    Open,
}

/// One connection.
pub(super) struct Conn {
    stream: TcpStream,
    state: State,
    /// Bytes to write. The first `written` of them have been written.
    pub(super) out: Vec<u8>,
    written: usize,
    /// The beginning of an incomplete frame.
    rest: Vec<u8>,
}

/// Called for each text message: client, payload, time of arrival, and the buffer for replies.
pub(super) type OnText<'a> =
    dyn FnMut(usize, &[u8], Instant, &mut Vec<u8>) -> Result<(), ClientError> + 'a;

/// All connections of a run.
pub struct Engine {
    poll: Poll,
    events: Events,
    addr: SocketAddr,
    protocol: Protocol,
    pub(super) conns: Vec<Conn>,
    scratch: Vec<u8>,
    opening: BTreeSet<usize>,
    /// The number of pings received and answered.
    pub pings: u64,
}

fn unexpected(
    _client: usize,
    _payload: &[u8],
    _now: Instant,
    _out: &mut Vec<u8>,
) -> Result<(), ClientError> {
    Err(ClientError::Unexpected)
}

impl Engine {
    /// Creates an engine without connections.
    ///
    /// # Errors
    /// If the system has no more file descriptors.
    pub fn new(addr: SocketAddr, protocol: Protocol) -> Result<Self, DriveError> {
        Ok(Engine {
            poll: Poll::new().map_err(DriveError::Poll)?,
            events: Events::with_capacity(4096),
            addr,
            protocol,
            conns: Vec::new(),
            scratch: vec![0; SCRATCH],
            opening: BTreeSet::new(),
            pings: 0,
        })
    }

    /// Opens connections until there are `connections` of them. Answers pings meanwhile.
    ///
    /// # Errors
    /// If a connection cannot be opened.
    pub fn open(&mut self, connections: usize) -> Result<(), DriveError> {
        while self.conns.len() < connections || !self.opening.is_empty() {
            while self.conns.len() < connections && self.opening.len() < OPENING {
                let index = self.conns.len();
                let conn = self.connect(index)?;
                self.conns.push(conn);
            }
            if !self.opening.is_empty() {
                self.turn(None, &mut unexpected)?;
            }
        }
        Ok(())
    }

    /// Keeps `OPENING` handshakes in progress and resets each connection after its welcome.
    /// Returns how many were welcomed until the deadline.
    ///
    /// # Errors
    /// If a connection cannot be opened.
    pub fn churn(&mut self, until: Instant) -> Result<u64, DriveError> {
        let mut welcomed = 0;
        while self.conns.len() < OPENING {
            let index = self.conns.len();
            let conn = self.connect(index)?;
            self.conns.push(conn);
        }
        while Instant::now() < until {
            let before = self.opening.clone();
            self.turn(None, &mut unexpected)?;
            for index in before.difference(&self.opening.clone()).copied() {
                welcomed += 1;
                let conn = self.connect(index)?;
                let old = std::mem::replace(&mut self.conns[index], conn);
                reset(&old.stream);
            }
        }
        Ok(welcomed)
    }

    fn connect(&mut self, index: usize) -> Result<Conn, DriveError> {
        let failed = |error: io::Error| ClientError::Connect(error).of(index);
        let mut stream = TcpStream::connect(self.addr).map_err(failed)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(index), interest).map_err(failed)?;
        // Without a handshake, one returned byte shows that the server has accepted.
        let (state, first) = match self.protocol {
            Protocol::WebSocket => (State::Handshake, wire::REQUEST.as_bytes()),
            Protocol::Bytes(_) => (State::Welcome, &[0][..]),
        };
        self.opening.insert(index);
        Ok(Conn { stream, state, out: first.to_vec(), written: 0, rest: Vec::new() })
    }

    /// Waits for events and handles them. Returns false if `timeout` passed without an event.
    ///
    /// # Errors
    /// If a connection fails, or if nothing arrives for `TIMEOUT` and there is no `timeout`.
    pub(super) fn turn(
        &mut self,
        timeout: Option<Duration>,
        on_text: &mut OnText<'_>,
    ) -> Result<bool, DriveError> {
        match self.poll.poll(&mut self.events, Some(timeout.unwrap_or(TIMEOUT))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            other => other.map_err(DriveError::Poll)?,
        }
        if self.events.is_empty() {
            return if timeout.is_some() { Ok(false) } else { Err(DriveError::Silent) };
        }
        for event in &self.events {
            let index = event.token().0;
            let conn = &mut self.conns[index];
            let was = conn.state;
            if event.is_readable() {
                let pings = &mut self.pings;
                conn.read(index, self.protocol, &mut self.scratch, pings, on_text)
                    .map_err(|error| error.of(index))?;
            }
            conn.flush().map_err(|error| ClientError::Write(error).of(index))?;
            if was != State::Open && conn.state == State::Open {
                self.opening.remove(&index);
            }
        }
        Ok(true)
    }

    /// Writes as much of the connection's output as the socket accepts.
    pub(super) fn flush(&mut self, index: usize) -> Result<(), DriveError> {
        self.conns[index].flush().map_err(|error| ClientError::Write(error).of(index))
    }
}

impl Conn {
    fn flush(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(written) => self.written += written,
                // The buffer is full or the connection is not open yet. An event will follow.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    fn read(
        &mut self,
        index: usize,
        protocol: Protocol,
        scratch: &mut [u8],
        pings: &mut u64,
        on_text: &mut OnText<'_>,
    ) -> Result<(), ClientError> {
        loop {
            let length = match self.stream.read(scratch) {
                Ok(0) => return Err(ClientError::Ended),
                Ok(length) => length,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(ClientError::Read(error)),
            };
            let now = Instant::now();
            if self.rest.is_empty() {
                let used = self.take(index, protocol, &scratch[..length], now, pings, on_text)?;
                self.rest.extend_from_slice(&scratch[used..length]);
            } else {
                let mut bytes = std::mem::take(&mut self.rest);
                bytes.extend_from_slice(&scratch[..length]);
                let used = self.take(index, protocol, &bytes, now, pings, on_text)?;
                bytes.drain(..used);
                self.rest = bytes;
            }
            // A short read emptied the socket. The next bytes come with another event.
            if length < scratch.len() {
                return Ok(());
            }
        }
    }

    /// Handles all complete frames. Returns the number of bytes they had.
    fn take(
        &mut self,
        index: usize,
        protocol: Protocol,
        bytes: &[u8],
        now: Instant,
        pings: &mut u64,
        on_text: &mut OnText<'_>,
    ) -> Result<usize, ClientError> {
        let mut left = bytes;
        if let Protocol::Bytes(size) = protocol {
            if let (State::Welcome, [_, after @ ..]) = (self.state, left) {
                self.state = State::Open;
                left = after;
            }
            while let Some((message, after)) = left.split_at_checked(size) {
                on_text(index, message, now, &mut self.out)?;
                left = after;
            }
            return Ok(bytes.len() - left.len());
        }
        if self.state == State::Handshake {
            let Some(end) = left.windows(4).position(|window| window == b"\r\n\r\n") else {
                return Ok(0);
            };
            let head = String::from_utf8_lossy(&left[..end]);
            if !head.starts_with("HTTP/1.1 101") || !head.contains(wire::ACCEPT) {
                return Err(ClientError::Handshake(head.into_owned()));
            }
            self.state = State::Welcome;
            left = &left[end + 4..];
        }
        while let Some((kind, payload, after)) = wire::first(left)? {
            match kind {
                Kind::Text if self.state == State::Welcome => {
                    if payload != crate::serve::WELCOME.as_bytes() {
                        let text = String::from_utf8_lossy(payload).into_owned();
                        return Err(ClientError::Welcome(text));
                    }
                    self.state = State::Open;
                }
                Kind::Text => on_text(index, payload, now, &mut self.out)?,
                Kind::Ping => {
                    *pings += 1;
                    self.out.extend(wire::pong(payload));
                }
            }
            left = after;
        }
        Ok(bytes.len() - left.len())
    }
}

/// Makes the stream reset its connection when dropped, so that no port stays in TIME_WAIT.
fn reset(stream: &TcpStream) {
    #[cfg(unix)]
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
    #[cfg(not(unix))]
    let _ = stream;
}
