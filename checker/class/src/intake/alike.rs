//! Which submissions have the same tokens apart from names, comments and layout. A hint, never a
//! verdict.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;

use harness::exercise::Exercise;
use proc_macro2::{TokenStream, TokenTree, token_stream};

use super::sources::Texts;
use crate::overview::Alike;

/// A shorter program says nothing about its author. The untouched skeletons have fewer tokens.
const FEWEST: usize = 250;

/// A number for each exercise, by its name, that programs with the same tokens share.
pub(crate) type Shapes = BTreeMap<String, u64>;

/// The shape of each exercise in these sources.
pub(super) fn shapes(texts: &Texts) -> Shapes {
    let shapes = Exercise::ALL.into_iter().filter_map(|exercise| {
        let folder = format!("day1/{exercise}/");
        let files = texts.iter().filter(|(path, _)| path.starts_with(&folder));
        let files: Vec<_> = files.map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect();
        Some((exercise.name().to_string(), shape(&files.join("\n"))?))
    });
    shapes.collect()
}

/// `None` for a text that is too short or not made of Rust's tokens.
fn shape(text: &str) -> Option<u64> {
    let tokens = TokenStream::from_str(text).ok()?;
    let (mut names, mut hash, mut count) = (HashMap::new(), DefaultHasher::new(), 0);
    // A stack of its own: groups may be nested deeper than the thread's stack allows.
    let mut open: Vec<token_stream::IntoIter> = vec![tokens.into_iter()];
    while let Some(tokens) = open.last_mut() {
        let Some(token) = tokens.next() else {
            9.hash(&mut hash);
            open.pop();
            continue;
        };
        count += 1;
        match token {
            TokenTree::Group(group) => {
                (0, format!("{:?}", group.delimiter())).hash(&mut hash);
                open.push(group.stream().into_iter());
            }
            // The n-th name of a program is the same as the n-th of another.
            TokenTree::Ident(ident) => {
                let next = names.len();
                (1, *names.entry(ident.to_string()).or_insert(next)).hash(&mut hash);
            }
            TokenTree::Punct(punct) => (2, punct.as_char()).hash(&mut hash),
            TokenTree::Literal(literal) => (3, literal.to_string()).hash(&mut hash),
        }
    }
    (count >= FEWEST).then(|| hash.finish())
}

/// Submissions by exercise and shape. Groups of one stay, since other parts of the class may have
/// more of it.
pub(crate) fn groups(shapes: &BTreeMap<String, Shapes>) -> Vec<Alike> {
    let mut groups: BTreeMap<(&str, u64), Vec<String>> = BTreeMap::new();
    for (name, shapes) in shapes {
        for (exercise, shape) in shapes {
            groups.entry((exercise, *shape)).or_default().push(name.clone());
        }
    }
    let group = |((exercise, shape), submissions): ((&str, u64), Vec<String>)| Alike {
        exercise: exercise.to_string(),
        shape: format!("{shape:016x}"),
        submissions,
    };
    let mut alike: Vec<Alike> = groups.into_iter().map(group).collect();
    alike.sort_by(|a, b| (&a.exercise, &a.submissions).cmp(&(&b.exercise, &b.submissions)));
    alike
}

#[cfg(test)]
mod tests {
    use super::shape;

    #[test]
    fn names_and_comments_make_no_difference() {
        let body = |name: &str, number: u32| {
            format!("fn {name}() {{ {} }}", format!("{name}({number}); ").repeat(80))
        };
        assert!(shape(&body("serve", 1)).is_some());
        assert_eq!(shape(&body("serve", 1)), shape(&format!("// mine\n{}", body("handle", 1))));
        assert_ne!(shape(&body("serve", 1)), shape(&body("serve", 2)));
        assert_eq!(shape("fn main() {}"), None);
    }

    #[test]
    fn sixty_thousand_nested_groups_have_a_shape() {
        let nested = format!("fn main() {{ {}{} }}", "(".repeat(60_000), ")".repeat(60_000));
        assert!(shape(&nested).is_some());
    }
}
