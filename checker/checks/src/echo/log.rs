//! The log lines for connect, message and disconnect: `Client connected`, `Received: <message>` and
//! `Client disconnected`, one for each event.

use super::ECHOES;
use crate::{Check, MINIMUM, check};
use harness::client::{Client, RESPONSE_TIMEOUT, reply, timeout_on_busy_host};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Echo;
use harness::failure::echo::{EchoCause, LogLine};
use harness::verdict::{CheckError, CheckResult, Failure, ResultExt, judged_elsewhere};
use harness::wire::frame::Frame;

pub(super) const CHECK: Check = Check {
    explained_by: &[
        "echo::welcome",
        "echo::reply",
        "echo::order",
        "echo::concurrent",
        "echo::abrupt",
        "echo::violations",
        "echo::binary",
    ],
    requires: ECHOES,
    minimum: MinimumEvidence { connections: 11, messages: 14, ..MINIMUM },
    ..check("echo::log", Echo, include_str!("log.md"), |ctx| Box::pin(log(ctx)))
};

async fn log(ctx: &mut TestContext) -> CheckResult {
    let mut log = ExpectedLog::default();
    let (mut polite, mut rude) = (log.join(ctx).await?, log.join(ctx).await?);
    for text in texts(ctx) {
        log.exchange(ctx, &mut polite, text).await?;
    }
    log.send_binary(ctx, &mut polite).await.context("after a client sent a binary message")?;
    log.ping_and_send(ctx, &mut rude).await?;
    polite.send_close(1_000, "");
    log.leave(ctx, polite).await?;
    rude.connection.reset().await;
    log.disconnect(ctx).await?;
    log.break_protocol(ctx).await.context("after a client broke the protocol")?;
    log.has_no_other_lines(ctx)?;
    talk_at_once(ctx).await.context("while several clients talk at the same time")
}

/// Spaces at the end of a line do not matter. Those at the beginning of a message are part of it.
fn texts(ctx: &mut TestContext) -> Vec<String> {
    let mut texts = ctx.tokens(3);
    texts[1].insert_str(0, "  ");
    texts[2].push_str(&" and so on".repeat(8));
    texts
}

/// The events so far, each of which must have a line in the log.
#[derive(Default)]
struct ExpectedLog {
    connected: usize,
    disconnected: usize,
    messages: Vec<String>,
}

impl ExpectedLog {
    async fn join(&mut self, ctx: &TestContext) -> CheckResult<Client> {
        let client = ctx.join().await?;
        self.connected += 1;
        wait_for_line(ctx, LogLine::Connected, self.connected).await?;
        Ok(client)
    }

    async fn exchange(
        &mut self,
        ctx: &TestContext,
        client: &mut Client,
        text: String,
    ) -> CheckResult {
        client.exchange(&text).await?;
        self.receive(ctx, text).await
    }

    /// A binary message is logged as the text that answers it.
    async fn send_binary(&mut self, ctx: &mut TestContext, client: &mut Client) -> CheckResult {
        let text = ctx.token();
        client.send(Frame::binary(text.as_str()));
        match judged_elsewhere(client.expect(reply(&text)).await)? {
            Some(_) => self.receive(ctx, text).await,
            None => Ok(()),
        }
    }

    /// A ping is no message, and is not logged. Other checks judge the answers.
    async fn ping_and_send(&mut self, ctx: &mut TestContext, client: &mut Client) -> CheckResult {
        client.send(Frame::ping(ctx.token()));
        let text = ctx.token();
        client.send_text(text.as_str());
        self.receive(ctx, text).await
    }

    async fn receive(&mut self, ctx: &TestContext, text: String) -> CheckResult {
        self.messages.push(text.clone());
        wait_for_line(ctx, LogLine::Received(text), 1).await
    }

    /// Lets a client leave. A server may wait until the client ends its side (section 7.1.1) before
    /// it logs the disconnect. `echo::close` and `echo::violations` judge the end itself.
    async fn leave(&mut self, ctx: &TestContext, mut client: Client) -> CheckResult {
        let _ = timeout_on_busy_host(RESPONSE_TIMEOUT / 2, client.end()).await;
        client.hang_up();
        self.disconnect(ctx).await
    }

    async fn disconnect(&mut self, ctx: &TestContext) -> CheckResult {
        self.disconnected += 1;
        wait_for_line(ctx, LogLine::Disconnected, self.disconnected).await
    }

    /// A client that is disconnected for a violation counts as well.
    async fn break_protocol(&mut self, ctx: &TestContext) -> CheckResult {
        let mut offender = self.join(ctx).await?;
        offender.send_bytes(Frame::text("unmasked").encode());
        self.leave(ctx, offender).await
    }

    /// Fails if an event has more than one line, or a frame that is no message has one.
    fn has_no_other_lines(&self, ctx: &TestContext) -> CheckResult {
        count_lines(ctx, LogLine::Connected, self.connected)?;
        count_lines(ctx, LogLine::Disconnected, self.disconnected)?;
        for message in &self.messages {
            count_lines(ctx, LogLine::Received(message.clone()), 1)?;
        }
        let (messages, lines) = (self.messages.len(), ctx.server.output.count_received());
        if lines == messages {
            return Ok(());
        }
        Err(failure(EchoCause::TooManyReceived { messages, lines }))
    }
}

/// Lines that are printed at the same time must not be mixed.
async fn talk_at_once(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(8).await?;
    let texts = ctx.tokens(80);
    for (client, texts) in clients.iter_mut().zip(texts.chunks(10)) {
        client.send_texts(texts);
    }
    for text in texts {
        wait_for_line(ctx, LogLine::Received(text), 1).await?;
    }
    Ok(())
}

/// Waits until the log has this line so many times.
async fn wait_for_line(ctx: &TestContext, line: LogLine, count: usize) -> CheckResult {
    let text = line.text();
    let printed = ctx.server.wait_for_output(|output| output.count(&text) >= count);
    let _ = timeout_on_busy_host(RESPONSE_TIMEOUT / 2, printed).await;
    count_lines(ctx, line, count)
}

fn count_lines(ctx: &TestContext, line: LogLine, expected: usize) -> CheckResult {
    let got = ctx.server.output.count(&line.text());
    if got == expected {
        return Ok(());
    }
    Err(failure(EchoCause::WrongLog { line, expected, got }))
}

/// Makes a failure that shows the conversation of all clients.
fn failure(cause: EchoCause) -> CheckError {
    Failure::caused(cause).into()
}
