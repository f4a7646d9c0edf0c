//! Which submissions have the same tokens, but for names, comments and layout. A hint, never a verdict.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;

use harness::exercise::Exercise;
use proc_macro2::{TokenStream, TokenTree};

use crate::collect::Sources;
use crate::overview::Alike;

/// A program of fewer tokens says nothing about who wrote it; the untouched skeletons have fewer.
const FEWEST: usize = 250;

/// A number that programs with the same tokens share; `None` for what is too short or no Rust.
fn shape(text: &str) -> Option<u64> {
    let tokens = TokenStream::from_str(text).ok()?;
    let (mut names, mut hash, mut count) = (HashMap::new(), DefaultHasher::new(), 0);
    walk(tokens, &mut names, &mut hash, &mut count);
    (count >= FEWEST).then(|| hash.finish())
}

fn walk(
    tokens: TokenStream,
    names: &mut HashMap<String, usize>,
    hash: &mut DefaultHasher,
    count: &mut usize,
) {
    for token in tokens {
        *count += 1;
        match token {
            TokenTree::Group(group) => {
                (0, format!("{:?}", group.delimiter())).hash(hash);
                walk(group.stream(), names, hash, count);
                9.hash(hash);
            }
            // A name is the n-th name of its program, whatever it is.
            TokenTree::Ident(ident) => {
                let next = names.len();
                (1, *names.entry(ident.to_string()).or_insert(next)).hash(hash);
            }
            TokenTree::Punct(punct) => (2, punct.as_char()).hash(hash),
            TokenTree::Literal(literal) => (3, literal.to_string()).hash(hash),
        }
    }
}

/// The shape of each exercise in these sources.
pub(crate) fn shapes(sources: &Sources) -> BTreeMap<Exercise, u64> {
    let shapes = Exercise::ALL
        .into_iter()
        .filter_map(|exercise| Some((exercise, shape(&sources.text_of(exercise))?)));
    shapes.collect()
}

/// Who shares a shape with whom; those alone included, since other parts of the class may have their like.
pub(crate) fn groups(shapes: &BTreeMap<String, BTreeMap<Exercise, u64>>) -> Vec<Alike> {
    let mut groups: BTreeMap<(Exercise, u64), Vec<String>> = BTreeMap::new();
    for (name, shapes) in shapes {
        for (exercise, shape) in shapes {
            groups.entry((*exercise, *shape)).or_default().push(name.clone());
        }
    }
    let mut alike: Vec<Alike> = groups
        .into_iter()
        .map(|((exercise, shape), submissions)| Alike {
            exercise: exercise.name().to_string(),
            shape: format!("{shape:016x}"),
            submissions,
        })
        .collect();
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
}
