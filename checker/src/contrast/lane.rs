//! One contestant, connected: a mouth that publishes and ears that listen.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::line::{Distance, Endpoint, Line};
use super::plan::Contestant;
use super::relay::Caller;
use super::socket::Socket;
use crate::client::{Client, Heard, PATIENCE, PREFIX, within};
use crate::polling::LONG_WAIT;
use crate::polling::client::{self, Events, Http};
use crate::verdict::{Checked, Failure, Kind, Trouble};

/// What is said before the race.
const REHEARSAL: &str = "#0 can you all hear me?";

/// Publishes for one contestant.
pub enum Mouth {
    /// By a request.
    Http(Http),
    /// By a frame.
    Socket(Box<Socket>),
    /// By a client of a check, which keeps the conversation.
    Client(Client),
    /// By bytes.
    Relay(Caller),
}

/// Listens for one contestant.
pub enum Ear {
    /// Asks by the clock, with this period, for what came after so many messages.
    Short(Http, Duration, usize),
    /// Asks for what came after so many messages, and waits.
    Long(Http, usize),
    /// Hears events.
    Events(Box<Events>),
    /// Hears frames.
    Socket(Box<Socket>),
    /// The same, through a client of a check.
    Client(Box<Client>),
    /// Hears bytes.
    Relay(Caller),
}

/// A contestant that has its publisher and its subscribers.
pub struct Lane {
    /// Which.
    pub contestant: Contestant,
    /// Who publishes.
    pub mouth: Mouth,
    /// Who listens.
    pub ears: Vec<Ear>,
}

/// The lines over which a lane talks: what publishing costs and what listening costs are two things.
pub struct Lines {
    /// The publisher's.
    pub publishing: Line,
    /// The subscribers'.
    pub listening: Line,
}

/// Where a lane's lines lead, and how far.
#[derive(Clone)]
pub struct Wiring {
    /// Its server.
    pub endpoint: Endpoint,
    /// How far away it is.
    pub distance: Distance,
}

impl Wiring {
    /// Lays the lines.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub async fn lay(&self) -> Checked<Lines> {
        let line = || Line::to(self.endpoint.clone(), self.distance.clone());
        Ok(Lines { publishing: line().await?, listening: line().await? })
    }
}

/// How the lanes of a race are connected.
#[derive(Debug, Clone)]
pub struct Connecting {
    /// How many listen.
    pub subscribers: usize,
    /// A new connection for each request.
    pub reconnect: bool,
    /// The WebSocket server's name and path, as in its address.
    pub host: String,
    /// See `host`.
    pub path: String,
}

impl Lane {
    /// Connects a contestant over these lines.
    ///
    /// # Errors
    /// When its server doesn't take part.
    pub async fn connect(contestant: Contestant, lines: &Lines, how: &Connecting) -> Checked<Self> {
        let (near, far) = (lines.publishing.address, lines.listening.address);
        let socket =
            async |address| Socket::connect(address, &how.host, &how.path).await.map(Box::new);
        let mouth = match contestant {
            Contestant::Push => Mouth::Socket(socket(near).await?),
            Contestant::Relay => Mouth::Relay(Caller::connect(near).await?),
            _ => Mouth::Http(Http::new(near, how.reconnect)),
        };
        let ear = async |_| {
            Ok::<_, Trouble>(match contestant {
                Contestant::Push => Ear::Socket(socket(far).await?),
                Contestant::Relay => Ear::Relay(Caller::connect(far).await?),
                // Each has a client of its own, and so a connection of its own.
                Contestant::Short(period) => Ear::Short(Http::new(far, how.reconnect), period, 0),
                Contestant::Long => Ear::Long(Http::new(far, how.reconnect), 0),
                Contestant::Events => {
                    Ear::Events(Box::new(Http::new(far, how.reconnect).events(None).await?))
                }
            })
        };
        let ears = try_join_all((0..how.subscribers).map(ear)).await?;
        Ok(Lane { contestant, mouth, ears })
    }

    /// Sends one message to everyone: from here on all connections stand, and everybody is known to hear. Over a
    /// line so long, with events so far apart.
    ///
    /// # Errors
    /// When it doesn't arrive.
    pub async fn rehearse(&mut self, rtt: Duration, apart: Duration) -> Checked {
        // Requests that are under way at a time; at random moments there may be many more than on the average.
        let requests = |every: Duration| {
            let mean = rtt.as_secs_f64() / every.as_secs_f64();
            (mean + 3.0 * mean.sqrt()).ceil() as usize + 2
        };
        if let Mouth::Http(http) = &self.mouth {
            http.warm_up(requests(apart)).await?;
        }
        for ear in &self.ears {
            if let Ear::Short(http, period, _) = ear {
                http.warm_up(requests(*period)).await?;
            }
        }
        self.mouth.say(REHEARSAL).await?;
        for (number, ear) in self.ears.iter_mut().enumerate() {
            let hearing = async {
                match ear {
                    Ear::Short(http, _, since) | Ear::Long(http, since) => {
                        *since = http.poll(0, WAIT).await?.next
                    }
                    pushed => while pushed.hear().await?.0 != REHEARSAL {},
                }
                Ok::<_, Trouble>(())
            };
            match within(PATIENCE, hearing).await {
                Some(heard) => heard?,
                None => return Err(deaf(self.contestant, number)),
            }
        }
        Ok(())
    }
}

fn deaf(contestant: Contestant, subscriber: usize) -> Trouble {
    let summary = format!(
        "{}: subscriber {} did not hear within {} s what another client said; does the server broadcast?",
        contestant.name(),
        subscriber + 1,
        PATIENCE.as_secs()
    );
    match contestant {
        Contestant::Push => Failure::new(Kind::Silence, summary).into(),
        _ => Trouble::Unknown(summary),
    }
}

impl Mouth {
    /// Publishes; when this returns, it is on its way.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn say(&mut self, text: &str) -> Checked {
        match self {
            Mouth::Http(http) => http.publish(text).await,
            Mouth::Socket(socket) => socket.say(text).await,
            Mouth::Relay(caller) => caller.say(text).await,
            Mouth::Client(client) => {
                client.send_text(text);
                Ok(())
            }
        }
    }

    /// Takes what comes back, if anything does: the publisher is one of everyone.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn hear(&mut self) -> Checked<String> {
        match self {
            Mouth::Http(_) | Mouth::Client(_) => std::future::pending().await,
            Mouth::Socket(socket) => socket.hear().await.map(|(text, _)| unprefixed(text)),
            Mouth::Relay(caller) => caller.hear().await.map(|(text, _)| text),
        }
    }
}

impl Ear {
    /// The next message that is pushed, and when it was there. Those who ask hear nothing by themselves.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn hear(&mut self) -> Checked<(String, Instant)> {
        match self {
            Ear::Short(..) | Ear::Long(..) => std::future::pending().await,
            Ear::Events(events) => loop {
                if let (client::Heard::Message(text), at) = events.next().await? {
                    return Ok((text, at));
                }
            },
            Ear::Socket(socket) => socket.hear().await.map(|(text, at)| (unprefixed(text), at)),
            Ear::Relay(caller) => caller.hear().await,
            Ear::Client(client) => {
                let moment = client.next_but_heartbeats("the message of another client").await?;
                match moment.heard {
                    Heard::Text(text) => Ok((unprefixed(text), moment.at)),
                    _ => Err(client.instead(&moment, "the message of another client")),
                }
            }
        }
    }
}

/// What was said, of what came back.
fn unprefixed(text: String) -> String {
    text.strip_prefix(PREFIX).map(str::to_string).unwrap_or(text)
}

/// What a long poll asks for.
pub const WAIT: Option<Duration> = Some(LONG_WAIT);

/// Says of a trouble whose it was.
pub fn of(contestant: Contestant) -> impl Fn(Trouble) -> Trouble {
    move |trouble| match trouble {
        Trouble::Unknown(reason) => Trouble::Unknown(format!("{}: {reason}", contestant.name())),
        other => other,
    }
}
