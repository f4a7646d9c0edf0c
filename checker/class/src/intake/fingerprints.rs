//! Fingerprints of programs, by which submissions are compared: hashes of short runs of tokens, in
//! which the names that an author chose make no difference.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;

use harness::exercise::Exercise;
use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream};

use super::sources::Texts;

/// The number of tokens in a run. Shorter runs are shared by all programs, longer ones by copies
/// only.
const RUN: usize = 8;
/// More tokens of a program are not compared. An exercise has about 1,000.
const TOKENS: usize = 20_000;

/// The hash of a run of tokens, and its first and last line, from 1.
pub(crate) type Run = (u64, u32, u32);

/// The runs of each exercise, by its name.
pub(crate) type Fingerprints = BTreeMap<String, Vec<Run>>;

/// The text of each exercise that has one: its files one after the other.
pub(super) fn programs(texts: &Texts) -> BTreeMap<String, String> {
    let program = |exercise: Exercise| {
        let folder = format!("day1/{exercise}/");
        let files: Vec<_> = texts.iter().filter(|(path, _)| path.starts_with(&folder)).collect();
        let text = |(path, bytes): &(&String, &Vec<u8>)| match files.len() {
            1 => String::from_utf8_lossy(bytes).into_owned(),
            _ => format!("// {path}\n{}\n", String::from_utf8_lossy(bytes)),
        };
        let whole: String = files.iter().map(text).collect();
        (!files.is_empty()).then(|| (exercise.name().to_string(), whole))
    };
    Exercise::ALL.into_iter().filter_map(program).collect()
}

/// The runs of a program; none if it is not made of Rust's tokens.
pub(crate) fn runs(text: &str) -> Vec<Run> {
    let tokens = normalize(&tokens(text));
    let run = |window: &[(u64, u32)]| {
        let mut hash = DefaultHasher::new();
        window.iter().for_each(|(token, _)| token.hash(&mut hash));
        (hash.finish(), window[0].1, window[RUN - 1].1)
    };
    tokens.windows(RUN).map(run).collect()
}

#[derive(PartialEq)]
enum Kind {
    Ident,
    Punct,
    Literal,
    Group,
}

struct Token {
    kind: Kind,
    text: String,
    line: u32,
}

/// The tokens of a text without comments.
fn tokens(text: &str) -> Vec<Token> {
    let Ok(stream) = TokenStream::from_str(text) else { return Vec::new() };
    let (mut found, mut lines) = (Vec::new(), Lines::of(text));
    // A stack of its own: groups may be nested deeper than the thread's stack allows.
    let mut open: Vec<(token_stream::IntoIter, &str)> = vec![(stream.into_iter(), "")];
    while let Some((tokens, close)) = open.last_mut() {
        let (kind, text) = match tokens.next() {
            None => {
                let close = *close;
                open.pop();
                if open.is_empty() {
                    break;
                }
                (Kind::Group, close.to_string())
            }
            Some(TokenTree::Group(group)) => {
                let (begin, end) = delimiters(group.delimiter());
                open.push((group.stream().into_iter(), end));
                (Kind::Group, begin.to_string())
            }
            Some(TokenTree::Ident(ident)) => (Kind::Ident, ident.to_string()),
            Some(TokenTree::Punct(punct)) => (Kind::Punct, punct.as_char().to_string()),
            Some(TokenTree::Literal(literal)) => (Kind::Literal, literal.to_string()),
        };
        let line = lines.find(&text);
        found.push(Token { kind, text, line });
        if found.len() == TOKENS {
            break;
        }
    }
    found
}

fn delimiters(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

/// Finds the lines of tokens, which come in the order of the text.
struct Lines {
    /// The text with comments blanked, since the tokens have none.
    text: String,
    at: usize,
    line: u32,
}

impl Lines {
    fn of(text: &str) -> Lines {
        let code = |line: &str| match line.trim_start().starts_with("//") {
            true => String::new(),
            false => line.to_string(),
        };
        let lines: Vec<String> = text.split('\n').map(code).collect();
        Lines { text: lines.join("\n"), at: 0, line: 1 }
    }

    /// Returns the line of the next place of this text. A token that is not found, as one of a doc
    /// comment, is on the line of the last one.
    fn find(&mut self, token: &str) -> u32 {
        let rest = &self.text[self.at..];
        if let Some(next) = rest.find(token) {
            let skipped = rest[..next].matches('\n').count();
            self.line += u32::try_from(skipped).unwrap_or(0);
            self.at += next + token.len();
        }
        self.line
    }
}

/// Hashes tokens with their lines. Names of an author's choice hash alike: variables, functions,
/// fields of patterns, and captures in format strings.
fn normalize(tokens: &[Token]) -> Vec<(u64, u32)> {
    let mut hashes = Vec::new();
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        let text_at = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
        if token.text == "#" {
            // `# [ doc = "…" ]`, or `# ! [ doc = "…" ]`
            let begin = index + 1 + usize::from(text_at(index + 1) == "!");
            if (text_at(begin), text_at(begin + 1)) == ("[", "doc") {
                index = begin + 5;
                continue;
            }
        }
        let before = index.checked_sub(1).map_or("", text_at);
        let is_path = [".", ":"].contains(&before) && !is_type_colon(tokens, index);
        let follows = (text_at(index + 1), text_at(index + 2));
        let leads = follows == (":", ":") || follows.0 == "!";
        let lower = token.text.starts_with(|c: char| c.is_lowercase() || c == '_');
        let text = match token.kind {
            Kind::Ident if lower && !is_keyword(&token.text) && !is_path && !leads => {
                "name".to_string()
            }
            Kind::Literal => without_captures(&token.text),
            _ => token.text.clone(),
        };
        let mut hash = DefaultHasher::new();
        text.hash(&mut hash);
        hashes.push((hash.finish(), token.line));
        index += 1;
    }
    hashes
}

/// Returns whether the token follows a single colon, as a type follows a name.
fn is_type_colon(tokens: &[Token], index: usize) -> bool {
    let is_colon =
        |at: Option<usize>| at.and_then(|at| tokens.get(at)).is_some_and(|token| token.text == ":");
    is_colon(index.checked_sub(1)) && !is_colon(index.checked_sub(2))
}

fn is_keyword(word: &str) -> bool {
    const KEYWORDS: [&str; 34] = [
        "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum",
        "extern", "false", "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move",
        "mut", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
        "type", "while",
    ];
    KEYWORDS.contains(&word) || ["unsafe", "use", "where"].contains(&word)
}

/// The literal with each `{capture}` as `{name}`.
fn without_captures(literal: &str) -> String {
    let mut parts = literal.split('{');
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let rest = part.trim_start_matches(is_name);
        let name = &part[..part.len() - rest.len()];
        let is_capture = rest.starts_with([':', '}']) && !name.is_empty();
        out += "{";
        out += if is_capture { "name" } else { name };
        out += rest;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Run, runs};

    fn hashes(text: &str) -> Vec<u64> {
        runs(text).into_iter().map(|(hash, ..)| hash).collect()
    }

    #[test]
    fn names_comments_and_captures_make_no_difference() {
        let text = r#"fn reply(text: &str) -> String {
            let answer = text.trim();
            format!("Server received: {answer:?} {{raw}}")
        }"#;
        let renamed = text.replace("answer", "response").replace("reply", "respond");
        let renamed = format!("//! Mine.\n/// My words.\n{}", renamed.replace("text", "message"));
        assert!(!hashes(text).is_empty());
        assert_eq!(hashes(text), hashes(&renamed));
        assert_ne!(hashes(text), hashes(&text.replace("trim", "trim_end")));
        assert_ne!(hashes(text), hashes(&text.replace("Server", "Client")));
    }

    #[test]
    fn runs_know_their_lines() {
        let text = "// fn main() {\nfn main() {\n\n    let number = 1 + 2;\n}\n";
        let lines: Vec<_> = runs(text).iter().map(|run: &Run| (run.1, run.2)).collect();
        assert_eq!(lines.first(), Some(&(2, 4)));
        assert_eq!(lines.last(), Some(&(4, 5)));
    }

    #[test]
    fn sixty_thousand_nested_groups_are_cut() {
        let nested = format!("fn main() {{ {}{} }}", "(".repeat(60_000), ")".repeat(60_000));
        assert_eq!(runs(&nested).len(), super::TOKENS - super::RUN + 1);
        assert!(runs("an unclosed (").is_empty());
    }
}
