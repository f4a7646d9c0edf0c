//! The two directions of a tapped connection, each with its half of the socket.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::frame::{Decoder, Item};
use super::recorder::{Connection, Direction, EventKind, REMEMBERED_PAYLOAD, ReadMode};

/// No message that a check asks for is nearly as long, in bytes; what is longer is not kept.
pub(crate) const LONGEST: usize = 16 << 20;
/// How much is read or written at once, in bytes.
const PIECE: usize = 64 * 1024;

/// What the server says.
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
            buffer: vec![0; PIECE],
        }
    }

    /// Waits for the next bytes, and hands over what they complete; `false` at the end.
    ///
    /// # Errors
    /// When the connection was broken from the other side.
    pub async fn read(&mut self, mut emit: impl FnMut(Item)) -> io::Result<bool> {
        let _ = self.mode.wait_for(|mode| *mode != ReadMode::NotReading).await;
        let read = self.half.read(&mut self.buffer).await;
        let connection = &self.connection;
        if !matches!(read, Ok(1..)) {
            connection.mark_lost();
        }
        match read {
            Ok(0) => {
                connection.record(Direction::ToClient, EventKind::Ended);
                Ok(false)
            }
            Ok(read) => {
                self.decoder.feed(&self.buffer[..read], |item| {
                    connection.record(Direction::ToClient, EventKind::of(&item));
                    emit(item);
                });
                Ok(true)
            }
            Err(error) => {
                connection.record(Direction::ToClient, EventKind::Reset);
                connection.mode.send_replace(ReadMode::Reset);
                Err(error)
            }
        }
    }

    /// Lets go of the socket.
    pub fn close(self) {
        if self.connection.is_reset() {
            let _ = self.half.as_ref().set_zero_linger();
        }
        drop(self.half);
        self.connection.release_half();
    }
}

/// What is said to the server.
pub struct Outgoing {
    half: OwnedWriteHalf,
    connection: Arc<Connection>,
    decoder: Decoder,
    /// The server no longer takes anything.
    refused: bool,
}

impl Outgoing {
    pub(super) fn new(half: OwnedWriteHalf, connection: Arc<Connection>) -> Self {
        Outgoing { half, connection, decoder: Decoder::new(REMEMBERED_PAYLOAD), refused: false }
    }

    /// Writes all of this. What the server doesn't take is lost, and nobody is told: a client hears of that by reading.
    pub async fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            if self.refused {
                return;
            }
            let connection = &self.connection;
            self.decoder
                .feed(piece, |item| connection.record(Direction::ToServer, EventKind::of(&item)));
            if self.half.write_all(piece).await.is_err() {
                self.refused = true;
                self.connection.mark_lost();
            }
        }
    }

    /// Says that nothing more will be said (FIN).
    pub async fn finish(&mut self) {
        if !self.refused {
            self.connection.record(Direction::ToServer, EventKind::Ended);
            let _ = self.half.shutdown().await;
        }
    }

    /// Lets go of the socket.
    pub fn close(self) {
        if self.connection.is_reset() {
            let _ = self.half.as_ref().set_zero_linger();
            // Dropped, it says FIN first.
            self.half.forget();
        } else {
            drop(self.half);
        }
        self.connection.release_half();
    }
}
