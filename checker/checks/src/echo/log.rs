//! The log on stdout.

use harness::client::{RESPONSE_TIMEOUT, timeout_on_busy_host};
use harness::context::TestContext;
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind, judged_elsewhere};
use harness::wire::frame::{Control, Data, Frame, OpCode};

pub(super) async fn log(ctx: &mut TestContext) -> CheckResult {
    let mut polite = ctx.join().await?;
    logged(ctx, "Client connected", 1).await?;
    let mut rude = ctx.join().await?;
    logged(ctx, "Client connected", 2).await?;
    let mut texts = ctx.tokens(3);
    // Spaces at the end of a line do not matter. Those at the beginning of a message are part of
    // it.
    texts[1].insert_str(0, "  ");
    texts[2].push_str(&" and so on".repeat(8));
    for text in &texts {
        polite.exchange(text).await?;
        logged(ctx, &format!("Received: {text}"), 1).await?;
    }
    // A binary message is logged as the text that answers it. Another check judges that answer.
    let binary = ctx.token();
    polite.send(Frame::new(OpCode::Data(Data::Binary), binary.as_str()));
    if judged_elsewhere(polite.expect_reply(&binary).await)?.is_some() {
        let line = format!("Received: {binary}");
        logged(ctx, &line, 1).await.map_err(|error| error.context("a binary message: "))?;
        texts.push(binary);
    }
    // Neither a ping nor a close frame is a message. Other checks judge their answers.
    rude.send(Frame::new(OpCode::Control(Control::Ping), ctx.token()));
    let last = ctx.token();
    rude.send_text(last.as_str());
    logged(ctx, &format!("Received: {last}"), 1).await?;
    // Another check judges that answer.
    polite.send_close(1_000, "");
    // A server may wait until the client ends its side (section 7.1.1) before it logs the
    // disconnect.
    let _ = timeout_on_busy_host(RESPONSE_TIMEOUT / 2, polite.end()).await;
    polite.hang_up();
    logged(ctx, "Client disconnected", 1).await?;
    rude.connection.reset().await;
    logged(ctx, "Client disconnected", 2).await?;
    // A client disconnected for a violation counts as well. Another check judges that disconnect.
    let mut offender = ctx.join().await?;
    logged(ctx, "Client connected", 3).await?;
    offender.send_bytes(Frame::new(OpCode::Data(Data::Text), "unmasked").encode());
    let _ = timeout_on_busy_host(RESPONSE_TIMEOUT / 2, offender.end()).await;
    offender.hang_up();
    logged(ctx, "Client disconnected", 3)
        .await
        .map_err(|error| error.context("a client broke the rules and has gone: "))?;
    // One line for each event and no more, counted after all events.
    for (line, count) in [("Client connected", 3), ("Client disconnected", 3)] {
        exactly(ctx, line, count)?;
    }
    texts
        .iter()
        .chain([&last])
        .try_for_each(|text| exactly(ctx, &format!("Received: {text}"), 1))?;
    let (messages, lines) = (texts.len() + 1, ctx.server.output.received());
    if lines != messages {
        let failure = Failure::new(
            FailureKind::Log,
            "the log has a `Received: ` line for what is no message",
        );
        let expected =
            format!("one for each of {messages} messages, none for pings, pongs and close frames");
        let failure = failure.expected(expected, format!("{lines} such lines"));
        return Err(failure.hint("Look first at what came and print then: of what the stream gives you, only Message::Text and Message::Binary are messages.").into());
    }
    many_at_once(ctx).await.map_err(|error| error.context("while many speak at once, "))
}

/// Lines that are printed at the same time must not be mixed.
async fn many_at_once(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(8).await?;
    let texts = ctx.tokens(80);
    for (client, texts) in clients.iter_mut().zip(texts.chunks(10)) {
        client
            .send_all(texts.iter().map(|text| Frame::new(OpCode::Data(Data::Text), text.as_str())));
    }
    for text in &texts {
        logged(ctx, &format!("Received: {text}"), 1).await?;
    }
    Ok(())
}

async fn logged(ctx: &TestContext, line: &str, count: usize) -> CheckResult {
    match timeout_on_busy_host(
        RESPONSE_TIMEOUT / 2,
        ctx.server.printed(|output| output.count(line) >= count),
    )
    .await
    {
        Some(true) => exactly(ctx, line, count),
        _ => Err(not_logged(ctx, line, count)),
    }
}

fn exactly(ctx: &TestContext, line: &str, count: usize) -> CheckResult {
    if ctx.server.output.count(line) == count { Ok(()) } else { Err(not_logged(ctx, line, count)) }
}

fn not_logged(ctx: &TestContext, line: &str, count: usize) -> CheckError {
    let found = ctx.server.output.count(line);
    let times = |n: usize| if n == 1 { "once".to_string() } else { format!("{n} times") };
    let summary = format!("the log line `{line}` is not there as often as it happened");
    let got = if found == 0 { "never".to_string() } else { times(found) };
    Failure::new(FailureKind::Log, summary)
        .expected(format!("`{line}` on stdout, {}", times(count)), got)
        .into()
}
