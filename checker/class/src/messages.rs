//! The compiler's messages, as `--error-format=json` prints them.

use std::collections::BTreeSet;

use serde::Deserialize;

/// One line of the compiler with `--error-format=json`.
#[derive(Deserialize)]
struct Message {
    level: String,
    message: String,
    rendered: Option<String>,
    code: Option<Code>,
    #[serde(default)]
    spans: Vec<serde::de::IgnoredAny>,
    #[serde(default)]
    children: Vec<Child>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

impl Message {
    /// Returns the crate or module that was not found: "unresolved import `anyhow::Context`",
    /// "cannot find module or crate `anyhow` in this scope".
    fn not_found(&self) -> Option<String> {
        let code = &self.code.as_ref()?.code;
        ["E0432", "E0433"].contains(&code.as_str()).then_some(())?;
        let path = self.message.split('`').nth(1)?;
        Some(path.split("::").next().unwrap_or(path).to_string())
    }
}

#[derive(Deserialize)]
struct Child {
    message: String,
}

/// The compiler's messages, by kind.
#[derive(Default)]
pub(crate) struct CompilerOutput {
    pub(crate) errors: String,
    /// Lines that are no messages, as those of a compiler that panics.
    pub(crate) others: String,
    /// The fault of the machine that one of them names.
    pub(crate) machine_fault: Option<String>,
    /// The crates and modules that were not found.
    pub(crate) not_found: BTreeSet<String>,
}

impl CompilerOutput {
    pub(crate) fn from(messages: &[u8]) -> CompilerOutput {
        let mut output = CompilerOutput::default();
        for line in messages.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(message) = serde_json::from_slice::<Message>(line) else {
                let line = String::from_utf8_lossy(line);
                output.machine_fault = output.machine_fault.or_else(|| fault(&line));
                output.others.push_str(&line);
                output.others.push('\n');
                continue;
            };
            if !message.level.starts_with("error") {
                continue;
            }
            // A message with a place in the source may quote the source, which can say anything.
            if message.spans.is_empty() {
                let texts = message.children.iter().map(|child| &child.message);
                let found = texts.chain([&message.message]).find_map(|text| fault(text));
                output.machine_fault = output.machine_fault.or(found);
            }
            output.not_found.extend(message.not_found());
            output.errors.push_str(message.rendered.as_deref().unwrap_or(&message.message));
        }
        output
    }
}

/// The fault of the machine that a text names.
fn fault(text: &str) -> Option<String> {
    const FAULTS: [&str; 8] = [
        "Resource temporarily unavailable",
        "Cannot allocate memory",
        "No space left on device",
        "Too many open files",
        "memory allocation of",
        "signal: 9 (SIGKILL)",
        "signal 9 [Killed]",
        "os error 11",
    ];
    let fault = FAULTS.iter().find(|fault| text.contains(**fault))?;
    let line = text.lines().find(|line| line.contains(fault)).unwrap_or(text);
    Some(format!("the compiler met a limit of the machine: {}", crate::text::line(line, 200)))
}

#[cfg(test)]
mod tests {
    use super::CompilerOutput;

    #[test]
    fn faults_of_the_machine_are_told_from_words_in_the_source() {
        let message = |spans: &str| {
            let text = r#"{"level":"error","rendered":"error","spans":[SPANS],"children":[],
                "message":"Resource temporarily unavailable (os error 11)"}"#;
            let text = text.replace('\n', "");
            text.replace("SPANS", spans)
        };
        assert!(CompilerOutput::from(message("").as_bytes()).machine_fault.is_some());
        // As `compile_error!` makes it.
        assert_eq!(CompilerOutput::from(message("{}").as_bytes()).machine_fault, None);
    }

    #[test]
    fn a_linker_that_was_killed_is_the_machine() {
        let text = r#"{"level":"error","rendered":"error","spans":[],
            "message":"linking with `cc` failed: exit status: 1",
            "children":[
            {"message":"collect2: fatal error: ld terminated with signal 9 [Killed]"}]}"#;
        let text = text.replace('\n', "");
        assert!(CompilerOutput::from(text.as_bytes()).machine_fault.is_some());
    }
}
