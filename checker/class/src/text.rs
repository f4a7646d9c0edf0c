//! Text from outside: names, compiler messages, server output, everything that a submission can
//! choose.
//!
//! The result model passes all of it through here once, so that no file, page or terminal has to.

/// The text on one line, without characters that a terminal or a reader would not show as
/// themselves.
pub(crate) fn line(text: &str, limit: usize) -> String {
    let text: String = visible(text, limit).replace(['\n', '\t'], " ");
    disarm(&text)
}

/// The same with its line breaks and tabs.
pub(crate) fn block(text: &str, limit: usize) -> String {
    let text = visible(text, limit);
    text.split('\n').map(disarm).collect::<Vec<_>>().join("\n")
}

/// The text with hidden characters written as `\u{…}`, cut after `limit` characters.
fn visible(text: &str, limit: usize) -> String {
    let mut shown = String::new();
    let mut chars = text.chars();
    for c in chars.by_ref().take(limit) {
        if is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Whether a character moves the cursor, changes the direction of the text, or has no width.
fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // Direction marks, embeddings, overrides and isolates.
        '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            true
        }
        // Characters without width, and the separators that some viewers break lines at.
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2028}'..='\u{2029}' | '\u{2060}'..='\u{2064}' => {
            true
        }
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}' => true,
        // Tags: invisible copies of ASCII.
        '\u{e0000}'..='\u{e007f}' => true,
        c => c.is_control(),
    }
}

/// The line with the workflow commands of GitHub Actions taken apart: `::name::` at its beginning,
/// `##[name]` anywhere.
fn disarm(line: &str) -> String {
    let line = line.replace("##[", "## [");
    match line.find(|c: char| !c.is_whitespace()) {
        Some(start) if line[start..].starts_with("::") => {
            format!("{}: {}", &line[..start], &line[start + 1..])
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::{block, line};

    #[test]
    fn hidden_characters_become_visible() {
        assert_eq!(line("a\u{1b}[2Jb\u{202e}c\u{7f}", 99), "a\\u{1b}[2Jb\\u{202e}c\\u{7f}");
        assert_eq!(line("two\nlines\tof 🦀", 99), "two lines of 🦀");
        assert_eq!(block("two\nlines\r\n", 99), "two\nlines\\u{d}\n");
    }

    #[test]
    fn workflow_commands_are_taken_apart() {
        assert_eq!(line("  ::add-mask::x", 99), "  : :add-mask::x");
        assert_eq!(block("a\n::error::x ##[group]", 99), "a\n: :error::x ## [group]");
        assert_eq!(line("std::fs", 99), "std::fs");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(line("🦀🦀🦀", 2), "🦀🦀…");
        assert_eq!(line("🦀🦀", 2), "🦀🦀");
    }
}
