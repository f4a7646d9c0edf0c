//! What a text may be: anything, and a server that reads a meaning into it gives itself away.

/// What other servers take for a command.
pub(crate) const COMMANDS: &[&str] = &[
    "Hello", "hello", "ping", "PING", "pong", "quit", "exit", "close", "bye", "stop", "shutdown",
    "help", "time", "/quit", "/help",
];

/// What a look-up in an object finds although nobody put it there.
pub(crate) const PROPERTY_NAMES: &[&str] = &[
    "constructor",
    "prototype",
    "__proto__",
    "hasOwnProperty",
    "toString",
    "valueOf",
    "length",
    "then",
    "__class__",
    "__dict__",
    "__init__",
    "self",
    "this",
    "nil",
    "None",
    "NaN",
];

/// Texts around this token that mean something to somebody, and to an echo nothing.
pub(crate) fn of_all_kinds(token: &str) -> Vec<String> {
    let mut texts = vec![
        String::new(),
        format!("{token}: žluťoučký kůň, 你好, שלום, 🦀👩‍👩‍👧, e\u{301}"),
        format!("<script>alert('{token}') & \"</script> &lt;"),
        format!("{{ \"type\" : \"{token}\", \"n\": 1.50, \"n\": [ ] }}"),
        "{\"type\":\"ping\"}".to_string(),
        format!("{{ no: {token}"),
        format!("[1, 2, \"{token}\"]"),
        format!("\"{token}\""),
        format!("\u{0}{token}\u{7f}%s\\n${{x}}"),
        // Spaces that some trim, letters that some replace by simpler ones, characters that stand for none.
        format!("\u{a0}{token}\u{2028}\u{200b}\u{202e}ﬁ\u{fffd}\u{ffff}\u{e000}\u{10ffff}\u{85}"),
        // What forms, templates, replacements, chats and shells make something else of.
        format!("{token}+100%25 {{}} {{0}} $$ $& $1 \\u0041"),
        format!("{token} :-) **b** _i_ 'q' `id` ?a=%20#b"),
        format!("https://example.com/{token}"),
        format!("'); SELECT * FROM users WHERE name = '{token}'; DROP TABLE users; --"),
        // What some decoders take for a byte order mark is a character like any other.
        format!("\u{FEFF}{token}"),
    ];
    // What is a number or nothing at all to a parser.
    texts.extend(["007", "1.50", "-0", "1e3", "null", "undefined", "false", "0"].map(String::from));
    texts
}
