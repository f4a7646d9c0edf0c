//! One contestant, connected: a publisher that publishes and subscribers that listen.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::plan::Contestant;
use super::proxy::{Distance, Endpoint, Proxy};
use super::relay::RelayClient;
use super::socket::Socket;
use crate::LONG_WAIT;
use crate::client::{self, Events, Http};
use harness::client::{Client, ClientEvent, PREFIX, RESPONSE_TIMEOUT, timeout_on_busy_host};
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind};

/// What is said before the race.
const WARM_UP_MESSAGE: &str = "#0 can you all hear me?";

/// Publishes for one contestant.
pub enum Publisher {
    /// By a request.
    Http(Http),
    /// By a frame.
    Socket(Box<Socket>),
    /// By a client of a check, which keeps the conversation.
    Client(Client),
    /// By bytes.
    Relay(RelayClient),
}

/// Listens for one contestant.
pub enum Subscriber {
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
    Relay(RelayClient),
}

/// A contestant that has its publisher and its subscribers.
pub struct TransportClient {
    /// Which.
    pub contestant: Contestant,
    /// Who publishes.
    pub publisher: Publisher,
    /// Who listens.
    pub subscribers: Vec<Subscriber>,
}

/// The lines over which a lane talks: what publishing costs and what listening costs are two things.
pub struct Proxies {
    /// The publisher's.
    pub publishing: Proxy,
    /// The subscribers'.
    pub listening: Proxy,
}

/// Where a lane's lines lead, and how far.
#[derive(Clone)]
pub struct Route {
    /// Its server.
    pub endpoint: Endpoint,
    /// How far away it is.
    pub distance: Distance,
}

impl Route {
    /// Lays the lines.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub async fn open_proxies(&self) -> CheckResult<Proxies> {
        let line = || Proxy::to(self.endpoint.clone(), self.distance.clone());
        Ok(Proxies { publishing: line().await?, listening: line().await? })
    }
}

/// How the lanes of a race are connected.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// How many listen.
    pub subscribers: usize,
    /// A new connection for each request.
    pub reconnect: bool,
    /// The WebSocket server's name and path, as in its address.
    pub host: String,
    /// See `host`.
    pub path: String,
}

impl TransportClient {
    /// Connects a contestant over these lines.
    ///
    /// # Errors
    /// When its server doesn't take part.
    pub async fn connect(
        contestant: Contestant,
        lines: &Proxies,
        how: &ConnectOptions,
    ) -> CheckResult<Self> {
        let (near, far) = (lines.publishing.address, lines.listening.address);
        let socket =
            async |address| Socket::connect(address, &how.host, &how.path).await.map(Box::new);
        let publisher = match contestant {
            Contestant::Push => Publisher::Socket(socket(near).await?),
            Contestant::Relay => Publisher::Relay(RelayClient::connect(near).await?),
            _ => Publisher::Http(Http::new(near, how.reconnect)),
        };
        let subscriber = async |_| {
            Ok::<_, CheckError>(match contestant {
                Contestant::Push => Subscriber::Socket(socket(far).await?),
                Contestant::Relay => Subscriber::Relay(RelayClient::connect(far).await?),
                // Each has a client of its own, and so a connection of its own.
                Contestant::Short(period) => {
                    Subscriber::Short(Http::new(far, how.reconnect), period, 0)
                }
                Contestant::Long => Subscriber::Long(Http::new(far, how.reconnect), 0),
                Contestant::Events => {
                    Subscriber::Events(Box::new(Http::new(far, how.reconnect).events(None).await?))
                }
            })
        };
        let subscribers = try_join_all((0..how.subscribers).map(subscriber)).await?;
        Ok(TransportClient { contestant, publisher, subscribers })
    }

    /// Sends one message to everyone: from here on all connections stand, and everybody is known to hear. Over a
    /// line so long, with events so far apart.
    ///
    /// # Errors
    /// When it doesn't arrive.
    pub async fn warm_up(&mut self, rtt: Duration, apart: Duration) -> CheckResult {
        // Requests that are under way at a time; at random moments there may be many more than on the average.
        let requests = |every: Duration| {
            let mean = rtt.as_secs_f64() / every.as_secs_f64();
            (mean + 3.0 * mean.sqrt()).ceil() as usize + 2
        };
        if let Publisher::Http(http) = &self.publisher {
            http.warm_up(requests(apart)).await?;
        }
        for subscriber in &self.subscribers {
            if let Subscriber::Short(http, period, _) = subscriber {
                http.warm_up(requests(*period)).await?;
            }
        }
        self.publisher.send(WARM_UP_MESSAGE).await?;
        for (number, subscriber) in self.subscribers.iter_mut().enumerate() {
            let receiving = async {
                match subscriber {
                    Subscriber::Short(http, _, since) | Subscriber::Long(http, since) => {
                        *since = http.poll(0, WAIT).await?.next
                    }
                    pushed => while pushed.receive().await?.0 != WARM_UP_MESSAGE {},
                }
                Ok::<_, CheckError>(())
            };
            match timeout_on_busy_host(RESPONSE_TIMEOUT, receiving).await {
                Some(heard) => heard?,
                None => return Err(no_message(self.contestant, number)),
            }
        }
        Ok(())
    }
}

fn no_message(contestant: Contestant, subscriber: usize) -> CheckError {
    let summary = format!(
        "{}: subscriber {} did not hear within {} s what another client said; does the server broadcast?",
        contestant.name(),
        subscriber + 1,
        RESPONSE_TIMEOUT.as_secs()
    );
    match contestant {
        Contestant::Push => Failure::new(FailureKind::Silence, summary).into(),
        _ => CheckError::Inconclusive(summary),
    }
}

impl Publisher {
    /// Publishes; when this returns, it is on its way.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn send(&mut self, text: &str) -> CheckResult {
        match self {
            Publisher::Http(http) => http.publish(text).await,
            Publisher::Socket(socket) => socket.send(text).await,
            Publisher::Relay(relay) => relay.send(text).await,
            Publisher::Client(client) => {
                client.send_text(text);
                Ok(())
            }
        }
    }

    /// Takes what comes back, if anything does: the publisher is one of everyone.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn receive(&mut self) -> CheckResult<String> {
        match self {
            Publisher::Http(_) | Publisher::Client(_) => std::future::pending().await,
            Publisher::Socket(socket) => socket.receive().await.map(|(text, _)| unprefixed(text)),
            Publisher::Relay(relay) => relay.receive().await.map(|(text, _)| text),
        }
    }
}

impl Subscriber {
    /// The next message that is pushed, and when it was there. Those who ask hear nothing by themselves.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn receive(&mut self) -> CheckResult<(String, Instant)> {
        match self {
            Subscriber::Short(..) | Subscriber::Long(..) => std::future::pending().await,
            Subscriber::Events(events) => loop {
                if let (client::StreamEvent::Message(text), at) = events.next().await? {
                    return Ok((text, at));
                }
            },
            Subscriber::Socket(socket) => {
                socket.receive().await.map(|(text, at)| (unprefixed(text), at))
            }
            Subscriber::Relay(relay) => relay.receive().await,
            Subscriber::Client(client) => {
                let received =
                    client.next_except_heartbeats("the message of another client").await?;
                match received.event {
                    ClientEvent::Text(text) => Ok((unprefixed(text), received.at)),
                    _ => Err(client.unexpected(&received, "the message of another client")),
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
pub fn name_contestant(contestant: Contestant) -> impl Fn(CheckError) -> CheckError {
    move |error| match error {
        CheckError::Inconclusive(reason) => {
            CheckError::Inconclusive(format!("{}: {reason}", contestant.name()))
        }
        other => other,
    }
}
