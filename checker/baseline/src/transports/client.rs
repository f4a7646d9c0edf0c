//! A connected contestant: one publisher and several subscribers.

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

/// The message that is sent before the race.
const WARM_UP_MESSAGE: &str = "#0 can you all hear me?";

/// Publishes messages for one contestant.
pub enum Publisher {
    /// Sends a request.
    Http(Http),
    /// Sends a frame.
    Socket(Box<Socket>),
    /// Sends a frame through a check's client, which records the conversation.
    Client(Client),
    /// Sends a line of text.
    Relay(RelayClient),
}

/// Receives messages for one contestant.
pub enum Subscriber {
    /// Polls with this period for the messages after this number of them.
    Short(Http, Duration, usize),
    /// Long-polls for the messages after this number of them.
    Long(Http, usize),
    /// Reads server-sent events.
    Events(Box<Events>),
    /// Reads frames.
    Socket(Box<Socket>),
    /// Reads frames through a check's client.
    Client(Box<Client>),
    /// Reads lines of text.
    Relay(RelayClient),
}

/// A contestant with its publisher and its subscribers.
pub struct TransportClient {
    /// The contestant.
    pub contestant: Contestant,
    /// The publisher.
    pub publisher: Publisher,
    /// The subscribers.
    pub subscribers: Vec<Subscriber>,
}

/// The proxies of a contestant. Two of them, since publishing and receiving are counted separately.
pub struct Proxies {
    /// The publisher's proxy.
    pub publishing: Proxy,
    /// The subscribers' proxy.
    pub listening: Proxy,
}

/// The route from a contestant's clients to its server.
#[derive(Clone)]
pub struct Route {
    /// The server.
    pub endpoint: Endpoint,
    /// The distance to it.
    pub distance: Distance,
}

impl Route {
    /// Opens one proxy for the publisher and one for the subscribers.
    pub async fn open_proxies(&self) -> CheckResult<Proxies> {
        let line = || Proxy::to(self.endpoint.clone(), self.distance.clone());
        Ok(Proxies { publishing: line().await?, listening: line().await? })
    }
}

/// How the contestants of a race connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// The number of subscribers.
    pub subscribers: usize,
    /// Opens a new connection for each request.
    pub reconnect: bool,
    /// The `Host` header for the WebSocket server.
    pub host: String,
    /// The path of the WebSocket server's URL.
    pub path: String,
}

impl TransportClient {
    /// Connects a contestant through these proxies.
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
                // Each subscriber has its own client, and so its own connection.
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

    /// Opens all connections and publishes one message. Fails unless every subscriber receives it.
    /// `rtt` is the round trip time and `apart` the mean time between events.
    pub async fn warm_up(&mut self, rtt: Duration, apart: Duration) -> CheckResult {
        // Requests in flight: the mean of a Poisson process, plus three standard deviations.
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
                Some(result) => result?,
                None => return Err(no_message(self.contestant, number)),
            }
        }
        Ok(())
    }
}

fn no_message(contestant: Contestant, subscriber: usize) -> CheckError {
    let summary = format!(
        "{}: subscriber {} did not hear within {} s what another client said; \
         does the server broadcast?",
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
    /// Publishes a message. Returns once it is sent.
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

    /// Receives the next broadcast. Never returns for a publisher that gets none back.
    pub async fn receive(&mut self) -> CheckResult<String> {
        match self {
            Publisher::Http(_) | Publisher::Client(_) => std::future::pending().await,
            Publisher::Socket(socket) => {
                socket.receive().await.map(|(text, _)| without_prefix(text))
            }
            Publisher::Relay(relay) => relay.receive().await.map(|(text, _)| text),
        }
    }
}

impl Subscriber {
    /// Waits for the next pushed message. Returns it with the time of its arrival. Never returns
    /// for a poller.
    pub async fn receive(&mut self) -> CheckResult<(String, Instant)> {
        match self {
            Subscriber::Short(..) | Subscriber::Long(..) => std::future::pending().await,
            Subscriber::Events(events) => loop {
                if let (client::StreamEvent::Message(text), at) = events.next().await? {
                    return Ok((text, at));
                }
            },
            Subscriber::Socket(socket) => {
                socket.receive().await.map(|(text, at)| (without_prefix(text), at))
            }
            Subscriber::Relay(relay) => relay.receive().await,
            Subscriber::Client(client) => {
                let received =
                    client.next_except_heartbeats("the message of another client").await?;
                match received.event {
                    ClientEvent::Text(text) => Ok((without_prefix(text), received.at)),
                    _ => Err(client.unexpected(&received, "the message of another client")),
                }
            }
        }
    }
}

/// Removes the prefix that a WebSocket server puts before each message.
fn without_prefix(text: String) -> String {
    text.strip_prefix(PREFIX).map(str::to_string).unwrap_or(text)
}

/// The `wait` of a long poll.
pub const WAIT: Option<Duration> = Some(LONG_WAIT);

/// Puts the contestant's name before the reason of an inconclusive result.
pub fn name_contestant(contestant: Contestant) -> impl Fn(CheckError) -> CheckError {
    move |error| match error {
        CheckError::Inconclusive(reason) => {
            CheckError::Inconclusive(format!("{}: {reason}", contestant.name()))
        }
        other => other,
    }
}
