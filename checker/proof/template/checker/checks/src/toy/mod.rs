//! The checks of the template's exercise.

use crate::{Check, MINIMUM, check};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Toy;
use harness::verdict::{CheckResult, Fundamental};

pub(super) const CHECKS: &[Check] = &[Check {
    hint: "to_uppercase() gives the capitals of any text.",
    lesson: "lessons/06-summary.md",
    minimum: MinimumEvidence { messages: 3, ..MINIMUM },
    ..check("toy::capitals", Toy, include_str!("capitals.md"), |ctx| Box::pin(capitals(ctx)))
}];

async fn capitals(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.connect().await.fundamental()?;
    for _ in 0..3 {
        let sent = ctx.token();
        client.send_text(sent.as_str());
        client.expect_text(&sent.to_uppercase(), "the capitals").await.fundamental()?;
        ctx.gate_passed();
    }
    Ok(())
}
