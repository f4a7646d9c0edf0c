//! The checks of the template's exercise.

use super::{Check, LEAST, check};
use crate::arena::Arena;
use crate::evidence::Least;
use crate::exercise::Exercise::Toy;
use crate::verdict::{Checked, Fundamental};

pub(super) const CHECKS: &[Check] = &[Check {
    hint: "to_uppercase() gives the capitals of any text.",
    lesson: "lessons/06-summary.md",
    least: Least { messages: 3, ..LEAST },
    ..check("toy::capitals", Toy, "A text message is answered with the same text in capitals.", |arena| {
        Box::pin(capitals(arena))
    })
}];

async fn capitals(arena: &mut Arena) -> Checked {
    let mut client = arena.connect().await.fundamental()?;
    for _ in 0..3 {
        let said = arena.token();
        client.send_text(said.as_str());
        client.expect_text(&said.to_uppercase(), "the capitals").await.fundamental()?;
        arena.sound();
    }
    Ok(())
}
