//! What the server says: welcome, reply, pong, close, and its log lines.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Bytes;

use super::conn::Conn;
use super::reader::{End, Message};
use super::{Server, Twist, frame, hub};
use crate::pieces::Exercise;
use crate::text;

/// Welcomes a newcomer.
pub(crate) fn welcome(server: &Server, conn: &Conn) {
    if server.has(Twist::WelcomeAside) {
        let out = conn.out.clone();
        drop(tokio::spawn(async move {
            sleep(Duration::from_millis(20)).await;
            out.push(frame::text(text::WELCOME));
        }));
        return;
    }
    welcomes(server).into_iter().for_each(|frame| conn.out.push(frame));
}

/// The frames of the welcome to a newcomer.
fn welcomes(server: &Server) -> Vec<Bytes> {
    let welcome = text_frames(server, text::WELCOME);
    let first = !server.welcomed.swap(true, SeqCst);
    match () {
        () if server.has(Twist::NoWelcome) || server.has(Twist::WelcomeAfterFirstMessage) => vec![],
        () if server.has(Twist::WelcomeOnce) && !first => vec![],
        () if server.has(Twist::WelcomeTwice) => vec![welcome.clone(), welcome],
        () if server.has(Twist::WelcomeOtherwise) => {
            vec![frame::text("Welcome! Connection established")]
        }
        () if server.has(Twist::WelcomeAsBinary) => {
            vec![frame::encode(frame::BINARY, text::WELCOME.as_bytes())]
        }
        () => vec![welcome],
    }
}

fn text_frames(server: &Server, text: &str) -> Bytes {
    if server.has(Twist::FragmentsEverything) {
        frame::with_pings_between(text)
    } else {
        frame::text(text)
    }
}

/// Answers one message, or says why the connection has to end.
pub(crate) async fn message(
    server: &Arc<Server>,
    conn: &Arc<Conn>,
    message: Message,
) -> Result<(), End> {
    let nth = conn.messages.fetch_add(1, SeqCst);
    conn.talked.store(true, SeqCst);
    if server.has(Twist::TrafficPostponesPings)
        || server.has(Twist::BinaryPostponesPings) && message.binary
    {
        conn.talk.notify_one();
    }
    if server.has(Twist::MessagesCount)
        || server.has(Twist::BinaryCounts) && message.binary
        || server.has(Twist::FragmentsCount) && message.in_fragments
    {
        conn.alive.store(true, SeqCst);
    }
    let (pipelined, binary, long) =
        (message.pipelined, message.binary, message.bytes.len() > 32 * 1024);
    let Some(said) = read(server, conn, message)? else {
        return Ok(());
    };
    if server.has(Twist::QuitEnds) && ["quit", "exit", "bye"].contains(&said.as_str()) {
        return Err(End::Closed(Some(1000)));
    }
    let said = if server.has(Twist::SharedMessage) {
        *server.message.lock().unwrap_or_else(PoisonError::into_inner) = said;
        sleep(Duration::from_millis(1)).await;
        server.message.lock().unwrap_or_else(PoisonError::into_inner).clone()
    } else {
        said
    };
    log_received(server, &said);
    if server.has(Twist::PoisonsLockOnVanish) {
        drop(server.tally.lock().map_err(|_| End::Dropped)?);
    }
    let reply = text::reply(server.twists, conn.id, server.started.elapsed(), &said);
    let Some(reply) = reply else { return Ok(()) };
    let reply = if server.has(Twist::FragmentsLongReplies) {
        frame::fragmented(&reply, 1000)
    } else {
        text_frames(server, &reply)
    };
    if server.has(Twist::PingsPerMessage) {
        conn.out.push(frame::encode(frame::PING, b""));
    }
    if server.exercise == Exercise::Broadcast {
        hub::broadcast(server, conn, &said, reply).await;
        return Ok(());
    }
    if pipelined && server.has(Twist::AnswersFirstOfABatch) {
        return Ok(());
    }
    if pipelined && server.has(Twist::AnswersTwiceUnderLoad) {
        conn.out.push(reply.clone());
    }
    let queued = conn.out.pending().0;
    if server.has(Twist::QueueOfSixteen) && queued >= 16
        || server.has(Twist::QueueOf256) && queued >= 256
    {
        return Ok(());
    }
    let aside = server.has(Twist::ReordersPairs) && nth.is_multiple_of(2)
        || server.has(Twist::BinaryAside) && binary
        || server.has(Twist::LongAside) && long;
    if aside {
        let conn = conn.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(3)).await;
            conn.out.push(reply);
        });
        return Ok(());
    }
    if server.has(Twist::WritesInTurn) {
        server.hub.write_in_turn(conn, reply).await;
        return Ok(());
    }
    if server.has(Twist::NoLimitOnReplies) || server.has(Twist::NoLimitOnPings) {
        let _turn = conn.turn.lock().await;
        conn.out.push(reply);
        let written = conn.out.at_most(0);
        if server.has(Twist::NoLimitOnReplies) {
            written.await;
        } else if timeout(server.interval, written).await.is_err() {
            return Err(End::Dropped);
        }
        return Ok(());
    }
    conn.out.push(reply);
    if nth == 0 && server.has(Twist::WelcomeAfterFirstMessage) {
        conn.out.push(frame::text(text::WELCOME));
    }
    Ok(())
}

/// A message as text; nothing if it is to be ignored.
fn read(server: &Server, conn: &Conn, message: Message) -> Result<Option<String>, End> {
    let bytes = message.bytes;
    if !message.binary {
        return match String::from_utf8(bytes) {
            Ok(said) if server.has(Twist::TextLosesMark) => Ok(Some(without_mark(&said))),
            Ok(said) => Ok(Some(said)),
            Err(_) if server.has(Twist::IgnoresInvalidText) => Ok(None),
            Err(error)
                if server.has(Twist::AwaitsRestOfCharacter)
                    && error.utf8_error().error_len().is_none() =>
            {
                let whole = error.utf8_error().valid_up_to();
                Ok(Some(String::from_utf8_lossy(&error.as_bytes()[..whole]).into_owned()))
            }
            Err(error)
                if server.has(Twist::EchoesInvalidText)
                    || server.has(Twist::FragmentsUnchecked) && message.in_fragments
                    || server.has(Twist::LaxUtf8) && in_its_form(error.as_bytes()) =>
            {
                Ok(Some(String::from_utf8_lossy(error.as_bytes()).into_owned()))
            }
            Err(_) => Err(End::Violation(1007)),
        };
    }
    let lossy = String::from_utf8_lossy(&bytes).into_owned();
    Ok(match () {
        () if server.has(Twist::BinaryDropped) => None,
        () if server.has(Twist::BinaryAsBinary) => {
            let frame = frame::encode(frame::BINARY, format!("{}{lossy}", text::PREFIX).as_bytes());
            if server.exercise == Exercise::Broadcast {
                server.hub.all().iter().for_each(|to| to.out.push(frame.clone()));
            } else {
                conn.out.push(frame);
            }
            None
        }
        () if server.has(Twist::BinaryKills) && lossy.as_bytes() != bytes => {
            return Err(End::Dropped);
        }
        () if server.has(Twist::BinaryStripped) => {
            Some(bytes.utf8_chunks().map(|chunk| chunk.valid()).collect())
        }
        () if server.has(Twist::BinaryQuestionMarks) => Some(lossy.replace('\u{FFFD}', "?")),
        () if server.has(Twist::BinaryAsList) => Some(format!("{bytes:?}")),
        () if server.has(Twist::BinaryLosesMark) => Some(without_mark(&lossy)),
        () if server.has(Twist::BinaryInBuffers) => Some(text::in_pieces(&bytes, 8 * 1024)),
        () => Some(lossy),
    })
}

/// For a twist: each first byte has the number of bytes behind it that it announces, whatever they amount to.
fn in_its_form(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((first, behind)) = rest.split_first() {
        let count = match first.leading_ones() {
            0 => 0,
            ones @ 2..=4 => ones as usize - 1,
            _ => return false,
        };
        let Some((those, further)) = behind.split_at_checked(count) else { return false };
        // Surrogates it has heard of.
        if those.iter().any(|byte| byte.leading_ones() != 1) || *first == 0xED && those[0] >= 0xA0 {
            return false;
        }
        rest = further;
    }
    true
}

/// As a decoder reads it that takes U+FEFF at the beginning for a byte order mark.
fn without_mark(said: &str) -> String {
    said.strip_prefix('\u{FEFF}').unwrap_or(said).to_owned()
}

/// Answers a ping.
pub(crate) fn ping(server: &Server, conn: &Conn, payload: Vec<u8>) {
    if server.has(Twist::OnlyPingsCount) || server.has(Twist::PingsCountToo) {
        conn.alive.store(true, SeqCst);
    }
    if server.has(Twist::ClientsPingsPostponePings) {
        conn.talk.notify_one();
    }
    if server.has(Twist::PongsTwice) {
        conn.out.push(frame::encode(frame::PONG, b"unasked"));
        conn.out.push(frame::encode(frame::PONG, &payload));
    }
    conn.out.push(match () {
        () if server.has(Twist::IgnoresPings) => return,
        () if server.has(Twist::PongIsEmpty) => frame::encode(frame::PONG, b""),
        () if server.has(Twist::PongIsText) => frame::text("pong"),
        () if server.has(Twist::PongIsLossy) => frame::encode(
            frame::PONG,
            &String::from_utf8_lossy(&payload).as_bytes()[..payload.len()],
        ),
        () => frame::encode(frame::PONG, &payload),
    });
}

/// Notes a pong.
pub(crate) fn pong(server: &Server, conn: &Conn, payload: &[u8]) {
    if server.has(Twist::EchoesPongs) {
        let frame = frame::text(&format!("{}{}", text::PREFIX, String::from_utf8_lossy(payload)));
        if server.exercise == Exercise::Broadcast {
            server.hub.all().iter().for_each(|to| to.out.push(frame.clone()));
        } else {
            conn.out.push(frame);
        }
    }
    if server.has(Twist::LatePongsAreLost) {
        let pinged = *conn.pinged.lock().unwrap_or_else(PoisonError::into_inner);
        if pinged.is_some_and(|at| at.elapsed() > server.interval / 2) {
            return;
        }
    }
    let sent = conn
        .pinged
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .map(|at| (at - server.started).as_nanos());
    if server.has(Twist::OnlyItsOwnPongs)
        && sent.map(u128::to_be_bytes).as_ref().map(|sent| &sent[..]) != Some(payload)
    {
        return;
    }
    if server.has(Twist::PongPostponesPings) {
        conn.talk.notify_one();
    }
    if server.has(Twist::PongTriggersPing) {
        conn.out.push(frame::encode(frame::PING, b""));
    }
    conn.pongs.fetch_add(1, SeqCst);
    if !server.has(Twist::OnlyPingsCount) {
        conn.alive.store(true, SeqCst);
        *server.last_pong.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// The last frame to a client that said good-bye or has to be shown the door; false if it gets none.
pub(crate) fn farewell(server: &Server, conn: &Conn, end: &End) -> bool {
    let code = match end {
        End::Closed(code) => *code,
        End::Violation(_) if server.has(Twist::ResetsOffenders) => return false,
        End::Violation(code) => Some(*code),
        End::Vanished { .. } | End::Dropped => return false,
    };
    let closed = matches!(end, End::Closed(_));
    if closed && server.has(Twist::CloseUnanswered) {
        conn.out.end();
    } else if closed && server.has(Twist::CloseIs1000) {
        conn.out.push_last(frame::close(Some(1000)));
    } else if closed && server.has(Twist::CloseIsEmpty) {
        conn.out.push_last(frame::close(None));
    } else if closed && server.has(Twist::ClosesAreWellKnown) {
        conn.out.push_last(frame::close(
            code.map(|code| if (3000..4000).contains(&code) { 1000 } else { code }),
        ));
    } else if closed && server.has(Twist::CloseIs1005) {
        conn.out.push_last(frame::close(code.or(Some(1005))));
    } else if closed && server.has(Twist::CloseIsSwapped) {
        conn.out.push_last(frame::close(code.map(u16::swap_bytes)));
    } else if closed && server.has(Twist::GoodbyeAfterClose) {
        conn.out.push(frame::close(code));
        conn.out.push_last(frame::text("Goodbye!"));
    } else if closed && server.has(Twist::CloseSaysMore) {
        let reason = conn.reason.lock().unwrap_or_else(PoisonError::into_inner);
        let code = code.unwrap_or(1000).to_be_bytes();
        let said = format!("client closed: {reason}");
        conn.out.push_last(frame::encode(frame::CLOSE, &[&code, said.as_bytes()].concat()));
    } else if closed && server.has(Twist::TcpLeftOpen) {
        conn.out.push(frame::close(code));
    } else {
        conn.out.push_last(frame::close(code));
    }
    true
}

pub(crate) fn log_connected(server: &Server) {
    log(
        server,
        match () {
            () if server.has(Twist::LogsNoConnect) => return,
            () if server.has(Twist::LogsOtherWords) => "New client connected!".into(),
            () => "Client connected".into(),
        },
    );
}

fn log_received(server: &Server, said: &str) {
    log(
        server,
        match () {
            () if server.has(Twist::LogsOtherWords) => format!("Message received: {said}"),
            () if server.has(Twist::LogsWithoutMessage) => "Received a message".into(),
            () if server.has(Twist::LogsTrimmed) => format!("Received: {}", said.trim()),
            () if server.has(Twist::LogsDebug) => format!("Received: {said:?}"),
            () if server.has(Twist::LogsFirst80) => {
                format!("Received: {}", said.chars().take(80).collect::<String>())
            }
            () if server.has(Twist::LogsInTwoWrites) => {
                print!("Received: ");
                std::thread::sleep(Duration::from_micros(200));
                println!("{said}");
                return;
            }
            () => format!("Received: {said}"),
        },
    );
}

pub(crate) fn log_disconnected(server: &Server, end: &End) {
    if server.has(Twist::LogsOnlyPoliteLeave) && !matches!(end, End::Closed(_)) {
        return;
    }
    if server.has(Twist::LogsNoThrowingOut) && matches!(end, End::Violation(_)) {
        return;
    }
    if server.has(Twist::LogsLeaveTwice) {
        log(server, "Client disconnected".into());
    }
    log(
        server,
        if server.has(Twist::LogsOtherWords) {
            "Client left".into()
        } else {
            "Client disconnected".into()
        },
    );
}

fn log(server: &Server, line: String) {
    if server.has(Twist::LogsToStderr) {
        eprintln!("{line}");
    } else {
        server.log.line(line);
    }
}
