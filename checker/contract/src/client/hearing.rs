//! Waiting for what the server says, and saying what went wrong.

use std::time::Instant;

use super::{Client, Heard, Moment, PATIENCE, describe, reply_to, within};
use crate::verdict::{Checked, Failure, Kind, Trouble};
use crate::wire::transcript::{Mark, quoted};

impl Client {
    /// The next thing the server says, whatever it is.
    ///
    /// # Errors
    /// When it says nothing; `wanted` names what was waited for.
    pub async fn next(&mut self, wanted: &str) -> Checked<Moment> {
        if let Some(moment) = self.held_back.pop_front() {
            return Ok(moment);
        }
        match within(PATIENCE, self.inbox.next()).await {
            Some(Some(moment)) => {
                self.frame = moment.frame;
                Ok(moment)
            }
            Some(None) => Err(self
                .failure(
                    Kind::EndedEarly,
                    format!("the connection is over, and {wanted} never came"),
                )
                .into()),
            None => Err(self.silence(wanted)),
        }
    }

    /// The next thing that is neither ping nor pong; pings are noted in `pings`.
    ///
    /// # Errors
    /// When nothing comes.
    pub async fn next_but_heartbeats(&mut self, wanted: &str) -> Checked<Moment> {
        let passing_over = async {
            loop {
                let moment = self.next(wanted).await?;
                match moment.heard {
                    Heard::Ping(_) => self.pings.push(moment.at),
                    Heard::Pong(_) => {}
                    _ => return Ok(moment),
                }
            }
        };
        // Heartbeats that go on keep nobody waiting for ever.
        match within(PATIENCE, passing_over).await {
            Some(heard) => heard,
            None => Err(self.silence(wanted)),
        }
    }

    /// The head of the server's HTTP response.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn response(&mut self) -> Checked<String> {
        let moment = self.next("the answer to the upgrade request").await?;
        match moment.heard {
            Heard::Head(head) => Ok(head),
            heard => Err(self
                .failure(
                    Kind::Handshake,
                    "the upgrade request was not answered with an HTTP response",
                )
                .expected("HTTP/1.1 101 Switching Protocols", describe(&heard))
                .at(Mark::Last { connection: self.number() })
                .into()),
        }
    }

    /// Waits for a text message and returns it.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn text(&mut self, wanted: &str) -> Checked<String> {
        let moment = self.next_but_heartbeats(wanted).await?;
        match moment.heard {
            Heard::Text(text) => Ok(text),
            _ => Err(self.instead(&moment, wanted)),
        }
    }

    /// Waits for a text message that must be `expected`; `wanted` names it in a sentence.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn expect_text(&mut self, expected: &str, wanted: &str) -> Checked {
        let moment = self.next_but_heartbeats(wanted).await.map_err(|trouble| match trouble {
            Trouble::Failed(mut failure) => {
                failure.expected = format!("the text {}", quoted(expected));
                Trouble::Failed(failure)
            }
            other => other,
        })?;
        match &moment.heard {
            Heard::Text(text) if text == expected => Ok(()),
            Heard::Text(text) => Err(self
                .failure(Kind::WrongMessage, format!("a text came that differs from {wanted}"))
                .literally(expected, text.as_str())
                .at(self.mark(&moment))
                .into()),
            _ => Err(self.instead(&moment, wanted)),
        }
    }

    /// Waits for the same text message so many times in a row.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn expect_times(&mut self, times: usize, expected: &str) -> Checked {
        for _ in 0..times {
            match self.inbox.try_next() {
                Some(Moment { heard: Heard::Text(text), .. }) if text == expected => {}
                Some(moment) => {
                    self.held_back.push_back(moment);
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
    pub async fn expect_reply(&mut self, message: &str) -> Checked {
        let wanted = format!("the reply to {}", quoted(message));
        self.expect_text(&reply_to(message), &wanted).await
    }

    /// Sends a text and waits for the answer.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn exchange(&mut self, message: &str) -> Checked {
        self.send_text(message);
        self.expect_reply(message).await
    }

    /// Waits for the next ping and says when it came. Messages are no fault here, and are passed over.
    ///
    /// # Errors
    /// When the connection ends or nothing comes.
    pub async fn ping(&mut self) -> Checked<Instant> {
        self.ping_and_payload().await.map(|(at, _)| at)
    }

    /// The same, and what has to be in its pong (section 5.5.3).
    ///
    /// # Errors
    /// As [`Client::ping`].
    pub async fn ping_and_payload(&mut self) -> Checked<(Instant, Vec<u8>)> {
        self.ping_that(|_| true, true).await
    }

    /// The same for a client to which no message is due, and to which one that comes is one too many.
    ///
    /// # Errors
    /// As [`Client::ping`], and when a message comes.
    pub async fn nothing_but_a_ping(&mut self) -> Checked<Instant> {
        self.ping_that(|_| true, false).await.map(|(at, _)| at)
    }

    /// Waits for the first ping that this client, which has stopped answering them, did not answer, and says when it
    /// came. Where the check is late, some may have been answered after the last one that it took.
    ///
    /// # Errors
    /// As [`Client::ping`].
    pub async fn unanswered_ping(&mut self) -> Checked<Instant> {
        self.ping_that(|moment| !moment.answered, true).await.map(|(at, _)| at)
    }

    async fn ping_that(
        &mut self,
        counts: impl Fn(&Moment) -> bool,
        passes_messages: bool,
    ) -> Checked<(Instant, Vec<u8>)> {
        let passing_over = async {
            loop {
                let moment = self.next("a ping").await?;
                let counts = counts(&moment);
                match moment.heard {
                    Heard::Ping(payload) => {
                        self.pings.push(moment.at);
                        if counts {
                            return Ok((moment.at, payload));
                        }
                    }
                    Heard::Pong(_) => {}
                    Heard::Text(_) | Heard::Binary(_) if passes_messages => {}
                    _ => return Err(self.instead(&moment, "a ping")),
                }
            }
        };
        match within(PATIENCE, passing_over).await {
            Some(heard) => heard,
            None => Err(self.silence("a ping")),
        }
    }

    /// Waits until the TCP connection ends, whatever is said until then, and says when it did. The first message that
    /// came meanwhile is [overheard](Client::overheard).
    ///
    /// # Errors
    /// When it goes on and nothing is said.
    pub async fn end(&mut self) -> Checked<Instant> {
        let mut message = None;
        let passing_over = async {
            loop {
                let Ok(moment) = self.next("the end of the TCP connection").await else {
                    return None;
                };
                match moment.heard {
                    Heard::End(_) => return Some(moment.at),
                    Heard::Ping(_) => self.pings.push(moment.at),
                    Heard::Text(_) | Heard::Binary(_) => message = message.take().or(Some(moment)),
                    _ => {}
                }
            }
        };
        let ended = within(PATIENCE, passing_over).await;
        self.held_back.extend(message);
        if let Some(Some(ended)) = ended {
            return Ok(ended);
        }
        let got = format!("still open after {} s", PATIENCE.as_secs());
        let failure = self.failure(Kind::StillOpen, "the TCP connection is still open");
        Err(failure
            .expected("the server ends the TCP connection", got)
            .at(Mark::Last { connection: self.number() })
            .into())
    }

    /// What has been heard by now and not yet been asked for.
    pub fn overheard(&mut self) -> Vec<Moment> {
        let mut moments: Vec<Moment> = self.held_back.drain(..).collect();
        while let Some(moment) = self.inbox.try_next() {
            moments.push(moment);
        }
        moments
    }

    // Saying what went wrong

    /// A failure that shows this client's conversation.
    pub fn failure(&self, kind: Kind, summary: impl Into<String>) -> Failure {
        Failure::new(kind, summary).about([self.number()])
    }

    /// The mark for what was just heard.
    pub fn mark(&self, moment: &Moment) -> Mark {
        match moment.heard {
            Heard::End(_) | Heard::Head(_) | Heard::Body(_) | Heard::Violation(_) => {
                Mark::Last { connection: self.number() }
            }
            _ => Mark::Received { connection: self.number(), frame: moment.frame },
        }
    }

    fn silence(&self, wanted: &str) -> Trouble {
        self.failure(Kind::Silence, format!("the server stays silent: {wanted} never came"))
            .expected(wanted, format!("nothing for {} s", PATIENCE.as_secs()))
            .at(Mark::Last { connection: self.number() })
            .into()
    }

    /// The failure for something that came in place of what was `wanted`.
    pub fn instead(&self, moment: &Moment, wanted: &str) -> Trouble {
        let got = describe(&moment.heard);
        let (kind, summary) = match &moment.heard {
            Heard::End(_) => {
                (Kind::EndedEarly, format!("the connection ended, and {wanted} never came"))
            }
            Heard::Close(_) => {
                (Kind::EndedEarly, format!("the server closed, and {wanted} never came"))
            }
            Heard::Violation(what) => {
                (Kind::Protocol, format!("the server broke the rules for frames: {what}"))
            }
            Heard::Binary(_) => {
                (Kind::WrongMessage, format!("a binary message came in place of {wanted}"))
            }
            _ => (Kind::Unexpected, format!("something else came in place of {wanted}")),
        };
        self.failure(kind, summary).expected(wanted, got).at(self.mark(moment)).into()
    }
}
