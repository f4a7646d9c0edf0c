//! The two directions of a recorded connection, each with its half of the socket.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::frame::{Decoder, Item};
use super::recorder::{Connection, Direction, EventKind, REMEMBERED_PAYLOAD, ReadMode};

/// The longest message that is kept, in bytes. No check needs one nearly as long.
pub(crate) const LONGEST: usize = 16 << 20;
/// The most bytes of one read or write.
const CHUNK: usize = 64 * 1024;

/// The bytes from the server.
pub struct Incoming {
    half: OwnedReadHalf,
    connection: Arc<Connection>,
    mode: watch::Receiver<ReadMode>,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl Incoming {
    pub(super) fn new(half: OwnedReadHalf, connection: Arc<Connection>) -> Self {
        let mode = connection.mode.subscribe();
        Incoming {
            half,
            connection,
            mode,
            decoder: Decoder::new(LONGEST + 1),
            buffer: vec![0; CHUNK],
        }
    }

    /// Reads the next bytes and emits the items that they complete. Returns `false` at the end, and
    /// fails if the server reset the connection.
    pub(crate) async fn read(&mut self, mut emit: impl FnMut(Item)) -> io::Result<bool> {
        let _ = self.mode.wait_for(|mode| *mode != ReadMode::NotReading).await;
        let read = self.half.read(&mut self.buffer).await;
        let connection = &self.connection;
        if !matches!(read, Ok(1..)) {
            connection.mark_lost();
        }
        match read {
            Ok(0) => {
                if let Some(unfinished) = connection.set_unfinished(None) {
                    connection.record(Direction::ToClient, unfinished);
                }
                connection.record(Direction::ToClient, EventKind::Ended);
                Ok(false)
            }
            Ok(read) => {
                self.decoder.feed(&self.buffer[..read], |item| {
                    connection.record(Direction::ToClient, EventKind::of(&item));
                    emit(item);
                });
                let unfinished = self.decoder.unfinished_frame();
                connection.set_unfinished(unfinished.map(EventKind::unfinished));
                Ok(true)
            }
            Err(error) => {
                connection.record(Direction::ToClient, EventKind::Reset);
                connection.mode.send_replace(ReadMode::Reset);
                Err(error)
            }
        }
    }

    /// Closes this half of the socket.
    pub fn close(self) {
        if self.connection.is_reset() {
            let _ = self.half.as_ref().set_zero_linger();
        }
        drop(self.half);
        self.connection.release_half();
    }
}

/// The bytes to the server.
pub struct Outgoing {
    half: OwnedWriteHalf,
    connection: Arc<Connection>,
    decoder: Decoder,
    /// A write has failed.
    refused: bool,
}

impl Outgoing {
    pub(super) fn new(half: OwnedWriteHalf, connection: Arc<Connection>) -> Self {
        Outgoing { half, connection, decoder: Decoder::new(REMEMBERED_PAYLOAD), refused: false }
    }

    /// Writes all bytes. A failed write is no error here: the client reads the end of the
    /// connection.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(CHUNK) {
            if self.refused {
                return;
            }
            let connection = &self.connection;
            self.decoder
                .feed(chunk, |item| connection.record(Direction::ToServer, EventKind::of(&item)));
            if self.half.write_all(chunk).await.is_err() {
                self.refused = true;
                self.connection.mark_lost();
            }
        }
    }

    /// Ends the sending direction (FIN).
    pub(crate) async fn finish(&mut self) {
        if !self.refused {
            self.connection.record(Direction::ToServer, EventKind::Ended);
            let _ = self.half.shutdown().await;
        }
    }

    /// Closes this half of the socket.
    pub fn close(self) {
        if self.connection.is_reset() {
            let _ = self.half.as_ref().set_zero_linger();
            // Dropping the half would send a FIN before the reset.
            self.half.forget();
        } else {
            drop(self.half);
        }
        self.connection.release_half();
    }
}
