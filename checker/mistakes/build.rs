//! Writes one module for each mistake: the solution's source, edited.

use std::path::Path;
use std::{env, error, fs};

// The library has these items public, and uses more of them.
#[allow(dead_code, unreachable_pub)]
#[path = "src/catalogue.rs"]
mod catalogue;

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut modules = String::new();
    let mut names = String::new();
    for chapter in catalogue::chapters()? {
        for mistake in &chapter.mistakes {
            let name = &mistake.name;
            let source = chapter.source(mistake).map_err(|error| format!("{name}: {error}"))?;
            let module = name.replace('-', "_");
            modules +=
                &format!("mod {module} {{\n{source}\npub(super) fn run() {{ main() }}\n}}\n");
            names += &format!("    ({name:?}, {module}::run),\n");
        }
    }
    let text = format!("{modules}\nconst SERVERS: &[(&str, fn())] = &[\n{names}];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("servers.rs"), text)?;
    Ok(())
}
