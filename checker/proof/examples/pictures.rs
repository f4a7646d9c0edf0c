//! Draws a red and a green run: `cargo run -p proof --example pictures` writes
//! `lessons/img/red.svg` and `lessons/img/green.svg` from the output of `cargo checker grade` for a
//! wrong and a right server.

use std::error::Error;
use std::process::Command;

use anstyle_svg::Term;
use harness::server::build::{build, workspace};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut built = build(&["checker", "faults"]).await?;
    let mut program = |package: &str| -> Result<_, Box<dyn Error>> {
        Ok(built.remove(package).ok_or("cargo said nothing about it")??)
    };
    let (checker, museum) = (program("checker")?, program("faults")?);
    let pictures = [("red", "--fault close-unanswered"), ("green", "--right raw-echo")];
    for (name, server) in pictures {
        let output = Command::new(&checker)
            .args([
                "grade",
                "echo",
                "--seed",
                "1",
                "--command",
                &format!("{} {server}", museum.display()),
            ])
            .env("CLICOLOR_FORCE", "1")
            .output()?;
        let text = format!("$ cargo checker grade echo\n{}", String::from_utf8(output.stdout)?);
        let path = workspace().join(format!("lessons/img/{name}.svg"));
        // The default red and dimmed text have too little contrast on black.
        let picture = Term::new().render_svg(text.trim_end());
        let picture =
            picture.replace("#AA0000", "#FF7B72").replace("opacity: 0.4", "opacity: 0.65");
        std::fs::write(&path, picture)?;
        println!(
            "{} shows exit code {}",
            path.display(),
            output.status.code().ok_or("it was killed")?
        );
    }
    Ok(())
}
