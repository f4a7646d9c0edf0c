//! From bytes to frames to messages: the part of RFC 6455 that looks simple.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{sleep, timeout};

use super::conn::Conn;
use super::{Server, Twist, answer, frame};

/// Longer messages end the connection.
const MESSAGE_LIMIT: u64 = 16 * 1024 * 1024;
/// For a twist: so many bytes in all end the connection.
const IN_ALL: u64 = 3 * 1024 * 1024;
/// A client that has more than this many bytes of answers waiting is not read from.
const BACKLOG: usize = 1024 * 1024;
/// For a twist: a client that says nothing for this long is idle.
const IDLE: Duration = Duration::from_millis(750);

/// Why a connection ended.
pub(crate) enum End {
    /// By a close frame with this code.
    Closed(Option<u16>),
    /// By a breach of the protocol, which this code names.
    Violation(u16),
    /// Without a close frame.
    Vanished { reset: bool, mid_frame: bool },
    /// By us.
    Dropped,
}

/// One message, its fragments put together.
pub(crate) struct Message {
    pub(crate) binary: bool,
    pub(crate) bytes: Vec<u8>,
    /// For a twist: it came in more than one frame.
    pub(crate) in_fragments: bool,
    /// For twists: it was already there when the message before it was taken.
    pub(crate) pipelined: bool,
}

/// The reading half of a connection.
pub(crate) struct Reader {
    half: OwnedReadHalf,
    buffer: Vec<u8>,
    used: usize,
    /// Opcode and payload of a message whose last fragment is still to come.
    partial: Option<(u8, Vec<u8>)>,
    pipelined: bool,
    /// For twists: how many frames came before, and how many fragments of the present message after its first.
    frames: u64,
    continued: usize,
    /// For a twist: how many bytes of payload have come.
    taken: u64,
}

impl Reader {
    pub(crate) fn new(half: OwnedReadHalf, buffer: Vec<u8>) -> Self {
        Self {
            half,
            buffer,
            used: 0,
            partial: None,
            pipelined: false,
            frames: 0,
            continued: 0,
            taken: 0,
        }
    }

    /// Serves the client until it leaves or errs.
    pub(crate) async fn run(&mut self, server: &Arc<Server>, conn: &Arc<Conn>) -> End {
        loop {
            match self.frames(server, conn).await {
                Ok(()) => {}
                Err(End::Violation(_)) if server.has(Twist::SkipsGarbage) => {
                    self.used = self.buffer.len()
                }
                Err(end) => return end,
            }
            self.pipelined = false;
            conn.in_message.store(self.partial.is_some(), SeqCst);
            let filled = if server.has(Twist::ClosesIdle) {
                let Ok(filled) = timeout(IDLE, self.fill()).await else {
                    return End::Closed(Some(1001));
                };
                filled
            } else {
                self.fill().await
            };
            if self.partial.is_some()
                && !matches!(filled, Ok(1..))
                && server.has(Twist::ExitsOnHalfAMessage)
            {
                eprintln!("called `Option::unwrap()` on a `None` value");
                std::process::exit(101);
            }
            match filled {
                Ok(0) => {
                    return End::Vanished { reset: false, mid_frame: !self.buffer.is_empty() };
                }
                Ok(_) => {}
                Err(_) => {
                    return End::Vanished { reset: true, mid_frame: !self.buffer.is_empty() };
                }
            }
            if server.has(Twist::AnyByteCounts) {
                conn.alive.store(true, SeqCst);
            }
        }
    }

    /// What is closed from now on is reset.
    pub(crate) fn reset(&self) {
        drop(self.half.as_ref().set_zero_linger());
    }

    /// Reads and forgets until the client has ended its side too.
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

    /// Handles every frame that is there in full.
    async fn frames(&mut self, server: &Arc<Server>, conn: &Arc<Conn>) -> Result<(), End> {
        while let Some((head, payload)) = self.next_frame(server)? {
            self.frames += 1;
            if head.is_control() {
                if server.has(Twist::LogsControlFrames) {
                    server.log.line(format!("Received: {}", String::from_utf8_lossy(&payload)));
                }
                if head.opcode == frame::PONG
                    && self.partial.is_some()
                    && server.has(Twist::IgnoresPongsInMessages)
                {
                    continue;
                }
                if head.opcode == frame::PING
                    && self.partial.is_some()
                    && server.has(Twist::IgnoresPingsInMessages)
                {
                    continue;
                }
                if head.opcode == frame::CLOSE
                    && self.partial.is_some()
                    && server.has(Twist::IgnoresCloseInMessages)
                {
                    continue;
                }
                control(server, conn, &head, payload)?;
                if head.opcode == frame::PING && server.has(Twist::PingResetsFragments)
                    || head.opcode == frame::PONG && server.has(Twist::PongResetsFragments)
                {
                    self.partial = None;
                }
            } else if let Some(message) = self.with_fragments(server, &head, payload)? {
                let looks_ahead = server.has(Twist::AnswersFirstOfABatch)
                    || server.has(Twist::AnswersTwiceUnderLoad);
                if looks_ahead && !self.pipelined {
                    // What is there by now was sent without waiting for the reply.
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

    /// The next frame, unmasked, if all of it has come; breaches are told from its first two bytes.
    fn next_frame(&mut self, server: &Server) -> Result<Option<(frame::Head, Vec<u8>)>, End> {
        let bytes = &self.buffer[self.used..];
        if let [first, second, ..] = bytes {
            let (masked, reserved) = (second & 0x80 != 0, matches!(first & 0x0f, 3..=7 | 11..=15));
            let forgiven = server.has(Twist::AcceptsUnmasked) && !masked
                || server.has(Twist::AcceptsUnmaskedControl) && !masked && first & 8 != 0
                || server.has(Twist::MaskOfFirstOnly) && !masked && self.frames > 0
                || server.has(Twist::SkipsReserved) && reserved;
            let control = first & 8 != 0;
            let extended = first & 0x70 != 0 && !server.has(Twist::ReservedBitsPass);
            let fragment =
                control && first & 0x80 == 0 && !server.has(Twist::FragmentedControlPasses);
            let long = control && second & 0x7f > 125 && !server.has(Twist::LongControlPasses);
            if (!masked || reserved || extended || fragment || long) && !forgiven {
                return Err(End::Violation(1002));
            }
        }
        let Some(head) = frame::head(bytes) else {
            if !bytes.is_empty() && server.has(Twist::FrameInOneRead) {
                return Err(End::Dropped);
            }
            return Ok(None);
        };
        let limit =
            if server.has(Twist::LimitOfHalfAMebibyte) { 512 * 1024 } else { MESSAGE_LIMIT };
        if self.taken + head.length > IN_ALL && server.has(Twist::ThreeMebibytesInAll) {
            return Err(End::Violation(1009));
        }
        if head.length > limit {
            if server.has(Twist::BelievesTheLength) {
                eprintln!("memory allocation of {} bytes failed", head.length);
                std::process::exit(134);
            }
            return Err(End::Violation(1009));
        }
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
        self.taken += head.length;
        Ok(Some((head, payload)))
    }

    /// For a twist: everyone's fragments are in one place.
    fn with_fragments(
        &mut self,
        server: &Server,
        head: &frame::Head,
        payload: Vec<u8>,
    ) -> Result<Option<Message>, End> {
        if !server.has(Twist::SharedFragments) {
            return self.assemble(server, head, payload);
        }
        let mut shared = server.fragments.lock().unwrap_or_else(PoisonError::into_inner);
        self.partial = shared.take();
        let message = self.assemble(server, head, payload);
        *shared = self.partial.take();
        message
    }

    /// Puts a data frame to the fragments before it; a message once it is whole.
    fn assemble(
        &mut self,
        server: &Server,
        head: &frame::Head,
        payload: Vec<u8>,
    ) -> Result<Option<Message>, End> {
        let pipelined = self.pipelined;
        let in_fragments = self.partial.is_some();
        self.continued = if head.opcode == frame::CONTINUATION { self.continued + 1 } else { 0 };
        if self.continued >= 64 && server.has(Twist::FragmentsUpTo64) {
            return Err(End::Violation(1009));
        }
        let message = |opcode, bytes| Message {
            binary: opcode == frame::BINARY,
            bytes,
            in_fragments,
            pipelined,
        };
        if server.has(Twist::FragmentsOneByOne) {
            return Ok(Some(message(head.opcode, payload)));
        }
        if payload.is_empty() && self.partial.is_some() && server.has(Twist::EmptyFragmentsSkipped)
        {
            return Ok(None);
        }
        let binary =
            head.opcode == frame::BINARY || matches!(self.partial, Some((frame::BINARY, _)));
        let payload = if binary && server.has(Twist::BinaryFragmentsAlone) {
            String::from_utf8_lossy(&payload).into_owned().into_bytes()
        } else {
            payload
        };
        let (opcode, bytes) = match (head.opcode, self.partial.take()) {
            (frame::TEXT | frame::BINARY, None) => (head.opcode, payload),
            (frame::CONTINUATION, Some((opcode, _))) if server.has(Twist::LastFragmentOnly) => {
                (opcode, payload)
            }
            (frame::CONTINUATION, Some((opcode, mut bytes))) => {
                bytes.extend_from_slice(&payload);
                if server.has(Twist::FragmentsOf4KiB) {
                    bytes.truncate(4096);
                }
                (opcode, bytes)
            }
            (frame::CONTINUATION, None)
                if server.has(Twist::PingResetsFragments)
                    || server.has(Twist::PongResetsFragments) =>
            {
                return Ok(None);
            }
            (3..=7, partial) => {
                self.partial = partial;
                return Ok(None);
            }
            _ => return Err(End::Violation(1002)),
        };
        if bytes.len() as u64 > MESSAGE_LIMIT {
            return Err(End::Violation(1009));
        }
        if head.fin {
            return Ok(Some(message(opcode, bytes)));
        }
        self.partial = Some((opcode, bytes));
        Ok(None)
    }
}

fn control(
    server: &Arc<Server>,
    conn: &Conn,
    head: &frame::Head,
    payload: Vec<u8>,
) -> Result<(), End> {
    match head.opcode {
        frame::PING => answer::ping(server, conn, payload),
        frame::PONG => answer::pong(server, conn, &payload),
        frame::CLOSE if payload.is_empty() && server.has(Twist::CloseNeedsACode) => {
            return Err(End::Violation(1002));
        }
        frame::CLOSE => {
            *conn.reason.lock().unwrap_or_else(PoisonError::into_inner) =
                String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
            return Err(close(&payload));
        }
        _ => {}
    }
    Ok(())
}

/// What a close frame says, if it is a valid one.
fn close(payload: &[u8]) -> End {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { End::Closed(None) } else { End::Violation(1002) };
    };
    match u16::from_be_bytes(*code) {
        _ if std::str::from_utf8(reason).is_err() => End::Violation(1007),
        code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => End::Closed(Some(code)),
        _ => End::Violation(1002),
    }
}
