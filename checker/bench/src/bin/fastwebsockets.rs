//! The three exercises on fastwebsockets, in the way its documentation shows:
//! `fastwebsockets echo|heartbeat|broadcast`.
//!
//! It breaks one row of the contract: the library accepts frames without a mask, so
//! `echo::violations` fails.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bench::serve;
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError,
    WebSocketRead, WebSocketWrite,
};
use harness::exercise::Exercise;
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{broadcast, mpsc};
use tokio::time::{self, MissedTickBehavior};

type Io = TokioIo<hyper::upgrade::Upgraded>;

struct Room {
    exercise: Exercise,
    period: Duration,
    everyone: broadcast::Sender<Arc<str>>,
}

/// A frame for the writer.
enum Out {
    Text(String),
    /// A pong or a close frame that the library wants to send.
    Control(Frame<'static>),
}

#[tokio::main]
async fn main() {
    let everyone = broadcast::Sender::new(serve::BACKLOG);
    let room = Arc::new(Room { exercise: serve::exercise(), period: serve::period(), everyone });
    let listener = serve::listen().await;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let room = room.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| handshake(request, room.clone()));
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}

async fn handshake(
    mut request: Request<Incoming>,
    room: Arc<Room>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let Ok((response, upgraded)) = upgrade(&mut request) else {
        let mut refused = Response::new(Empty::new());
        *refused.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(refused);
    };
    tokio::spawn(async move {
        serve::log("Client connected");
        let _ = match room.exercise {
            Exercise::Echo => echo(upgraded).await,
            _ => live(upgraded, &room).await,
        };
        serve::log("Client disconnected");
    });
    Ok(response)
}

fn text(text: &[u8]) -> Frame<'_> {
    Frame::text(Payload::Borrowed(text))
}

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let mut ws = FragmentCollector::new(upgraded.await?);
    ws.write_frame(text(serve::WELCOME.as_bytes())).await?;
    loop {
        let frame = ws.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => {
                let reply = serve::reply(&frame.payload);
                ws.write_frame(text(reply.as_bytes())).await?;
            }
            _ => {}
        }
    }
}

async fn live(upgraded: UpgradeFut, room: &Room) -> Result<(), WebSocketError> {
    let inbox = room.everyone.subscribe();
    let ws = upgraded.await?;
    let (reader, mut writer) = ws.split(tokio::io::split);
    writer.write_frame(text(serve::WELCOME.as_bytes())).await?;
    let alive = AtomicBool::new(true);
    let (replies, own) = mpsc::channel(64);
    tokio::select! {
        ended = read(reader, &alive, replies, room) => ended,
        ended = write(writer, &alive, own, inbox, room) => ended,
    }
}

async fn read(
    reader: WebSocketRead<ReadHalf<Io>>,
    alive: &AtomicBool,
    replies: mpsc::Sender<Out>,
    room: &Room,
) -> Result<(), WebSocketError> {
    let mut reader = FragmentCollectorRead::new(reader);
    loop {
        let mut answer = |frame: Frame<'_>| {
            let payload = Payload::Owned(frame.payload.to_vec());
            let frame = Frame::new(frame.fin, frame.opcode, None, payload);
            let replies = replies.clone();
            async move { replies.send(Out::Control(frame)).await }
        };
        let frame = reader.read_frame(&mut answer).await?;
        match frame.opcode {
            // The writer sends the close frame and then ends the connection.
            OpCode::Close => std::future::pending().await,
            OpCode::Pong => alive.store(true, Ordering::Relaxed),
            OpCode::Text | OpCode::Binary => {
                let reply = serve::reply(&frame.payload);
                if room.exercise == Exercise::Broadcast {
                    let _ = room.everyone.send(reply.into());
                } else if replies.send(Out::Text(reply)).await.is_err() {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
}

async fn write(
    mut writer: WebSocketWrite<WriteHalf<Io>>,
    alive: &AtomicBool,
    mut own: mpsc::Receiver<Out>,
    mut inbox: broadcast::Receiver<Arc<str>>,
    room: &Room,
) -> Result<(), WebSocketError> {
    let mut clock = time::interval(room.period);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock.tick().await;
    loop {
        // The frame borrows from these until it is written.
        let (own_text, said);
        let frame = tokio::select! {
            Some(out) = own.recv() => match out {
                Out::Control(frame) => frame,
                Out::Text(reply) => {
                    own_text = reply;
                    text(own_text.as_bytes())
                }
            },
            heard = inbox.recv() => match heard {
                Ok(heard) => {
                    said = heard;
                    text(said.as_bytes())
                }
                Err(_) => return Ok(()),
            },
            _ = clock.tick() => {
                if !alive.swap(false, Ordering::Relaxed) {
                    return Ok(());
                }
                Frame::new(true, OpCode::Ping, None, Payload::Borrowed(&[]))
            }
        };
        let last = frame.opcode == OpCode::Close;
        // A client that has not read for an interval is dropped.
        match time::timeout(room.period, writer.write_frame(frame)).await {
            Ok(written) => written?,
            Err(_) => return Ok(()),
        }
        if last {
            return Ok(());
        }
    }
}
