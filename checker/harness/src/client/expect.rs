//! Waits for events of the server, and makes failures of unexpected ones.

use std::time::Instant;

use super::{Client, ClientEvent, RESPONSE_TIMEOUT, Received, reply, timeout_on_busy_host};
use crate::failure::{Awaited, Cause, Instead};
use crate::verdict::{CheckError, CheckResult};
use crate::wire::transcript::Highlight;

impl Client {
    /// Waits for the next event. `wanted` names the awaited event in the failure.
    pub async fn next(&mut self, wanted: &str) -> CheckResult<Received> {
        if let Some(received) = self.held_back.pop_front() {
            return Ok(received);
        }
        match timeout_on_busy_host(RESPONSE_TIMEOUT, self.events.next()).await {
            Some(Some(received)) => {
                self.frame = received.frame;
                Ok(received)
            }
            Some(None) => Err(self.missing(named(wanted), Instead::Ended)),
            None => Err(self.timed_out(named(wanted))),
        }
    }

    /// Waits for the next event, without a timeout; `None` after the end of the connection.
    pub(super) async fn next_event(&mut self) -> Option<Received> {
        let received = match self.held_back.pop_front() {
            Some(received) => received,
            None => self.events.next().await?,
        };
        self.frame = received.frame;
        Some(received)
    }

    /// Waits for the next event that is neither ping nor pong. The times of pings are kept in
    /// `pings`.
    pub async fn next_except_heartbeats(&mut self, wanted: &str) -> CheckResult<Received> {
        let waiting = async {
            loop {
                let received = self.next(wanted).await?;
                match received.event {
                    ClientEvent::Ping(_) => self.pings.push(received.at),
                    ClientEvent::Pong(_) => {}
                    _ => return Ok(received),
                }
            }
        };
        // Heartbeats alone must not extend the timeout.
        match timeout_on_busy_host(RESPONSE_TIMEOUT, waiting).await {
            Some(result) => result,
            None => Err(self.timed_out(named(wanted))),
        }
    }

    /// Waits for the head of the HTTP response.
    pub async fn response(&mut self) -> CheckResult<String> {
        match timeout_on_busy_host(RESPONSE_TIMEOUT, self.next_event()).await {
            Some(Some(Received { event: ClientEvent::Head(head), .. })) => Ok(head),
            Some(Some(received)) => {
                Err(self.missing(Awaited::UpgradeResponse, Instead::Sent(received.event)))
            }
            Some(None) => Err(self.missing(Awaited::UpgradeResponse, Instead::Ended)),
            None => Err(self.timed_out(Awaited::UpgradeResponse)),
        }
    }

    /// Waits for a text message and returns it.
    pub async fn text(&mut self, wanted: &str) -> CheckResult<String> {
        let received = self.next_except_heartbeats(wanted).await?;
        match received.event {
            ClientEvent::Text(text) => Ok(text),
            _ => Err(self.unexpected(&received, wanted)),
        }
    }

    /// Waits for the reply to `message`.
    pub async fn expect_reply(&mut self, message: &str) -> CheckResult {
        self.expect(reply(message)).await.map(|_| ())
    }

    /// Sends a text message and waits for the reply.
    pub async fn exchange(&mut self, message: &str) -> CheckResult {
        self.send_text(message);
        self.expect_reply(message).await
    }

    /// Waits for the next ping and returns its time. Messages are passed over.
    pub async fn ping(&mut self) -> CheckResult<Instant> {
        self.ping_and_payload().await.map(|(at, _)| at)
    }

    /// Waits for the next ping and returns its time and its payload, which the pong must repeat
    /// (section 5.5.3). Messages are passed over.
    pub async fn ping_and_payload(&mut self) -> CheckResult<(Instant, Vec<u8>)> {
        self.next_ping(|_| true, true).await
    }

    /// Waits for the next ping and returns its time. Fails if a message comes first.
    pub async fn expect_only_ping(&mut self) -> CheckResult<Instant> {
        self.next_ping(|_| true, false).await.map(|(at, _)| at)
    }

    /// Waits for the first ping that this client did not answer, and returns its time. Answered
    /// pings may still be queued when the client stops answering; they are passed over.
    pub async fn unanswered_ping(&mut self) -> CheckResult<Instant> {
        self.next_ping(|received| !received.answered, true).await.map(|(at, _)| at)
    }

    async fn next_ping(
        &mut self,
        counts: impl Fn(&Received) -> bool,
        skip_messages: bool,
    ) -> CheckResult<(Instant, Vec<u8>)> {
        let missing = |instead| Cause::Missing { awaited: Awaited::Ping, instead };
        let waiting = async {
            loop {
                let Some(received) = self.next_event().await else {
                    return Err(self.fails_after_last(missing(Instead::Ended)));
                };
                let counts = counts(&received);
                match received.event {
                    ClientEvent::Ping(payload) => {
                        self.pings.push(received.at);
                        if counts {
                            return Ok((received.at, payload));
                        }
                    }
                    ClientEvent::Pong(_) => {}
                    ClientEvent::Text(_) | ClientEvent::Binary(_) if skip_messages => {}
                    _ => {
                        let event = Instead::Sent(received.event.clone());
                        return Err(self.fails(missing(event), &received));
                    }
                }
            }
        };
        match timeout_on_busy_host(RESPONSE_TIMEOUT, waiting).await {
            Some(result) => result,
            None => Err(self.fails_after_last(missing(Instead::Nothing(RESPONSE_TIMEOUT)))),
        }
    }

    /// Waits until the TCP connection ends, and returns the time. Other events are passed over. The
    /// first message among them is kept for [`drain`](Client::drain).
    pub async fn end(&mut self) -> CheckResult<Instant> {
        let mut message = None;
        let waiting = async {
            loop {
                let received = self.next_event().await?;
                match received.event {
                    ClientEvent::End(_) => return Some(received.at),
                    ClientEvent::Ping(_) => self.pings.push(received.at),
                    ClientEvent::Text(_) | ClientEvent::Binary(_) => {
                        message = message.take().or(Some(received))
                    }
                    _ => {}
                }
            }
        };
        let ended = timeout_on_busy_host(RESPONSE_TIMEOUT, waiting).await;
        self.held_back.extend(message);
        if let Some(Some(ended)) = ended {
            return Ok(ended);
        }
        Err(self.fails_after_last(Cause::StillOpen { waited: RESPONSE_TIMEOUT }))
    }

    /// Takes all events that have arrived and not been taken yet.
    pub fn drain(&mut self) -> Vec<Received> {
        let mut all: Vec<Received> = self.held_back.drain(..).collect();
        while let Some(received) = self.events.try_next() {
            all.push(received);
        }
        all
    }

    // Failures

    /// Returns the highlight for this event.
    pub fn mark(&self, received: &Received) -> Highlight {
        match received.event {
            ClientEvent::End(_)
            | ClientEvent::Head(_)
            | ClientEvent::Body(_)
            | ClientEvent::Violation(_) => Highlight::Last { connection: self.number() },
            _ => Highlight::Received { connection: self.number(), frame: received.frame },
        }
    }

    fn timed_out(&self, awaited: Awaited) -> CheckError {
        self.missing(awaited, Instead::Nothing(RESPONSE_TIMEOUT))
    }

    fn missing(&self, awaited: Awaited, instead: Instead) -> CheckError {
        self.fails_after_last(Cause::Missing { awaited, instead })
    }

    /// Makes the failure for an event that came in place of the `wanted` one.
    pub fn unexpected(&self, received: &Received, wanted: &str) -> CheckError {
        let instead = Instead::Sent(received.event.clone());
        self.fails(Cause::Missing { awaited: named(wanted), instead }, received)
    }
}

fn named(wanted: &str) -> Awaited {
    Awaited::Named(wanted.to_string().into())
}
