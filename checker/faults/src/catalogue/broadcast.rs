//! Faults of `broadcast`: joining, leaving, and the clients that a message reaches.

use std::sync::OnceLock;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::coop::consume_budget;
use tokio::time::interval;

use super::common::*;

pub(super) const fn broadcast(
    name: &'static str,
    violates: &'static [&'static str],
    sentence: &'static str,
    mutation: &'static dyn Mutation,
) -> Fault {
    super::fault(Exercise::Broadcast, name, violates, sentence, mutation)
}

pub(super) const WELCOME: &str = "broadcast::welcome";
pub(super) const EVERYONE: &str = "broadcast::everyone";
pub(super) const ORDER: &str = "broadcast::order";
pub(super) const AGREEMENT: &str = "broadcast::agreement";
pub(super) const LATECOMER: &str = "broadcast::latecomer";
pub(super) const LEAVER: &str = "broadcast::leaver";
pub(super) const CROWD: &str = "broadcast::crowd";
pub(super) const SLOW: &str = "broadcast::slow";
pub(super) const HEARTBEAT: &str = "broadcast::heartbeat";
pub(super) const PUSH: &str = "latency::push";

/// The clients that have left.
static LEFT: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// Records that a client has left, unless the server dropped it.
fn record_leaver(id: u64, end: &End) {
    if !matches!(end, End::Dropped) {
        lock(&LEFT).push(id);
    }
}

/// A reply that waits, for one client or for all.
pub(super) struct Parcel {
    server: Arc<Server>,
    to: Option<Arc<Conn>>,
    from: Arc<Conn>,
    frame: Bytes,
}

/// Lets a reply wait for the next tick of a timer. `sort` gets all replies that are due.
pub(super) fn relay(
    reply: &Reply<'_>,
    to: Option<Arc<Conn>>,
    millis: u64,
    sort: fn(Vec<Parcel>) -> Vec<Parcel>,
) {
    static RELAY: OnceLock<UnboundedSender<Parcel>> = OnceLock::new();
    let relay = RELAY.get_or_init(|| {
        let (relay, mut parcels) = unbounded_channel();
        tokio::spawn(async move {
            let mut timer = interval(Duration::from_millis(millis));
            loop {
                timer.tick().await;
                for parcel in sort(std::iter::from_fn(|| parcels.try_recv().ok()).collect()) {
                    let Parcel { server, to, from, frame } = parcel;
                    match to {
                        None => server.hub.broadcast(&server, &from, &frame),
                        Some(to) if server.hub.contains(&to) => hub::offer(&to, &frame),
                        Some(_) => {}
                    }
                }
            }
        });
        relay
    });
    let (server, from, frame) = (reply.server.clone(), reply.conn.clone(), reply.frame.clone());
    drop(relay.send(Parcel { server, to, from, frame }));
}

/// Delivers a reply at once, but relays it to the clients that are `late`.
fn relay_some(reply: &Reply<'_>, late: impl Fn(&Conn) -> bool) {
    for to in reply.server.hub.all() {
        if late(&to) {
            relay(reply, Some(to), 5, |parcels| parcels);
        } else {
            hub::offer(&to, &reply.frame);
        }
    }
}

pub(super) const FAULTS: &[Fault] = &[
    broadcast(
        "welcome-to-all",
        &[WELCOME],
        "Your server sends the welcome to all clients whenever one joins; it is for the new \
         client alone.",
        mutation! {
            fn join(&self, server: &Server, clients: &mut Clients, conn: &Arc<Conn>) -> bool {
                notify_all(clients, super::common::WELCOME);
                hub::join(server, clients, conn)
            }
        },
    ),
    broadcast(
        "join-notice",
        &[WELCOME],
        "Your server notifies all clients that one joined; clients get nothing that the contract \
         does not name.",
        mutation! {
            fn join(&self, server: &Server, clients: &mut Clients, conn: &Arc<Conn>) -> bool {
                notify_all(clients, "Client joined");
                hub::join(server, clients, conn)
            }
        },
    ),
    broadcast(
        "joins-before-welcome",
        &[WELCOME],
        "Your server puts a newcomer on the list and greets it afterwards, so in a busy room the \
         first it hears is what others say; greet it first, or in the same step.",
        mutation! {
            fn join(&self, _: &Server, clients: &mut Clients, conn: &Arc<Conn>) -> bool {
                clients.insert(conn.id, conn.clone());
                let conn = conn.clone();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(2)).await;
                    conn.out.push(frame::text(super::common::WELCOME));
                });
                true
            }
        },
    ),
    broadcast(
        "broadcast-without-welcome",
        &[WELCOME],
        "The welcome was lost on the way to broadcasting; a newcomer is still greeted, unasked.",
        NO_WELCOME,
    ),
    broadcast(
        "broadcast-right-for-one-second",
        &[EVERYONE, ORDER, AGREEMENT, LATECOMER, LEAVER, CROWD, SLOW, HEARTBEAT],
        "Your server broadcasts rightly for one second after its start, and then a text of its \
         own; it has to be right for as long as it runs.",
        RIGHT_FOR_ONE_SECOND,
    ),
    broadcast(
        "sender-left-out",
        &[EVERYONE],
        "Your server sends a message to all clients but its sender; the sender is one of them.",
        mutation! {
            fn fan_out(&self, _: &Server, clients: &Clients, from: &Conn, frame: &Bytes) {
                let others = clients.values().filter(|to| to.id != from.id);
                others.for_each(|to| hub::offer(to, frame));
            }
        },
    ),
    broadcast(
        "sender-gets-it-twice",
        &[EVERYONE],
        "The sender gets its own message twice, once as the old echo and once as the broadcast.",
        mutation! {
            fn fan_out(&self, _: &Server, clients: &Clients, from: &Conn, frame: &Bytes) {
                hub::offer(from, frame);
                clients.values().for_each(|to| hub::offer(to, frame));
            }
        },
    ),
    broadcast(
        "still-an-echo",
        &[EVERYONE],
        "Your server answers the sender alone; it is still an echo, and no other client gets the \
         message.",
        mutation! {
            fn fan_out(&self, _: &Server, _: &Clients, from: &Conn, frame: &Bytes) {
                hub::offer(from, frame);
            }
        },
    ),
    broadcast(
        "nobody-hears",
        &[EVERYONE],
        "Your server sends messages into a channel, and no connection receives from it: no client \
         gets a message.",
        mutation! { fn fan_out(&self, _: &Server, _: &Clients, _: &Conn, _: &Bytes) {} },
    ),
    broadcast(
        "others-get-it-bare",
        &[EVERYONE],
        "The others get the message without `Server received: `; everyone gets the same text.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                let bare = frame::text(reply.said);
                for to in reply.server.hub.all() {
                    hub::offer(&to, if to.id == reply.conn.id { &reply.frame } else { &bare });
                }
                ok()
            }
        },
    ),
    broadcast(
        "lost-while-another-joins",
        &[EVERYONE],
        "Messages sent while another client joins are lost: your list of clients is taken away \
         while it is changed.",
        mutation! {
            fn join(&self, server: &Server, clients: &mut Clients, conn: &Arc<Conn>) -> bool {
                *lock(&LAST_JOIN) = Some(Instant::now());
                hub::join(server, clients, conn)
            }
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                let joined = *lock(&LAST_JOIN);
                if joined.is_none_or(|at| at.elapsed() >= Duration::from_millis(25)) {
                    reply.deliver();
                }
                ok()
            }
        },
    ),
    broadcast(
        "room-drops-binary",
        &[EVERYONE],
        "Your server drops binary messages; each reaches every client, as text.",
        BINARY_DROPPED,
    ),
    broadcast(
        "room-forwards-binary",
        &[EVERYONE],
        "Your server sends a binary message on as binary; clients receive it as text, with U+FFFD \
         for invalid UTF-8.",
        BINARY_AS_BINARY,
    ),
    broadcast(
        "broadcast-two-tasks-reorder",
        &[ORDER, CROWD],
        "Each message is broadcast from a task of its own, and the tasks overtake each other; one \
         sender's messages have to stay in order.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                static EVEN: AtomicBool = AtomicBool::new(false);
                if EVEN.fetch_not(SeqCst) { reply.deliver() } else { deliver_later(&reply) }
                ok()
            }
        },
    ),
    broadcast(
        "newest-first",
        &[ORDER, CROWD],
        "Messages that wait together go out newest first, a stack where a queue belongs.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                relay(&reply, None, 5, |mut parcels| {
                    parcels.reverse();
                    parcels
                });
                ok()
            }
        },
    ),
    broadcast(
        "broadcast-first-ten-connections",
        &[CROWD, AGREEMENT, EVERYONE, LEAVER],
        "Your server broadcasts what its first ten connections say, and a text of its own for the \
         eleventh; every client gets the same treatment.",
        FIRST_TEN_CONNECTIONS,
    ),
    broadcast(
        "own-message-first",
        &[AGREEMENT, CROWD],
        "Your server echoes to the sender at once and broadcasts to the others later, so everyone \
         sees their own message first and no two clients agree.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                relay_some(&reply, |to| to.id != reply.conn.id);
                ok()
            }
        },
    ),
    broadcast(
        "crossed-order",
        &[AGREEMENT, CROWD],
        "Messages reach different clients over different ways, one quicker than the other, so the \
         clients see them in different orders.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                relay_some(&reply, |to| (to.id + reply.conn.id) % 2 == 1);
                ok()
            }
        },
    ),
    broadcast(
        "walks-a-copy-of-the-list",
        &[AGREEMENT],
        "Your server copies its list of clients, lets go of the lock and then sends, so two \
         messages overtake each other on their way down the list; let one lock or one channel \
         decide which goes first.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                Box::pin(async move {
                    for to in reply.server.hub.all() {
                        // The send of a channel yields now and then, too.
                        consume_budget().await;
                        hub::offer(&to, &reply.frame);
                    }
                    Ok(())
                })
            }
        },
    ),
    broadcast(
        "history-replayed",
        &[LATECOMER],
        "A newcomer gets all that was said before it came; it joins now, and hears what is said \
         from now on.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                lock(&HISTORY).push(reply.frame.clone());
                reply.deliver();
                ok()
            }
            fn join(&self, server: &Server, clients: &mut Clients, conn: &Arc<Conn>) -> bool {
                let joined = hub::join(server, clients, conn);
                lock(&HISTORY).iter().for_each(|frame| conn.out.push(frame.clone()));
                joined
            }
        },
    ),
    broadcast(
        "last-message-replayed",
        &[LATECOMER],
        "A newcomer gets the last message from before it joined, as a `watch` channel keeps it.",
        LAST_MESSAGE_REPLAYED,
    ),
    broadcast(
        "subscribes-before-the-handshake",
        &[LATECOMER],
        "Your server subscribes a connection before its handshake, so the client gets messages \
         from before it was one.",
        mutation! {
            fn dispatch(
                &self,
                server: Arc<Server>,
                mut stream: TcpStream,
            ) -> BoxFuture<'static, ()> {
                tokio::spawn(async move {
                    let Some(conn) = join(&server) else { return };
                    match shake(&server, &mut stream).await {
                        Some(rest) => converse(server, conn, stream, rest).await,
                        None => server.hub.leave(&server, &conn, &End::Dropped),
                    }
                });
                done()
            }
        },
    ),
    broadcast(
        "stops-at-first-failed-send",
        &[LEAVER],
        "Your loop over the clients ends at the first send that fails, so a client that has left \
         silences those after it.",
        mutation! {
            fn left(&self, _: &mut Clients, id: u64, end: &End) {
                record_leaver(id, end);
            }
            fn fan_out(&self, _: &Server, clients: &Clients, _: &Conn, frame: &Bytes) {
                // A hash map is walked in any order. This alternates between two.
                static UPWARDS: AtomicBool = AtomicBool::new(false);
                let (upwards, left) = (UPWARDS.fetch_not(SeqCst), lock(&LEFT));
                let is_before = |gone: u64, id: u64| if upwards { gone < id } else { gone > id };
                let reached =
                    clients.values().filter(|to| !left.iter().any(|gone| is_before(*gone, to.id)));
                reached.for_each(|to| hub::offer(to, frame));
            }
        },
    ),
    broadcast(
        "silent-after-a-leaver",
        &[LEAVER],
        "Once a client has left, no client gets any message: its task took the lock on the list \
         with it.",
        mutation! {
            fn left(&self, _: &mut Clients, id: u64, end: &End) {
                record_leaver(id, end);
            }
            fn fan_out(&self, _: &Server, clients: &Clients, _: &Conn, frame: &Bytes) {
                if lock(&LEFT).is_empty() {
                    clients.values().for_each(|to| hub::offer(to, frame));
                }
            }
        },
    ),
    broadcast(
        "panics-at-a-leaver",
        &[LEAVER],
        "Sending to a client that has left panics in your server, an `unwrap` on a channel \
         without a receiver, and the sender is cut off.",
        mutation! {
            fn left(&self, _: &mut Clients, id: u64, end: &End) {
                record_leaver(id, end);
            }
            fn fan_out(&self, _: &Server, clients: &Clients, from: &Conn, frame: &Bytes) {
                if !lock(&LEFT).is_empty() {
                    eprintln!(
                        "thread 'tokio-runtime-worker' panicked: \
                         called `Result::unwrap()` on an `Err` value: SendError"
                    );
                    return from.kill();
                }
                clients.values().for_each(|to| hub::offer(to, frame));
            }
        },
    ),
    broadcast(
        "half-a-frame-closes-the-room",
        &[LEAVER],
        "A client that goes in the middle of a frame ends your process; for the other clients it \
         is one that has left, as any other.",
        EXITS_ON_HALF_A_FRAME,
    ),
    broadcast(
        "thrown-out-with-all-others",
        &[LEAVER],
        "A client that is thrown out for a bad frame takes the whole room along; the error is its \
         connection's alone.",
        VIOLATION_ENDS_ALL,
    ),
    broadcast(
        "leave-notice",
        &[LEAVER],
        "Your server notifies all clients that one left; clients get nothing that the contract \
         does not name.",
        LEAVE_NOTICE,
    ),
    broadcast(
        "leaver-takes-its-neighbour-along",
        &[LEAVER],
        "When a client leaves, its neighbour in your list is taken off too and hears nothing \
         more: an index is no name once the list has shrunk.",
        mutation! {
            fn left(&self, clients: &mut Clients, id: u64, end: &End) {
                let next = hub::next(clients, id).filter(|_| !matches!(end, End::Dropped));
                next.inspect(|next| drop(clients.remove(&next.id)));
            }
        },
    ),
    broadcast(
        "numbered-by-count",
        &[LEAVER],
        "Your server numbers its clients by how many there are, so after one has left, a newcomer \
         takes another's place.",
        mutation! {
            fn connection_id(&self, _: u64, clients: &Clients) -> u64 {
                clients.len() as u64
            }
        },
    ),
    broadcast(
        "place-in-the-list-remembered",
        &[LEAVER],
        "Your server looks up a leaver's place in the list and uses it a moment later; where \
         several leave at once, other clients are taken off.",
        mutation! {
            fn leave<'a>(
                &self,
                server: &'a Server,
                conn: &'a Arc<Conn>,
                end: &'a End,
            ) -> BoxFuture<'a, ()> {
                Box::pin(async {
                    let index = server.hub.all().iter().position(|other| other.id == conn.id);
                    sleep(Duration::from_millis(60)).await;
                    let there = index.and_then(|index| server.hub.all().get(index).cloned());
                    there.inspect(|there| server.hub.leave(server, there, end));
                })
            }
        },
    ),
    broadcast(
        "last-words-lost",
        &[LEAVER],
        "What a client says just before it leaves is lost with it; it was said, and is owed to \
         everyone.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                relay(&reply, None, 3, |mut parcels| {
                    parcels.retain(|parcel| parcel.server.hub.contains(&parcel.from));
                    parcels
                });
                ok()
            }
        },
    ),
    broadcast(
        "empty-room-closes",
        &[LEAVER],
        "When the last client has left, your room closes for good: the next client is welcomed \
         and gets no message.",
        mutation! {
            fn left(&self, clients: &mut Clients, id: u64, end: &End) {
                if clients.is_empty() {
                    record_leaver(id, end);
                }
            }
            fn fan_out(&self, _: &Server, clients: &Clients, _: &Conn, frame: &Bytes) {
                if lock(&LEFT).is_empty() {
                    clients.values().for_each(|to| hub::offer(to, frame));
                }
            }
        },
    ),
    broadcast(
        "room-hears-fragments-one-by-one",
        &[EVERYONE],
        "Your room hears each fragment of a message as if it were one; a message ends with the \
         frame that has FIN set.",
        FRAGMENTS_ONE_BY_ONE,
    ),
    broadcast(
        "room-ends-amid-a-write",
        &[LEAVER],
        "A client that is gone while your server writes to it ends the whole room: that write \
         fails, and you unwrap it.",
        EXITS_AMID_A_WRITE,
    ),
    broadcast(
        "splits-lines",
        &[EVERYONE],
        "What your clients say travels line by line, so a message with a line break arrives as \
         two.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                for line in format!("{PREFIX}{}", reply.said).split('\n') {
                    Reply { frame: frame::text(line), ..reply.clone() }.deliver();
                }
                ok()
            }
        },
    ),
    broadcast(
        "room-escapes-html",
        &[EVERYONE],
        "Your server escapes `<`, `>` and `&` for the pages that show a message; that is the \
         page's business, the wire carries what was said.",
        ESCAPES_HTML,
    ),
    broadcast(
        "room-parses-numbers",
        &[EVERYONE],
        "Your server parses text that looks like a number before it broadcasts it; a text of \
         digits is a text.",
        PARSES_NUMBERS,
    ),
    broadcast(
        "room-with-commands",
        &[EVERYONE],
        "Your server takes what begins with a slash for a command, as some chats do; here it is \
         said to everyone, as anything else.",
        SLASH_IS_A_COMMAND,
    ),
    broadcast(
        "nobody-else-nothing-said",
        &[EVERYONE],
        "A client that is alone in the room hears nothing of what it says; everyone is everyone, \
         sender included.",
        mutation! {
            fn fan_out(&self, _: &Server, clients: &Clients, _: &Conn, frame: &Bytes) {
                if clients.len() > 1 {
                    clients.values().for_each(|to| hub::offer(to, frame));
                }
            }
        },
    ),
    broadcast(
        "combination-replay-and-notice",
        &[LATECOMER, LEAVER],
        "Two things at once: new clients get an old message, and all clients are notified when \
         one leaves.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                lock(&HISTORY).push(reply.frame.clone());
                reply.deliver();
                ok()
            }
            fn join(&self, server: &Server, clients: &mut Clients, conn: &Arc<Conn>) -> bool {
                let joined = hub::join(server, clients, conn);
                lock(&HISTORY).last().inspect(|frame| conn.out.push((*frame).clone()));
                joined
            }
            fn left(&self, clients: &mut Clients, _: u64, end: &End) {
                if !matches!(end, End::Dropped) {
                    notify_all(clients, "Client left");
                }
            }
        },
    ),
];
