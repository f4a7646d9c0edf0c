//! Messages to the room, and the clients that must receive them.

use std::collections::HashMap;

use futures_util::future::join_all;
use rand::RngExt;

use harness::client::{Client, ClientEvent, RESPONSE_TIMEOUT, any_text, reply, reply_to};
use harness::client::{Received, timeout_on_busy_host};
use harness::context::TestContext;
use harness::failure::room::{Disorder, MessageForm, RoomCause};
use harness::failure::{Cause, Instead};
use harness::group;
use harness::verdict::{CheckError, CheckResult, Failure};

/// A message that a client has sent to the room.
pub(super) struct Message<'a> {
    sender: usize,
    text: &'a str,
    form: MessageForm,
    before: Option<&'a str>,
}

impl<'a> Message<'a> {
    /// A text message from this client.
    pub(super) fn from(sender: &Client, text: &'a str) -> Self {
        Message { sender: sender.number(), text, form: MessageForm::Text, before: None }
    }

    /// Sets the form in which the client sent it.
    pub(super) fn in_form(self, form: MessageForm) -> Self {
        Message { form, ..self }
    }

    /// Names the message before, so that a second copy of it is recognised.
    pub(super) fn after(self, before: &'a str) -> Self {
        Message { before: Some(before), ..self }
    }

    /// Waits until every client has received this message, as the next one.
    pub(super) async fn reaches(&self, clients: &mut [Client]) -> CheckResult {
        let expectation = reply(self.text);
        let received = clients.iter_mut().map(|client| client.expect(expectation.clone()));
        // All are awaited, so that the failure does not depend on which client is the fastest.
        let received = join_all(received).await;
        let Some(Err(first)) = received.iter().find(|received| received.is_err()) else {
            return Ok(());
        };
        let CheckError::Failed(failure) = first else { return Err(first.clone()) };
        let alike =
            |result: &&CheckResult<_>| matches!(result, Err(error) if error.is(failure.kind));
        let missed = clients.iter().zip(&received).filter(|(_, result)| alike(result));
        let missed = missed.map(|(client, _)| client.number()).collect();
        Err(self.not_delivered(missed, clients.len(), *failure.clone()))
    }

    fn not_delivered(&self, missed: Vec<usize>, of: usize, failure: Failure) -> CheckError {
        let instead = failure.cause.as_ref().and_then(Cause::instead).unwrap_or(Instead::Ended);
        let before = self.before.map(|text| ClientEvent::Text(reply_to(text)));
        let repeated = before.is_some_and(|before| instead == Instead::Sent(before));
        let cause = RoomCause::Delivery {
            sender: self.sender,
            form: self.form,
            missed,
            of,
            expected: reply_to(self.text),
            instead,
            repeated,
        };
        replace_cause(failure, cause).show_all_clients()
    }
}

/// Sends a text message from this client. Every client must receive it next.
pub(super) async fn say(clients: &mut [Client], speaker: usize, text: &str) -> CheckResult {
    clients[speaker].send_text(text);
    Message::from(&clients[speaker], text).reaches(clients).await
}

/// The same, from any client.
pub(super) async fn say_from_any(
    ctx: &mut TestContext,
    clients: &mut [Client],
    text: &str,
) -> CheckResult {
    let speaker = ctx.rng.random_range(0..clients.len());
    say(clients, speaker, text).await
}

/// Sends all texts from this client at once. Every client must receive them in order.
pub(super) async fn say_at_once(
    clients: &mut [Client],
    speaker: usize,
    texts: &[String],
) -> CheckResult {
    for text in texts {
        clients[speaker].send_text(text.as_str());
    }
    let receiving = clients.iter_mut().map(|client| receive_in_order(client, texts));
    group::all(receiving).await.map(|_| ())
}

/// Waits until the client has received these texts, one for one and in order.
pub(super) async fn receive_in_order(client: &mut Client, texts: &[String]) -> CheckResult {
    for (i, text) in texts.iter().enumerate() {
        match client.expect(reply(text)).await {
            Ok(_) => {}
            Err(CheckError::Failed(failure)) => {
                return Err(out_of_order(client, texts, i, *failure).await);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes a failure of the one with which message `at` did not arrive.
async fn out_of_order(
    client: &mut Client,
    texts: &[String],
    at: usize,
    failure: Failure,
) -> CheckError {
    let expected = reply_to(&texts[at]);
    let instead = failure.cause.as_ref().and_then(Cause::instead).unwrap_or(Instead::Ended);
    let place =
        texts.iter().position(|text| instead == Instead::Sent(ClientEvent::Text(reply_to(text))));
    let disorder = match place {
        Some(place) if place < at => Disorder::Repeated(place + 1),
        Some(place) if comes_later(client, &expected, texts.len()).await => {
            Disorder::OvertakenBy(place + 1)
        }
        Some(_) => Disorder::Lost,
        None => Disorder::None,
    };
    let (client, number, of) = (client.number(), at + 1, texts.len());
    let cause = RoomCause::Sequence { client, number, of, expected, instead, disorder };
    replace_cause(failure, cause)
}

/// Returns true if this text is among the next messages, so that it was overtaken and not lost.
async fn comes_later(client: &mut Client, text: &str, at_most: usize) -> bool {
    for _ in 0..at_most {
        match client.expect(any_text("a message that is late")).await {
            Ok(received) if received.text() == Some(text) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}

/// Waits until every client has received each of these texts once. Returns the texts of each client
/// in the order received.
pub(super) async fn all_receive_each_once(
    clients: &mut [Client],
    texts: &[String],
) -> CheckResult<Vec<Vec<String>>> {
    let receiving = clients.iter_mut().map(|client| receive_each_once(client, texts));
    group::together(join_all(receiving).await)
}

async fn receive_each_once(client: &mut Client, texts: &[String]) -> CheckResult<Vec<String>> {
    let mut missing: HashMap<String, usize> = HashMap::new();
    for text in texts {
        *missing.entry(reply_to(text)).or_default() += 1;
    }
    let mut received: Vec<String> = Vec::with_capacity(texts.len());
    while received.len() < texts.len() {
        let text = match next_text(client).await {
            Ok((text, message)) => match missing.get_mut(&text) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    text
                }
                found => return Err(unwanted(client, &message, found.is_some(), text)),
            },
            Err(CheckError::Failed(failure)) => {
                return Err(incomplete(client, received.len(), texts.len(), *failure));
            }
            Err(error) => return Err(error),
        };
        received.push(text);
    }
    Ok(received)
}

/// Waits for the next text message.
pub(super) async fn next_text(client: &mut Client) -> CheckResult<(String, Received)> {
    let received = client.expect(any_text("the next message")).await?;
    Ok((received.text().unwrap_or_default().to_string(), received))
}

fn unwanted(client: &Client, received: &Received, repeated: bool, text: String) -> CheckError {
    let number = client.number();
    let cause = if repeated {
        RoomCause::Repeated { client: number, text }
    } else {
        RoomCause::Unsent { client: number, text }
    };
    client.fails(cause, received)
}

fn incomplete(client: &Client, received: usize, of: usize, failure: Failure) -> CheckError {
    let instead = failure.cause.as_ref().and_then(Cause::instead).unwrap_or(Instead::Ended);
    let cause = RoomCause::Incomplete { client: client.number(), received, of, instead };
    replace_cause(failure, cause)
}

/// Keeps the evidence of a failure, and replaces its cause.
pub(super) fn replace_cause(failure: Failure, cause: RoomCause) -> CheckError {
    let Failure { kind, cause, .. } = Failure::caused(cause);
    Failure { kind, cause, ..failure }.into()
}

/// Waits for the next text message, for a part of the usual timeout: another check judges whether
/// one comes.
pub(super) async fn next_text_if_any(client: &mut Client) -> Option<Received> {
    let received = client.expect(any_text("the next message"));
    timeout_on_busy_host(RESPONSE_TIMEOUT / 4, received).await?.ok()
}
