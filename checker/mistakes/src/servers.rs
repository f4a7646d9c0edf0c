//! The solutions with one mistake each; the argument names the mistake.

// Students' code, mistakes included: nothing in it is worth a warning here.
#![allow(warnings, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/servers.rs"));

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    match SERVERS.iter().find(|(other, _)| *other == name) {
        Some((_, run)) => run(),
        None => {
            eprintln!("there is no mistake `{name}`");
            std::process::exit(2);
        }
    }
}
