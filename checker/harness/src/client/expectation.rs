//! Expectations: the event that a client must receive next. An unmet one makes its own failure.

use std::borrow::Cow;

use super::{Client, ClientEvent, RESPONSE_TIMEOUT, Received, WELCOME, reply_to};
use crate::failure::{Awaited, Cause, Instead};
use crate::verdict::{CheckError, CheckResult, Failure};
use crate::wire::transcript::Highlight;

/// An event that a client waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    event: ExpectedEvent,
    awaited: Awaited,
    skips_texts: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ExpectedEvent {
    AnyMessage,
    AnyText,
    Text(String),
    Pong(Vec<u8>),
    Close(u16),
    CloseWithoutCode,
    AnyClose,
}

/// Expects the welcome.
pub fn welcome() -> Expectation {
    Expectation::new(ExpectedEvent::Text(WELCOME.to_string()), Awaited::Welcome)
}

/// Expects the welcome, whatever its text is.
pub fn any_welcome() -> Expectation {
    Expectation::new(ExpectedEvent::AnyMessage, Awaited::Welcome)
}

/// Expects the reply to `message`.
pub fn reply(message: &str) -> Expectation {
    let awaited = Awaited::ReplyTo(message.to_string());
    Expectation::new(ExpectedEvent::Text(reply_to(message)), awaited)
}

/// Expects a text message.
pub fn text(expected: &str) -> Expectation {
    let awaited = Awaited::Named("a text message".into());
    Expectation::new(ExpectedEvent::Text(expected.to_string()), awaited)
}

/// Expects a text message, whatever it says. `name` is a noun phrase.
pub fn any_text(name: impl Into<Cow<'static, str>>) -> Expectation {
    Expectation::new(ExpectedEvent::AnyText, Awaited::Named(name.into()))
}

/// Expects a pong with this payload. Pongs with another payload are passed over: they are legal
/// (RFC 6455, section 5.5.3).
pub fn pong(payload: impl Into<Vec<u8>>) -> Expectation {
    let payload = payload.into();
    Expectation::new(ExpectedEvent::Pong(payload.clone()), Awaited::Pong(payload))
}

/// Expects a close frame with this code.
pub fn close(code: u16) -> Expectation {
    Expectation::new(ExpectedEvent::Close(code), Awaited::Close(Some(code)))
}

/// Expects the answer to a close frame without a code: one without a code, or with 1000.
pub fn close_without_code() -> Expectation {
    Expectation::new(ExpectedEvent::CloseWithoutCode, Awaited::Close(None))
}

/// Expects a close frame with any legal code, or with none.
pub fn any_close() -> Expectation {
    Expectation::new(ExpectedEvent::AnyClose, Awaited::Close(None))
}

impl Expectation {
    fn new(event: ExpectedEvent, awaited: Awaited) -> Self {
        Expectation { event, awaited, skips_texts: false }
    }

    /// Names the awaited event, as a noun phrase: "the reply to a binary message".
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.awaited = Awaited::Named(name.into());
        self
    }

    /// Names the awaited event as the reply to message `number` of `of`.
    pub fn numbered(mut self, number: usize, of: usize) -> Self {
        self.awaited = Awaited::ReplyNumber { number, of };
        self
    }

    /// Passes over text messages that come first.
    pub fn skip_texts(mut self) -> Self {
        self.skips_texts = true;
        self
    }

    fn is_met_by(&self, event: &ClientEvent) -> bool {
        match (&self.event, event) {
            (ExpectedEvent::AnyMessage, ClientEvent::Text(_) | ClientEvent::Binary(_)) => true,
            (ExpectedEvent::AnyText, ClientEvent::Text(_)) => true,
            (ExpectedEvent::Text(expected), ClientEvent::Text(got)) => expected == got,
            (ExpectedEvent::Pong(expected), ClientEvent::Pong(got)) => expected == got,
            (ExpectedEvent::Close(expected), ClientEvent::Close(got)) => Some(*expected) == *got,
            (ExpectedEvent::CloseWithoutCode, ClientEvent::Close(None | Some(1_000))) => true,
            (ExpectedEvent::AnyClose, ClientEvent::Close(_)) => true,
            _ => false,
        }
    }

    fn cause(&self, event: &ClientEvent) -> Cause {
        match (&self.event, event) {
            (ExpectedEvent::Text(expected), ClientEvent::Text(got)) => Cause::WrongText {
                awaited: self.awaited.clone(),
                expected: expected.clone(),
                got: got.clone(),
            },
            (ExpectedEvent::Close(expected), ClientEvent::Close(got)) => {
                Cause::WrongCloseCode { expected: Some(*expected), got: *got }
            }
            (ExpectedEvent::CloseWithoutCode, ClientEvent::Close(got)) => {
                Cause::WrongCloseCode { expected: None, got: *got }
            }
            _ => Cause::Missing {
                awaited: self.awaited.clone(),
                instead: Instead::Sent(event.clone()),
            },
        }
    }
}

impl Client {
    /// Waits for the next event that is no heartbeat. Fails if it is not the expected one.
    pub async fn expect(&mut self, expectation: Expectation) -> CheckResult<Received> {
        let received = self.next_awaited(&expectation).await?;
        if expectation.is_met_by(&received.event) {
            return Ok(received);
        }
        Err(self.fails(expectation.cause(&received.event), &received))
    }

    /// Waits until the expectation has been met this many times in a row.
    pub async fn expect_times(&mut self, times: usize, expectation: &Expectation) -> CheckResult {
        for _ in 0..times {
            match self.held_back.pop_front().or_else(|| self.events.try_next()) {
                Some(received) if expectation.is_met_by(&received.event) => {}
                received => {
                    self.held_back.extend(received);
                    self.expect(expectation.clone()).await?;
                }
            }
        }
        Ok(())
    }

    /// Waits for the end of the TCP connection. Events until then are passed over.
    pub async fn expect_disconnect(&mut self) -> CheckResult {
        self.end().await.map(|_| ())
    }

    /// Makes a failure with this cause, and marks this event.
    pub fn fails(&self, cause: impl Into<Cause>, received: &Received) -> CheckError {
        Failure::caused(cause).about([self.number()]).at(self.mark(received)).into()
    }

    /// Makes a failure with this cause, and marks the last event: the missing one should have
    /// followed it.
    pub fn fails_after_last(&self, cause: impl Into<Cause>) -> CheckError {
        let last = Highlight::Last { connection: self.number() };
        Failure::caused(cause).about([self.number()]).at(last).into()
    }

    async fn next_awaited(&mut self, expectation: &Expectation) -> CheckResult<Received> {
        let missing = |instead| Cause::Missing { awaited: expectation.awaited.clone(), instead };
        let waiting = async {
            loop {
                let received = self.next_event().await?;
                match &received.event {
                    ClientEvent::Ping(_) => self.pings.push(received.at),
                    event if expectation.is_met_by(event) => {
                        if let ClientEvent::Pong(_) = event {
                            self.pongs.clear();
                        }
                        return Some(received);
                    }
                    ClientEvent::Pong(_) => self.pongs.push(received),
                    ClientEvent::Text(_) if expectation.skips_texts => {}
                    _ => return Some(received),
                }
            }
        };
        match super::timeout_on_busy_host(RESPONSE_TIMEOUT, waiting).await {
            Some(Some(received)) => Ok(received),
            Some(None) => Err(self.fails_after_last(missing(Instead::Ended))),
            None => Err(match (&expectation.event, self.pongs.last()) {
                (ExpectedEvent::Pong(expected), Some(pong)) => self.wrong_pong(expected, pong),
                _ => self.fails_after_last(missing(Instead::Nothing(RESPONSE_TIMEOUT))),
            }),
        }
    }

    fn wrong_pong(&self, expected: &[u8], received: &Received) -> CheckError {
        let ClientEvent::Pong(got) = &received.event else {
            return self.unexpected(received, "a pong");
        };
        let (expected, got) = (expected.to_vec(), got.clone());
        self.fails(Cause::WrongPong { expected, got }, received)
    }
}
