//! Texts that servers tend to interpret. An echo must not.

/// Words that some servers take for a command.
pub(crate) const COMMANDS: &[&str] = &[
    "Hello", "hello", "ping", "PING", "pong", "quit", "exit", "close", "bye", "stop", "shutdown",
    "help", "time", "/quit", "/help",
];

/// Names that a look-up in a JavaScript object finds although they were never added.
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

/// Returns texts around this token that some programs interpret.
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
        // Spaces that some code trims, letters that some code replaces by simpler ones, and
        // non-characters.
        format!("\u{a0}{token}\u{2028}\u{200b}\u{202e}ﬁ\u{fffd}\u{ffff}\u{e000}\u{10ffff}\u{85}"),
        // Forms, templates, replacements, chats and shells interpret these.
        format!("{token}+100%25 {{}} {{0}} $$ $& $1 \\u0041"),
        format!("{token} :-) **b** _i_ 'q' `id` ?a=%20#b"),
        format!("https://example.com/{token}"),
        format!("'); SELECT * FROM users WHERE name = '{token}'; DROP TABLE users; --"),
        // Some decoders take this for a byte order mark. Here it is an ordinary character.
        format!("\u{FEFF}{token}"),
    ];
    // A parser takes these for numbers or for nothing.
    texts.extend(["007", "1.50", "-0", "1e3", "null", "undefined", "false", "0"].map(String::from));
    texts
}
