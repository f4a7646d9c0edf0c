//! Faults of `echo`: order, payloads, binary messages.

use super::common::*;
use super::echo::echo;

/// Returns at most the first `most` bytes.
fn cut(said: &str, most: usize) -> &str {
    let end = (0..=most.min(said.len())).rev().find(|end| said.is_char_boundary(*end));
    &said[..end.unwrap_or_default()]
}

/// Decodes each piece on its own, even if a character crosses its edge.
fn decode_in_pieces(bytes: &[u8], size: usize) -> String {
    bytes.chunks(size).map(String::from_utf8_lossy).collect()
}

/// Removes a byte order mark.
fn remove_mark(said: &str) -> String {
    said.strip_prefix('\u{FEFF}').unwrap_or(said).to_owned()
}

pub(super) const FAULTS: &[Fault] = &[
    echo(
        "two-tasks-reorder",
        &["echo::order"],
        "Your server answers each message from a task of its own, and the tasks overtake each \
         other: replies must leave in the order the messages came.",
        REORDERS_PAIRS,
    ),
    echo(
        "one-variable-for-all-messages",
        &["echo::concurrent"],
        "Your clients share one variable for the current message, so two that speak at the same \
         time get each other's replies.",
        mutation! {
            fn receive(&self, said: String) -> BoxFuture<'static, Result<String, End>> {
                static MESSAGE: Mutex<String> = Mutex::new(String::new());
                Box::pin(async {
                    *lock(&MESSAGE) = said;
                    sleep(Duration::from_millis(1)).await;
                    Ok(lock(&MESSAGE).clone())
                })
            }
        },
    ),
    echo(
        "long-messages-aside",
        &["echo::payloads"],
        "Your server works on long messages aside, so shorter ones overtake them: replies leave \
         in the order the messages came, whatever each of them takes.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                if reply.said.len() > 32 * 1024 { deliver_later(&reply) } else { reply.deliver() }
                ok()
            }
        },
    ),
    echo(
        "one-buffer-for-all-fragments",
        &["echo::payloads"],
        "Your clients share one buffer for the fragments of a message, so two that send in pieces \
         get each other's.",
        mutation! {
            fn assemble(&self, fragments: &mut Fragments, frame: Frame) -> Assembled {
                static SHARED: Mutex<Option<(u8, Vec<u8>)>> = Mutex::new(None);
                let mut shared = lock(&SHARED);
                fragments.partial = shared.take();
                let message = fragments.add(frame);
                *shared = fragments.partial.take();
                message
            }
        },
    ),
    echo(
        "one-message-a-read",
        &["echo::order"],
        "Your server handles the first message that a read brings and forgets those right behind \
         it; TCP is a stream and does not keep messages apart.",
        mutation! {
            fn looks_ahead(&self) -> bool {
                true
            }
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                if !reply.pipelined {
                    reply.deliver();
                }
                ok()
            }
        },
    ),
    echo(
        "answers-twice-under-load",
        &["echo::order"],
        "Your server answers a message twice if the next one is already there: each message gets \
         one reply, however fast they come.",
        mutation! {
            fn looks_ahead(&self) -> bool {
                true
            }
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                if reply.pipelined {
                    reply.deliver();
                }
                reply.deliver();
                ok()
            }
        },
    ),
    echo(
        "small-queue-drops-replies",
        &["echo::order"],
        "Your replies go through a queue of sixteen, and what does not fit is dropped without a \
         word; a full queue should make the reader wait.",
        mutation! {
            fn pace(&self) -> Option<Pace> {
                Some(Pace { frames: 0, rest: Duration::from_millis(10) })
            }
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                if reply.conn.out.pending().0 < 16 {
                    reply.deliver();
                }
                ok()
            }
        },
    ),
    echo(
        "queue-of-256-drops-replies",
        &["echo::order"],
        "Your replies go through a queue of 256, and what does not fit is dropped without a word; \
         a client that sends a thousand messages at once is owed a thousand replies.",
        mutation! {
            fn pace(&self) -> Option<Pace> {
                Some(Pace { frames: 4, rest: Duration::from_millis(200) })
            }
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                if reply.conn.out.pending().0 < 256 {
                    reply.deliver();
                }
                ok()
            }
        },
    ),
    echo(
        "ignores-empty-message",
        &["echo::payloads", "echo::binary"],
        "Your server ignores an empty message; nothing is a message too, and its sender waits for \
         the reply.",
        IGNORES_EMPTY,
    ),
    echo(
        "cut-at-125-bytes",
        &["echo::payloads", "echo::reply", "echo::order", "echo::binary"],
        "Your server keeps only a message's first 125 bytes: that is as much as a frame's \
         seven-bit length can say, not as much as a message may have.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                reply(cut(said, 125))
            }
        },
    ),
    echo(
        "cut-at-126-bytes",
        &["echo::payloads", "echo::reply", "echo::order", "echo::binary"],
        "Your server takes 126 for a length and cuts messages there; in a frame's head, 126 means \
         that the length comes in the next two bytes.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                reply(cut(said, 126))
            }
        },
    ),
    echo(
        "cut-at-65535-bytes",
        &["echo::payloads"],
        "Your server cuts messages at 65,535 bytes, the most that a sixteen-bit length can say; \
         longer messages have a length of eight bytes.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                reply(cut(said, 65_535))
            }
        },
    ),
    echo(
        "cut-at-65536-bytes",
        &["echo::payloads"],
        "Your server reads into a buffer of 64 KiB and answers with what fitted; the rest of a \
         longer message is lost.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                reply(cut(said, 65_536))
            }
        },
    ),
    echo(
        "character-split-at-buffer-edge",
        &["echo::payloads", "echo::order"],
        "Your server decodes each buffer on its own, so a character that crosses a buffer's edge \
         becomes replacement characters.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                reply(decode_in_pieces(said.as_bytes(), 1024 - PREFIX.len()))
            }
        },
    ),
    echo(
        "fragments-one-by-one",
        &["echo::payloads"],
        "Your server answers each fragment as if it were a message; a message ends with the frame \
         that has FIN set.",
        FRAGMENTS_ONE_BY_ONE,
    ),
    echo(
        "last-fragment-only",
        &["echo::payloads"],
        "Your server answers only the last fragment of a message; the ones before it belong to \
         the message too.",
        mutation! {
            fn assemble(&self, fragments: &mut Fragments, frame: Frame) -> Assembled {
                if let Some((_, bytes)) = &mut fragments.partial {
                    bytes.clear();
                }
                fragments.add(frame)
            }
        },
    ),
    echo(
        "fragments-of-4-kib-at-most",
        &["echo::payloads"],
        "Your server puts fragments together in a buffer of 4 KiB; a message may have as many of \
         them as its sender likes.",
        mutation! {
            fn assemble(&self, fragments: &mut Fragments, frame: Frame) -> Assembled {
                let continues = frame.head.opcode == frame::CONTINUATION;
                let mut message = fragments.add(frame)?;
                if continues {
                    let message = message.as_mut().map(|message| &mut message.bytes);
                    let partial = fragments.partial.as_mut().map(|(_, bytes)| bytes);
                    if let Some(bytes) = message.or(partial) {
                        bytes.truncate(4096);
                    }
                }
                Ok(message)
            }
        },
    ),
    echo(
        "frame-header-in-one-read",
        &["echo::payloads", "echo::abrupt"],
        "Your server expects a frame's header in one read and hangs up on the beginning of one; \
         TCP may bring it byte by byte.",
        mutation! { fn incomplete_header(&self) -> Result<(), End> { Err(End::Dropped) } },
    ),
    echo(
        "ping-forgets-fragments",
        &["echo::payloads"],
        "A ping between two fragments makes your server forget the first one; control frames may \
         come in the middle of a message and leave it alone.",
        mutation! {
            fn control(&self, frame: Control<'_>) -> Result<(), End> {
                frame.fragments.partial.take_if(|_| frame.opcode == frame::PING);
                frame.handle()
            }
            fn assemble(&self, fragments: &mut Fragments, frame: Frame) -> Assembled {
                let orphan = frame.head.opcode == frame::CONTINUATION && fragments.partial.is_none();
                if orphan { Ok(None) } else { fragments.add(frame) }
            }
        },
    ),
    echo(
        "pong-forgets-fragments",
        &["echo::payloads"],
        "A pong between two fragments makes your server forget the first one; an unsolicited pong \
         is legal.",
        mutation! {
            fn control(&self, frame: Control<'_>) -> Result<(), End> {
                frame.fragments.partial.take_if(|_| frame.opcode == frame::PONG);
                frame.handle()
            }
            fn assemble(&self, fragments: &mut Fragments, frame: Frame) -> Assembled {
                let orphan = frame.head.opcode == frame::CONTINUATION && fragments.partial.is_none();
                if orphan { Ok(None) } else { fragments.add(frame) }
            }
        },
    ),
    echo(
        "sixty-four-fragments-at-most",
        &["echo::payloads"],
        "Your server hangs up at the 65th fragment of a message; its length is what may have a \
         limit, not their number.",
        mutation! {
            fn assemble(&self, fragments: &mut Fragments, frame: Frame) -> Assembled {
                let message = fragments.add(frame)?;
                if fragments.continued >= 64 { Err(End::Violation(1009)) } else { Ok(message) }
            }
        },
    ),
    echo(
        "empty-fragments-skipped",
        &["echo::payloads"],
        "Your server skips empty fragments, and misses the end of a message if its last one is \
         empty; FIN counts in an empty fragment, too.",
        mutation! {
            fn assemble(&self, fragments: &mut Fragments, frame: Frame) -> Assembled {
                let skipped = frame.payload.is_empty() && fragments.partial.is_some();
                if skipped { Ok(None) } else { fragments.add(frame) }
            }
        },
    ),
    echo(
        "html-escaped",
        &["echo::payloads", "echo::binary"],
        "Your server escapes `<`, `>` and `&` in the message; escaping is for a page that shows \
         the text, the wire carries it as it is.",
        ESCAPES_HTML,
    ),
    echo(
        "json-reserialised",
        &["echo::payloads"],
        "Your server parses messages that look like JSON and writes them anew, so spacing and key \
         order change; an echo does not read what it carries.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                let json = serde_json::from_str::<serde_json::Value>(said).ok();
                let compound = json.filter(|json| json.is_object() || json.is_array());
                compound.map_or_else(|| reply(said), reply)
            }
        },
    ),
    echo(
        "json-string-unquoted",
        &["echo::payloads"],
        "Your server takes a message in quotes for a JSON string, and answers with what is \
         between them; an echo does not read what it carries.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                serde_json::from_str::<String>(said).map_or_else(|_| reply(said), reply)
            }
        },
    ),
    echo(
        "answers-pings-in-json",
        &["echo::payloads"],
        "Your server answers {\"type\":\"ping\"} with a pong in JSON; pings are control frames, \
         and this is a message like any other.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                if said == r#"{"type":"ping"}"# {
                    return Some(r#"{"type":"pong"}"#.into());
                }
                reply(said)
            }
        },
    ),
    echo(
        "numbers-parsed",
        &["echo::payloads"],
        "Your server makes a number of what looks like one, so `007` comes back as `7`; a text of \
         digits is a text.",
        PARSES_NUMBERS,
    ),
    echo(
        "null-is-nothing",
        &["echo::payloads"],
        "Your server takes `null`, `false` or `0` for no message at all; they are texts, and \
         their sender waits for the reply.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                if ["null", "undefined", "false", "0"].contains(&said) { None } else { reply(said) }
            }
        },
    ),
    echo(
        "percent-decoded",
        &["echo::payloads"],
        "Your server decodes `%20` and its like, as is done with what comes from a form; a \
         WebSocket message is not encoded that way.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                reply(said.replace("%20", " ").replace("%25", "%"))
            }
        },
    ),
    echo(
        "dollar-signs-replaced",
        &["echo::payloads"],
        "Your server puts the message into a template by replacing, where `$$` and `$1` have a \
         meaning of their own; put the two strings together instead.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                reply(said.replace("$$", "$"))
            }
        },
    ),
    echo(
        "byte-order-mark-lost",
        &["echo::payloads"],
        "Your server takes a U+FEFF at the beginning of a message for a byte order mark and \
         leaves it out; in a WebSocket message it is a character like any other.",
        mutation! {
            fn decode_text(&self, message: Message) -> Decoded {
                let said = String::from_utf8(message.bytes).map_err(|_| End::Violation(1007))?;
                Ok(Some(remove_mark(&said)))
            }
        },
    ),
    echo(
        "half-a-mebibyte-at-most",
        &["echo::payloads"],
        "Your server hangs up on messages of more than 512 KiB; a limit is a good thing, but it \
         has to let 1 MiB through.",
        mutation! {
            fn check_length(&self, length: u64, _: u64) -> Result<(), End> {
                if length > 512 * 1024 { Err(End::Violation(1009)) } else { Ok(()) }
            }
        },
    ),
    echo(
        "grants-deflate-it-does-not-speak",
        &["echo::payloads"],
        "Your server copies the client's `Sec-WebSocket-Extensions` into its answer; a browser \
         takes that for a yes, compresses what it sends, and is thrown out.",
        mutation! {
            fn response(&self, request: &Request, accept_key: &str) -> String {
                copy_header(request, accept_key, "Sec-WebSocket-Extensions")
            }
        },
    ),
    echo(
        "three-mebibytes-in-all",
        &["echo::payloads"],
        "Your server counts the bytes of a connection where it should count those of a message, \
         and hangs up after 3 MiB in all.",
        mutation! {
            fn check_length(&self, length: u64, total: u64) -> Result<(), End> {
                if total + length > 3 * 1024 * 1024 { Err(End::Violation(1009)) } else { Ok(()) }
            }
        },
    ),
    echo(
        "property-names-looked-up",
        &["echo::payloads"],
        "Your server looks the message up in a table of commands, where `constructor` and \
         `toString` are found though they were never put in; a message is no key.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                // The properties that each JavaScript object inherits.
                let inherited =
                    ["constructor", "__proto__", "hasOwnProperty", "toString", "valueOf"];
                if inherited.contains(&said) { None } else { reply(said) }
            }
        },
    ),
    echo(
        "binary-as-binary",
        &["echo::binary"],
        "Your server answers a binary message with a binary one; the reply is always text.",
        BINARY_AS_BINARY,
    ),
    echo(
        "binary-dropped",
        &["echo::binary"],
        "Your server ignores binary messages, probably in a match arm `_ => {}`; their sender \
         waits for a reply.",
        BINARY_DROPPED,
    ),
    echo(
        "invalid-bytes-end-connection",
        &["echo::binary"],
        "A binary message that is not UTF-8 ends the connection in your server; in binary any \
         byte is allowed, and what is no text becomes U+FFFD.",
        mutation! {
            fn decode_binary(
                &self,
                _: &Server,
                _: &Conn,
                bytes: &[u8],
            ) -> Decoded {
                String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| End::Dropped)
            }
        },
    ),
    echo(
        "invalid-bytes-stripped",
        &["echo::binary"],
        "Your server leaves out the bytes of a binary message that are not UTF-8; put U+FFFD in \
         their place, so that the loss can be seen.",
        mutation! {
            fn decode_binary(
                &self,
                _: &Server,
                _: &Conn,
                bytes: &[u8],
            ) -> Decoded {
                Ok(Some(bytes.utf8_chunks().map(|chunk| chunk.valid()).collect()))
            }
        },
    ),
    echo(
        "question-marks",
        &["echo::binary"],
        "Your server puts `?` where bytes are not UTF-8; a question mark could have been meant, \
         U+FFFD could not.",
        mutation! {
            fn decode_binary(
                &self,
                _: &Server,
                _: &Conn,
                bytes: &[u8],
            ) -> Decoded {
                Ok(Some(String::from_utf8_lossy(bytes).replace('\u{FFFD}', "?")))
            }
        },
    ),
    echo(
        "binary-byte-order-mark-lost",
        &["echo::binary"],
        "Your decoder takes the bytes EF BB BF at the beginning of a binary message for a byte \
         order mark and leaves them out; they are U+FEFF, and belong in the reply.",
        mutation! {
            fn decode_binary(
                &self,
                _: &Server,
                _: &Conn,
                bytes: &[u8],
            ) -> Decoded {
                Ok(Some(remove_mark(&String::from_utf8_lossy(bytes))))
            }
        },
    ),
    echo(
        "binary-decoded-buffer-by-buffer",
        &["echo::binary"],
        "Your server decodes a long binary message 8 KiB at a time, so a character that lies \
         across two of these becomes replacement characters.",
        mutation! {
            fn decode_binary(
                &self,
                _: &Server,
                _: &Conn,
                bytes: &[u8],
            ) -> Decoded {
                Ok(Some(decode_in_pieces(bytes, 8 * 1024)))
            }
        },
    ),
    echo(
        "binary-decoded-fragment-by-fragment",
        &["echo::binary"],
        "Your server turns each fragment of a binary message into text on its own; a fragment may \
         end in the middle of a character, so decode the message once it is whole.",
        mutation! {
            fn assemble(&self, fragments: &mut Fragments, mut frame: Frame) -> Assembled {
                let opcode = fragments.partial.as_ref().map_or(frame.head.opcode, |(opcode, _)| *opcode);
                if opcode == frame::BINARY {
                    let text = String::from_utf8_lossy(&frame.payload).into_owned();
                    frame.payload = text.into_bytes();
                }
                fragments.add(frame)
            }
        },
    ),
    echo(
        "binary-aside",
        &["echo::binary"],
        "Your server turns binary messages into text in a task of their own, and the texts behind \
         them overtake them; one order holds for all messages.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                if reply.binary { deliver_later(&reply) } else { reply.deliver() }
                ok()
            }
        },
    ),
    echo(
        "binary-as-list-of-numbers",
        &["echo::binary"],
        "Your server shows a binary message as a list of numbers, as Rust prints a `Vec<u8>`; it \
         is to be read as UTF-8.",
        mutation! {
            fn decode_binary(
                &self,
                _: &Server,
                _: &Conn,
                bytes: &[u8],
            ) -> Decoded {
                Ok(Some(format!("{bytes:?}")))
            }
        },
    ),
];
