//! Waiting for what the server says, and saying what went wrong.

use std::time::Instant;

use super::{
    Client, ClientEvent, RESPONSE_TIMEOUT, Received, describe, reply_to, timeout_on_busy_host,
};
use crate::verdict::{CheckError, CheckResult, Failure, FailureKind};
use crate::wire::transcript::{Highlight, quoted};

impl Client {
    /// The next thing the server says, whatever it is.
    ///
    /// # Errors
    /// When it says nothing; `wanted` names what was waited for.
    pub async fn next(&mut self, wanted: &str) -> CheckResult<Received> {
        if let Some(received) = self.held_back.pop_front() {
            return Ok(received);
        }
        match timeout_on_busy_host(RESPONSE_TIMEOUT, self.events.next()).await {
            Some(Some(received)) => {
                self.frame = received.frame;
                Ok(received)
            }
            Some(None) => Err(self
                .failure(
                    FailureKind::EndedEarly,
                    format!("the connection is over, and {wanted} never came"),
                )
                .into()),
            None => Err(self.timed_out(wanted)),
        }
    }

    /// The next event; `None` after the end of the connection.
    pub(super) async fn next_event(&mut self) -> Option<Received> {
        let received = match self.held_back.pop_front() {
            Some(received) => received,
            None => self.events.next().await?,
        };
        self.frame = received.frame;
        Some(received)
    }

    /// The next thing that is neither ping nor pong; pings are noted in `pings`.
    ///
    /// # Errors
    /// When nothing comes.
    pub async fn next_except_heartbeats(&mut self, wanted: &str) -> CheckResult<Received> {
        let passing_over = async {
            loop {
                let received = self.next(wanted).await?;
                match received.event {
                    ClientEvent::Ping(_) => self.pings.push(received.at),
                    ClientEvent::Pong(_) => {}
                    _ => return Ok(received),
                }
            }
        };
        // Heartbeats that go on keep nobody waiting for ever.
        match timeout_on_busy_host(RESPONSE_TIMEOUT, passing_over).await {
            Some(heard) => heard,
            None => Err(self.timed_out(wanted)),
        }
    }

    /// The head of the server's HTTP response.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn response(&mut self) -> CheckResult<String> {
        let received = self.next("the answer to the upgrade request").await?;
        match received.event {
            ClientEvent::Head(head) => Ok(head),
            heard => Err(self
                .failure(
                    FailureKind::Handshake,
                    "the upgrade request was not answered with an HTTP response",
                )
                .expected("HTTP/1.1 101 Switching Protocols", describe(&heard))
                .at(Highlight::Last { connection: self.number() })
                .into()),
        }
    }

    /// Waits for a text message and returns it.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn text(&mut self, wanted: &str) -> CheckResult<String> {
        let received = self.next_except_heartbeats(wanted).await?;
        match received.event {
            ClientEvent::Text(text) => Ok(text),
            _ => Err(self.unexpected(&received, wanted)),
        }
    }

    /// Waits for a text message that must be `expected`; `wanted` names it in a sentence.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn expect_text(&mut self, expected: &str, wanted: &str) -> CheckResult {
        let received = self.next_except_heartbeats(wanted).await.map_err(|error| match error {
            CheckError::Failed(mut failure) => {
                failure.expected = format!("the text {}", quoted(expected));
                CheckError::Failed(failure)
            }
            other => other,
        })?;
        match &received.event {
            ClientEvent::Text(text) if text == expected => Ok(()),
            ClientEvent::Text(text) => Err(self
                .failure(
                    FailureKind::WrongMessage,
                    format!("a text came that differs from {wanted}"),
                )
                .literally(expected, text.as_str())
                .at(self.mark(&received))
                .into()),
            _ => Err(self.unexpected(&received, wanted)),
        }
    }

    /// Waits for the same text message so many times in a row.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn expect_times(&mut self, times: usize, expected: &str) -> CheckResult {
        for _ in 0..times {
            match self.events.try_next() {
                Some(Received { event: ClientEvent::Text(text), .. }) if text == expected => {}
                Some(received) => {
                    self.held_back.push_back(received);
                    self.expect_text(expected, "one of many messages").await?;
                }
                None => self.expect_text(expected, "one of many messages").await?,
            }
        }
        Ok(())
    }

    /// Waits for the server's answer to `message`.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn expect_reply(&mut self, message: &str) -> CheckResult {
        let wanted = format!("the reply to {}", quoted(message));
        self.expect_text(&reply_to(message), &wanted).await
    }

    /// Sends a text and waits for the answer.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn exchange(&mut self, message: &str) -> CheckResult {
        self.send_text(message);
        self.expect_reply(message).await
    }

    /// Waits for the next ping and says when it came. Messages are no fault here, and are passed over.
    ///
    /// # Errors
    /// When the connection ends or nothing comes.
    pub async fn ping(&mut self) -> CheckResult<Instant> {
        self.ping_and_payload().await.map(|(at, _)| at)
    }

    /// The same, and what has to be in its pong (section 5.5.3).
    ///
    /// # Errors
    /// As [`Client::ping`].
    pub async fn ping_and_payload(&mut self) -> CheckResult<(Instant, Vec<u8>)> {
        self.ping_that(|_| true, true).await
    }

    /// The same for a client to which no message is due, and to which one that comes is one too many.
    ///
    /// # Errors
    /// As [`Client::ping`], and when a message comes.
    pub async fn expect_only_ping(&mut self) -> CheckResult<Instant> {
        self.ping_that(|_| true, false).await.map(|(at, _)| at)
    }

    /// Waits for the first ping that this client, which has stopped answering them, did not answer, and says when it
    /// came. Where the check is late, some may have been answered after the last one that it took.
    ///
    /// # Errors
    /// As [`Client::ping`].
    pub async fn unanswered_ping(&mut self) -> CheckResult<Instant> {
        self.ping_that(|received| !received.answered, true).await.map(|(at, _)| at)
    }

    async fn ping_that(
        &mut self,
        counts: impl Fn(&Received) -> bool,
        passes_messages: bool,
    ) -> CheckResult<(Instant, Vec<u8>)> {
        let passing_over = async {
            loop {
                let received = self.next("a ping").await?;
                let counts = counts(&received);
                match received.event {
                    ClientEvent::Ping(payload) => {
                        self.pings.push(received.at);
                        if counts {
                            return Ok((received.at, payload));
                        }
                    }
                    ClientEvent::Pong(_) => {}
                    ClientEvent::Text(_) | ClientEvent::Binary(_) if passes_messages => {}
                    _ => return Err(self.unexpected(&received, "a ping")),
                }
            }
        };
        match timeout_on_busy_host(RESPONSE_TIMEOUT, passing_over).await {
            Some(heard) => heard,
            None => Err(self.timed_out("a ping")),
        }
    }

    /// Waits until the TCP connection ends, whatever is said until then, and says when it did. The first message that
    /// came meanwhile is [overheard](Client::overheard).
    ///
    /// # Errors
    /// When it goes on and nothing is said.
    pub async fn end(&mut self) -> CheckResult<Instant> {
        let mut message = None;
        let passing_over = async {
            loop {
                let Ok(received) = self.next("the end of the TCP connection").await else {
                    return None;
                };
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
        let ended = timeout_on_busy_host(RESPONSE_TIMEOUT, passing_over).await;
        self.held_back.extend(message);
        if let Some(Some(ended)) = ended {
            return Ok(ended);
        }
        let got = format!("still open after {} s", RESPONSE_TIMEOUT.as_secs());
        let failure = self.failure(FailureKind::StillOpen, "the TCP connection is still open");
        Err(failure
            .expected("the server ends the TCP connection", got)
            .at(Highlight::Last { connection: self.number() })
            .into())
    }

    /// What has been heard by now and not yet been asked for.
    pub fn drain(&mut self) -> Vec<Received> {
        let mut all: Vec<Received> = self.held_back.drain(..).collect();
        while let Some(received) = self.events.try_next() {
            all.push(received);
        }
        all
    }

    // Saying what went wrong

    /// A failure that shows this client's conversation.
    pub fn failure(&self, kind: FailureKind, summary: impl Into<String>) -> Failure {
        Failure::new(kind, summary).about([self.number()])
    }

    /// The mark for what was just heard.
    pub fn mark(&self, received: &Received) -> Highlight {
        match received.event {
            ClientEvent::End(_)
            | ClientEvent::Head(_)
            | ClientEvent::Body(_)
            | ClientEvent::Violation(_) => Highlight::Last { connection: self.number() },
            _ => Highlight::Received { connection: self.number(), frame: received.frame },
        }
    }

    fn timed_out(&self, wanted: &str) -> CheckError {
        self.failure(FailureKind::Silence, format!("the server stays silent: {wanted} never came"))
            .expected(wanted, format!("nothing for {} s", RESPONSE_TIMEOUT.as_secs()))
            .at(Highlight::Last { connection: self.number() })
            .into()
    }

    /// The failure for something that came in place of what was `wanted`.
    pub fn unexpected(&self, received: &Received, wanted: &str) -> CheckError {
        let got = describe(&received.event);
        let (kind, summary) = match &received.event {
            ClientEvent::End(_) => {
                (FailureKind::EndedEarly, format!("the connection ended, and {wanted} never came"))
            }
            ClientEvent::Close(_) => {
                (FailureKind::EndedEarly, format!("the server closed, and {wanted} never came"))
            }
            ClientEvent::Violation(what) => {
                (FailureKind::Protocol, format!("the server broke the rules for frames: {what}"))
            }
            ClientEvent::Binary(_) => {
                (FailureKind::WrongMessage, format!("a binary message came in place of {wanted}"))
            }
            _ => (FailureKind::Unexpected, format!("something else came in place of {wanted}")),
        };
        self.failure(kind, summary).expected(wanted, got).at(self.mark(received)).into()
    }
}
