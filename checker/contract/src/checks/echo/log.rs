//! The log on stdout.

use crate::arena::Arena;
use crate::client::{PATIENCE, within};
use crate::verdict::{Checked, Failure, Kind, Trouble};
use crate::wire::frame::{Control, Data, Frame, OpCode};

pub(super) async fn log(arena: &mut Arena) -> Checked {
    let mut polite = arena.join().await?;
    logged(arena, "Client connected", 1).await?;
    let mut rude = arena.join().await?;
    logged(arena, "Client connected", 2).await?;
    let mut texts = arena.tokens(3);
    // Spaces at the end of a line are nobody's business; those at the beginning of a message are part of it.
    texts[1].insert_str(0, "  ");
    texts[2].push_str(&" and so on".repeat(8));
    for text in &texts {
        polite.exchange(text).await?;
        logged(arena, &format!("Received: {text}"), 1).await?;
    }
    // Neither a ping nor, later, a close frame is a message. How they are answered is other checks' business.
    rude.send(Frame::new(OpCode::Control(Control::Ping), arena.token()));
    let last = arena.token();
    rude.send_text(last.as_str());
    logged(arena, &format!("Received: {last}"), 1).await?;
    // Whether that is answered well is another check's business.
    polite.send_close(1_000, "");
    // A server may wait for the client to end its side too (section 7.1.1) before the connection is over for it.
    let _ = within(PATIENCE / 2, polite.end()).await;
    polite.hang_up();
    logged(arena, "Client disconnected", 1).await?;
    rude.connection.reset().await;
    logged(arena, "Client disconnected", 2).await?;
    // Who is thrown out has left, too. Whether it is thrown out is another check's business.
    let mut offender = arena.join().await?;
    logged(arena, "Client connected", 3).await?;
    offender.send_bytes(Frame::new(OpCode::Data(Data::Text), "unmasked").encode());
    let _ = within(PATIENCE / 2, offender.end()).await;
    offender.hang_up();
    logged(arena, "Client disconnected", 3)
        .await
        .map_err(|trouble| trouble.amid("a client broke the rules and has gone: "))?;
    // One line for each event and no more, looked at when all are over.
    for (line, count) in [("Client connected", 3), ("Client disconnected", 3)] {
        exactly(arena, line, count)?;
    }
    texts
        .iter()
        .chain([&last])
        .try_for_each(|text| exactly(arena, &format!("Received: {text}"), 1))?;
    let (messages, lines) = (texts.len() + 1, arena.server.output.received());
    if lines != messages {
        let failure =
            Failure::new(Kind::Log, "the log has a `Received: ` line for what is no message");
        let expected =
            format!("one for each of {messages} messages, none for pings, pongs and close frames");
        let failure = failure.expected(expected, format!("{lines} such lines"));
        return Err(failure.hint("Look first at what came and print then: of what the stream gives you, only Message::Text and Message::Binary are messages.").into());
    }
    many_at_once(arena).await.map_err(|trouble| trouble.amid("while many speak at once, "))
}

/// A line is one line, however many are printed at the same time.
async fn many_at_once(arena: &mut Arena) -> Checked {
    let mut clients = arena.join_many(8).await?;
    let texts = arena.tokens(80);
    for (client, texts) in clients.iter_mut().zip(texts.chunks(10)) {
        client
            .send_all(texts.iter().map(|text| Frame::new(OpCode::Data(Data::Text), text.as_str())));
    }
    for text in &texts {
        logged(arena, &format!("Received: {text}"), 1).await?;
    }
    Ok(())
}

async fn logged(arena: &Arena, line: &str, count: usize) -> Checked {
    match within(PATIENCE / 2, arena.server.printed(|output| output.count(line) >= count)).await {
        Some(true) => exactly(arena, line, count),
        _ => Err(not_logged(arena, line, count)),
    }
}

fn exactly(arena: &Arena, line: &str, count: usize) -> Checked {
    if arena.server.output.count(line) == count {
        Ok(())
    } else {
        Err(not_logged(arena, line, count))
    }
}

fn not_logged(arena: &Arena, line: &str, count: usize) -> Trouble {
    let found = arena.server.output.count(line);
    let times = |n: usize| if n == 1 { "once".to_string() } else { format!("{n} times") };
    let summary = format!("the log line `{line}` is not there as often as it happened");
    let got = if found == 0 { "never".to_string() } else { times(found) };
    Failure::new(Kind::Log, summary)
        .expected(format!("`{line}` on stdout, {}", times(count)), got)
        .into()
}
