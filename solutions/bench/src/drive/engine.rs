//! Connections by the thousand on one thread.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::wire::{self, Kind};

/// So many handshakes are under way at a time.
const OPENING: usize = 32;
/// After so long without any event a server is given up.
const PATIENCE: Duration = Duration::from_secs(20);
/// As much is read at once as there may be.
const SCRATCH: usize = 256 << 10;

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// WebSocket: a handshake, a welcome, frames.
    Frames,
    /// Nothing but messages of so many bytes.
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
    /// What could not be written yet.
    pub(super) out: Vec<u8>,
    written: usize,
    /// The beginning of what has not come whole yet.
    rest: Vec<u8>,
}

/// What to do with the text message that came on this connection at that time; the last is what goes back on it.
pub(super) type OnText<'a> =
    dyn FnMut(usize, &[u8], Instant, &mut Vec<u8>) -> Result<(), String> + 'a;

/// All connections of a run.
pub struct Engine {
    poll: Poll,
    events: Events,
    addr: SocketAddr,
    speech: Speech,
    pub(super) conns: Vec<Conn>,
    scratch: Vec<u8>,
    opening: BTreeSet<usize>,
    /// How many pings came, and were answered.
    pub pings: u64,
}

impl Engine {
    /// Without connections yet.
    ///
    /// # Errors
    /// When the system has no more of what it takes.
    pub fn new(addr: SocketAddr, speech: Speech) -> Result<Self, String> {
        let poll = Poll::new().map_err(|error| format!("no poll: {error}"))?;
        let events = Events::with_capacity(4096);
        let conns = Vec::new();
        Ok(Engine {
            poll,
            events,
            addr,
            speech,
            conns,
            scratch: vec![0; SCRATCH],
            opening: BTreeSet::new(),
            pings: 0,
        })
    }

    /// Opens connections until there are that many, answering pings meanwhile.
    ///
    /// # Errors
    /// When one can't be opened.
    pub fn open(&mut self, connections: usize) -> Result<(), String> {
        while self.conns.len() < connections || !self.opening.is_empty() {
            while self.conns.len() < connections && self.opening.len() < OPENING {
                let index = self.conns.len();
                let conn = self.connect(index)?;
                self.conns.push(conn);
            }
            if !self.opening.is_empty() {
                self.turn(None, &mut |index, _, _, _| {
                    Err(format!("a message for client {index} that nobody sent"))
                })?;
            }
        }
        Ok(())
    }

    /// Opens connections, `OPENING` at a time, and resets each as soon as it is welcomed; how many by then.
    ///
    /// # Errors
    /// When one can't be opened.
    pub fn churn(&mut self, until: Instant) -> Result<u64, String> {
        let mut welcomed = 0;
        while self.conns.len() < OPENING {
            let index = self.conns.len();
            let conn = self.connect(index)?;
            self.conns.push(conn);
        }
        while Instant::now() < until {
            let before = self.opening.clone();
            self.turn(None, &mut |index, _, _, _| {
                Err(format!("a message for client {index} that nobody sent"))
            })?;
            for index in before.difference(&self.opening.clone()).copied() {
                welcomed += 1;
                let conn = self.connect(index)?;
                let old = std::mem::replace(&mut self.conns[index], conn);
                reset(&old.stream);
            }
        }
        Ok(welcomed)
    }

    fn connect(&mut self, index: usize) -> Result<Conn, String> {
        let failed = |error: io::Error| format!("client {index} can't connect: {error}");
        let mut stream = TcpStream::connect(self.addr).map_err(failed)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(index), interest).map_err(failed)?;
        // Where there is no handshake, one byte that comes back tells that somebody listens.
        let (state, first) = match self.speech {
            Speech::Frames => (State::Handshake, wire::REQUEST.as_bytes()),
            Speech::Bytes(_) => (State::Welcome, &[0][..]),
        };
        self.opening.insert(index);
        Ok(Conn { stream, state, out: first.to_vec(), written: 0, rest: Vec::new() })
    }

    /// Waits for events, for so long if there are none, and deals with them. Whether there were any.
    ///
    /// # Errors
    /// When a connection ends, or brings what it should not, or nothing comes for too long.
    pub(super) fn turn(
        &mut self,
        timeout: Option<Duration>,
        on: &mut OnText<'_>,
    ) -> Result<bool, String> {
        match self.poll.poll(&mut self.events, Some(timeout.unwrap_or(PATIENCE))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            other => other.map_err(|error| format!("no events: {error}"))?,
        }
        if self.events.is_empty() {
            return match timeout {
                Some(_) => Ok(false),
                None => Err(format!("nothing came for {} s", PATIENCE.as_secs())),
            };
        }
        for event in &self.events {
            let index = event.token().0;
            let conn = &mut self.conns[index];
            let was = conn.state;
            if event.is_readable() {
                let pings = &mut self.pings;
                conn.read(index, self.speech, &mut self.scratch, pings, on)
                    .map_err(|why| format!("client {index}: {why}"))?;
            }
            conn.flush().map_err(|error| format!("client {index} can't write: {error}"))?;
            if was != State::Open && conn.state == State::Open {
                self.opening.remove(&index);
            }
        }
        Ok(true)
    }

    /// Writes what is to be written on that connection, as far as it takes it.
    pub(super) fn flush(&mut self, index: usize) -> Result<(), String> {
        self.conns[index].flush().map_err(|error| format!("client {index} can't write: {error}"))
    }
}

impl Conn {
    fn flush(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(written) => self.written += written,
                // Not yet, or not yet connected: an event will tell.
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
        speech: Speech,
        scratch: &mut [u8],
        pings: &mut u64,
        on: &mut OnText<'_>,
    ) -> Result<(), String> {
        loop {
            let length = match self.stream.read(scratch) {
                Ok(0) => return Err("the server ended the connection".into()),
                Ok(length) => length,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("can't read: {error}")),
            };
            let now = Instant::now();
            if self.rest.is_empty() {
                let used = self.take(index, speech, &scratch[..length], now, pings, on)?;
                self.rest.extend_from_slice(&scratch[used..length]);
            } else {
                let mut bytes = std::mem::take(&mut self.rest);
                bytes.extend_from_slice(&scratch[..length]);
                let used = self.take(index, speech, &bytes, now, pings, on)?;
                bytes.drain(..used);
                self.rest = bytes;
            }
            // Less than there was room for: nothing is left, and more will be told by another event.
            if length < scratch.len() {
                return Ok(());
            }
        }
    }

    /// Takes all that has come whole; how many bytes that was.
    fn take(
        &mut self,
        index: usize,
        speech: Speech,
        bytes: &[u8],
        now: Instant,
        pings: &mut u64,
        on: &mut OnText<'_>,
    ) -> Result<usize, String> {
        let mut left = bytes;
        if let Speech::Bytes(size) = speech {
            if let (State::Welcome, [_, after @ ..]) = (self.state, left) {
                self.state = State::Open;
                left = after;
            }
            while let Some((message, after)) = left.split_at_checked(size) {
                on(index, message, now, &mut self.out)?;
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
                return Err(format!("the handshake failed: {head}"));
            }
            self.state = State::Welcome;
            left = &left[end + 4..];
        }
        while let Some((kind, payload, after)) = wire::first(left)? {
            match kind {
                Kind::Text if self.state == State::Welcome => {
                    if payload != crate::serve::WELCOME.as_bytes() {
                        return Err(format!(
                            "no welcome, but {:?}",
                            String::from_utf8_lossy(payload)
                        ));
                    }
                    self.state = State::Open;
                }
                Kind::Text => on(index, payload, now, &mut self.out)?,
                Kind::Ping => {
                    *pings += 1;
                    self.out.extend(wire::pong(payload));
                }
                Kind::Other(what) => return Err(format!("{what} came")),
            }
            left = after;
        }
        Ok(bytes.len() - left.len())
    }
}

/// Ends the connection at once, leaving no port that waits.
fn reset(stream: &TcpStream) {
    #[cfg(unix)]
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
    #[cfg(not(unix))]
    let _ = stream;
}
