//! Reads bytes, frames and messages from one client.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{sleep, timeout};

use super::answer::Control;
use super::conn::Conn;
use super::{Server, answer, frame};

/// Longer messages end the connection.
pub(crate) const MESSAGE_LIMIT: u64 = 16 * 1024 * 1024;
/// The server stops reading from a client with more bytes than this in its queue.
const BACKLOG: usize = 1024 * 1024;

/// Why a connection ended.
pub(crate) enum End {
    /// By a close frame.
    Closed { code: Option<u16>, reason: String },
    /// By a violation of the protocol, with this close code.
    Violation(u16),
    /// Without a close frame, between two frames or inside of a frame or a message.
    Vanished { reset: bool, mid_frame: bool, mid_message: bool },
    /// By the server.
    Dropped,
}

impl End {
    pub(crate) fn closed(code: Option<u16>) -> Self {
        Self::Closed { code, reason: String::new() }
    }

    /// Returns true if the connection was reset or ended inside of a frame.
    pub(crate) fn is_abrupt(&self) -> bool {
        matches!(self, Self::Vanished { reset, mid_frame, .. } if *reset || *mid_frame)
    }
}

/// One message, reassembled from its fragments.
pub(crate) struct Message {
    pub(crate) binary: bool,
    pub(crate) bytes: Vec<u8>,
    /// It came in more than one frame.
    pub(crate) in_fragments: bool,
    /// The client had sent it before the previous message was answered.
    pub(crate) pipelined: bool,
}

/// A data frame, unmasked.
pub(crate) struct Frame {
    pub(crate) head: frame::Head,
    pub(crate) payload: Vec<u8>,
}

/// A message, or `None` until its last fragment comes.
pub(crate) type Assembled = Result<Option<Message>, End>;

/// The fragments of an incomplete message.
#[derive(Default)]
pub(crate) struct Fragments {
    /// Opcode and payload so far.
    pub(crate) partial: Option<(u8, Vec<u8>)>,
    /// The number of fragments after the first.
    pub(crate) continued: usize,
}

impl Fragments {
    /// Adds a data frame. Returns the message once it is complete.
    pub(crate) fn add(&mut self, Frame { head, payload }: Frame) -> Assembled {
        let in_fragments = self.partial.is_some();
        self.continued = if head.opcode == frame::CONTINUATION { self.continued + 1 } else { 0 };
        let (opcode, bytes) = match (head.opcode, self.partial.take()) {
            (frame::TEXT | frame::BINARY, None) => (head.opcode, payload),
            (frame::CONTINUATION, Some((opcode, mut bytes))) => {
                bytes.extend_from_slice(&payload);
                (opcode, bytes)
            }
            _ => return Err(End::Violation(1002)),
        };
        if bytes.len() as u64 > MESSAGE_LIMIT {
            return Err(End::Violation(1009));
        }
        if !head.fin {
            self.partial = Some((opcode, bytes));
            return Ok(None);
        }
        let binary = opcode == frame::BINARY;
        Ok(Some(Message { binary, bytes, in_fragments, pipelined: false }))
    }
}

/// The reading half of a connection.
pub(crate) struct Reader {
    half: OwnedReadHalf,
    buffer: Vec<u8>,
    used: usize,
    fragments: Fragments,
    pipelined: bool,
    /// The number of frames so far.
    frames: u64,
    /// The number of payload bytes so far.
    total: u64,
}

impl Reader {
    pub(crate) fn new(half: OwnedReadHalf, buffer: Vec<u8>) -> Self {
        let fragments = Fragments::default();
        Self { half, buffer, used: 0, fragments, pipelined: false, frames: 0, total: 0 }
    }

    /// Serves the client until it leaves or violates the protocol.
    pub(crate) async fn run(&mut self, server: &Arc<Server>, conn: &Arc<Conn>) -> End {
        loop {
            match self.handle_frames(server, conn).await {
                Ok(()) => {}
                Err(End::Violation(_)) if server.mutation.skips_violations() => {
                    self.used = self.buffer.len();
                }
                Err(end) => return end,
            }
            self.pipelined = false;
            conn.in_message.store(self.fragments.partial.is_some(), SeqCst);
            let idle = server.mutation.idle_timeout().unwrap_or(Duration::MAX);
            let Ok(filled) = timeout(idle, self.fill()).await else {
                return End::closed(Some(1001));
            };
            if !matches!(filled, Ok(1..)) {
                return End::Vanished {
                    reset: filled.is_err(),
                    mid_frame: !self.buffer.is_empty(),
                    mid_message: self.fragments.partial.is_some(),
                };
            }
            server.mutation.bytes_read(conn);
        }
    }

    /// Makes the end of the connection a TCP reset.
    pub(crate) fn reset(&self) {
        drop(self.half.as_ref().set_zero_linger());
    }

    /// Reads and discards until the client ends its side.
    pub(crate) async fn drain(&mut self) {
        loop {
            self.buffer.clear();
            self.used = 0;
            if !matches!(self.fill().await, Ok(1..)) {
                return;
            }
        }
    }

    async fn fill(&mut self) -> std::io::Result<usize> {
        self.buffer.drain(..self.used);
        self.used = 0;
        self.buffer.reserve(32 * 1024);
        self.half.read_buf(&mut self.buffer).await
    }

    /// Handles every complete frame in the buffer.
    async fn handle_frames(&mut self, server: &Arc<Server>, conn: &Arc<Conn>) -> Result<(), End> {
        let mutation = server.mutation;
        while let Some(frame) = self.next_frame(server)? {
            self.frames += 1;
            let fragments = &mut self.fragments;
            if frame.head.is_control() {
                let (opcode, payload) = (frame.head.opcode, &frame.payload[..]);
                mutation.control(Control { server, conn, fragments, opcode, payload })?;
            } else if let Some(mut message) = mutation.assemble(fragments, frame)? {
                message.pipelined = self.pipelined;
                if mutation.looks_ahead() && !self.pipelined {
                    // The messages that have come by now did not wait for the reply.
                    sleep(Duration::from_millis(4)).await;
                    drop(self.half.try_read_buf(&mut self.buffer));
                    self.pipelined = true;
                }
                answer::message(server, conn, message).await?;
                conn.out.at_most(BACKLOG).await;
            }
        }
        Ok(())
    }

    /// Returns the next frame, unmasked, if it is complete. The first two bytes are enough to
    /// find a violation.
    fn next_frame(&mut self, server: &Server) -> Result<Option<Frame>, End> {
        let bytes = &self.buffer[self.used..];
        if let [first, second, ..] = *bytes
            && !server.mutation.is_valid_head(first, second, self.frames)
        {
            return Err(End::Violation(1002));
        }
        let Some(head) = frame::head(bytes) else {
            if !bytes.is_empty() {
                server.mutation.incomplete_header()?;
            }
            return Ok(None);
        };
        server.mutation.check_length(head.length, self.total)?;
        let end = head.size + head.length as usize;
        let Some(payload) = bytes.get(head.size..end) else {
            self.buffer.reserve(end);
            return Ok(None);
        };
        let mut payload = payload.to_vec();
        if let Some(mask) = head.mask {
            frame::unmask(&mut payload, mask);
        }
        self.used += end;
        self.total += head.length;
        Ok(Some(Frame { head, payload }))
    }
}
