//! The reading half of a client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::event_queue::EventSender;
use super::{ClientEvent, Received};
use crate::wire::frame::{Control, Data, Frame, Item, OpCode, opcode_name};
use crate::wire::recorder::Connection;
use crate::wire::transcript::hex;
use crate::wire::{Incoming, LONGEST};

/// Reads one connection: reassembles messages, answers pings, and enforces RFC 6455.
pub(super) struct ReadTask {
    events: EventSender,
    pongs: mpsc::WeakUnboundedSender<Vec<u8>>,
    answers_pings: Arc<AtomicBool>,
    /// The bytes of all pongs so far.
    pong_bytes: u64,
    /// The bytes of the client that the kernel has taken.
    written: watch::Receiver<u64>,
    message: Option<(Data, Vec<u8>)>,
    frame: usize,
}

/// Pings are no longer answered when so many bytes of pongs wait for a server that doesn't read.
const PONG_BACKLOG: u64 = 256 << 10;

impl ReadTask {
    pub(super) fn new(
        events: EventSender,
        pongs: mpsc::WeakUnboundedSender<Vec<u8>>,
        answers_pings: Arc<AtomicBool>,
        written: watch::Receiver<u64>,
    ) -> Self {
        ReadTask { events, pongs, answers_pings, pong_bytes: 0, written, message: None, frame: 0 }
    }

    /// Reads until the connection ends.
    pub(super) async fn run(mut self, connection: Arc<Connection>, mut incoming: Incoming) {
        let reading = async {
            loop {
                match incoming.read(|item| self.receive(item)).await {
                    Ok(true) if self.events.wait_for_room().await => {}
                    // The check has dropped the client, and the server still sends without end.
                    // Reading on would take the processor from the check's other clients.
                    Ok(true) => {
                        connection.abandon();
                        return true;
                    }
                    Ok(false) => return false,
                    Err(_) => return true,
                }
            }
        };
        let was_reset = connection.until_reset(reading).await.unwrap_or(true);
        incoming.close();
        self.send(ClientEvent::End(was_reset));
    }

    fn send(&mut self, event: ClientEvent) {
        self.send_with(event, false);
    }

    fn send_with(&mut self, event: ClientEvent, answered: bool) {
        self.events.send(Received { event, at: Instant::now(), frame: self.frame, answered });
    }

    fn receive(&mut self, item: Item) {
        match item {
            Item::Head(head) => self.send(ClientEvent::Head(head)),
            Item::Body(body) => self.send(ClientEvent::Body(body)),
            Item::Garbage(bytes, why) => {
                self.send(ClientEvent::Violation(format!(
                    "bytes that are no frame ({why}): {}",
                    hex(&bytes, 8)
                )));
            }
            Item::Frame(frame) => {
                self.receive_frame(frame);
                self.frame += 1;
            }
        }
    }

    fn receive_frame(&mut self, frame: Frame) {
        if let Some(violation) = violation(&frame, self.message.is_some()) {
            return self.send(ClientEvent::Violation(violation));
        }
        match frame.opcode {
            OpCode::Control(Control::Ping) => {
                let answered = self.answers_pings.load(Ordering::Relaxed)
                    && self.pong_bytes <= *self.written.borrow() + PONG_BACKLOG;
                if answered && let Some(pongs) = self.pongs.upgrade() {
                    let pong = Frame::new(OpCode::Control(Control::Pong), frame.payload.clone());
                    let pong = pong.masked(rand::random()).encode();
                    self.pong_bytes += pong.len() as u64;
                    let _ = pongs.send(pong);
                }
                self.send_with(ClientEvent::Ping(frame.payload), answered);
            }
            OpCode::Control(Control::Pong) => self.send(ClientEvent::Pong(frame.payload)),
            OpCode::Control(_) => self.send(ClientEvent::Close(frame.close_code())),
            OpCode::Data(data) => {
                let (kind, message) = match self.message.take() {
                    Some((kind, begun)) => (kind, [begun, frame.payload].concat()),
                    None => (data, frame.payload),
                };
                if message.len() > LONGEST {
                    self.send(ClientEvent::Violation(format!(
                        "a message of more than {} MiB",
                        LONGEST >> 20
                    )));
                } else if !frame.fin {
                    self.message = Some((kind, message));
                } else if kind == Data::Binary {
                    self.send(ClientEvent::Binary(message));
                } else {
                    self.send(match String::from_utf8(message) {
                        Ok(text) => ClientEvent::Text(text),
                        Err(_) => ClientEvent::Violation(
                            "a text message that is not valid UTF-8 (section 8.1)".to_string(),
                        ),
                    });
                }
            }
        }
    }
}

/// Returns how this frame violates RFC 6455, if it does.
fn violation(frame: &Frame, in_message: bool) -> Option<String> {
    let name = opcode_name(frame.opcode);
    let control = matches!(frame.opcode, OpCode::Control(_));
    let complaint = if frame.mask.is_some() {
        format!("a masked {name} frame; only clients mask (section 5.1)")
    } else if frame.reserved_bits {
        format!(
            "a {name} frame with a reserved bit set, \
             though no extension was agreed on (section 5.2)"
        )
    } else if frame.overlong {
        format!(
            "a {name} frame that writes its length of {} in more bytes than it takes (section 5.2)",
            frame.len
        )
    } else if control && !frame.fin {
        format!("a fragmented {name} frame; control frames can't be (section 5.5)")
    } else if control && frame.len > 125 {
        format!(
            "a {name} frame of {} bytes; control frames have at most 125 (section 5.5)",
            frame.len
        )
    } else if frame.opcode == OpCode::Control(Control::Close) && frame.len == 1 {
        "a close frame with half a status code (section 5.5.1)".to_string()
    } else if frame.opcode == OpCode::Control(Control::Close)
        && frame.payload.get(2..).is_some_and(|reason| str::from_utf8(reason).is_err())
    {
        "a close frame with a reason that is not UTF-8 (section 5.5.1)".to_string()
    } else if frame.opcode == OpCode::Data(Data::Continue) && !in_message {
        "a continuation frame with nothing to continue (section 5.4)".to_string()
    } else if !control && frame.opcode != OpCode::Data(Data::Continue) && in_message {
        format!("a {name} frame in the middle of another message (section 5.4)")
    } else {
        return None;
    };
    Some(complaint)
}
