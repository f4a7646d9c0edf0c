//! Each reason in the quizzes names an existing mistake or heading, and each program prints its
//! answer.

use std::collections::BTreeSet;
use std::process::Command;

use mistakes::catalogue;
use quiz::{FILES, Question, quizzes};

use crate::common::checker;
use crate::markdown::{Page, anchors, read};

#[test]
fn each_distractor_has_a_reason() {
    let chapters = catalogue::chapters().expect("the catalogue");
    let mistakes: BTreeSet<&str> = chapters
        .iter()
        .flat_map(|chapter| chapter.mistakes.iter().map(|mistake| mistake.name.as_str()))
        .collect();
    let mut ids = BTreeSet::new();
    let book = read("lessons/quiz.md");
    for ((file, _), quiz) in FILES.iter().zip(quizzes().expect("the quizzes")) {
        assert!((4..=5).contains(&quiz.questions.len()), "{file}");
        assert!(book.contains(&format!("{{{{#quiz quiz/{file}}}}}")), "lessons/quiz.md: {file}");
        for question in &quiz.questions {
            let id = question.id();
            assert!(ids.insert(id.to_string()), "{id} twice");
            assert!(!question.context().is_empty() && !question.answer().is_empty(), "{id}");
            let Question::MultipleChoice(fields) = question else { continue };
            let distractors = &fields.prompt.distractors;
            assert!(distractors.len() >= 2, "{id}");
            assert_eq!(distractors.len(), fields.reasons.len(), "{id}: reasons");
            assert!(!distractors.iter().any(|distractor| question.accepts(distractor)), "{id}");
            for reason in &fields.reasons {
                assert!(reason.why.len() > 30, "{id}: {}", reason.why);
                let Some((file, anchor)) = reason.of.split_once('#') else {
                    assert!(mistakes.contains(&*reason.of), "{id}: no mistake {}", reason.of);
                    continue;
                };
                let page = Page { name: String::new(), text: read(&format!("lessons/{file}")) };
                assert!(anchors(&page).contains(anchor), "{id}: no heading {}", reason.of);
            }
        }
    }
}

/// As mdbook-quiz tests them: compiled by rustc alone.
#[test]
fn programs_print_their_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = format!("program{}", std::env::consts::EXE_SUFFIX);
    let mut count = 0;
    for question in quizzes().expect("the quizzes").iter().flat_map(|quiz| &quiz.questions) {
        let Question::Tracing(fields) = question else { continue };
        let (source, program) = (folder.path().join("main.rs"), folder.path().join(&program));
        std::fs::write(&source, &fields.prompt.program).expect("it is written");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output =
            Command::new(rustc).arg(&source).arg("-o").arg(&program).output().expect("rustc runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), fields.answer.does_compile, "{}: {said}", fields.id);
        let output = Command::new(&program).output().expect("it runs");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            question.answer(),
            "{}",
            fields.id
        );
        count += 1;
    }
    assert!(count >= 4, "{count} programs only");
}

#[test]
fn a_wrong_answer_is_explained() {
    let workbook = crate::common::workbook::Workbook::copy();
    let ask = |lesson: &str, answers: &str| {
        let output = checker()
            .args(["quiz", lesson])
            .envs(workbook.environment())
            .write_stdin(answers)
            .output()
            .expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    // A wrong number, then the right one; the other questions are skipped.
    let (code, said) = ask("1", "7\n5\n\n\n\n");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("No. Try again.") && said.contains("Right."), "{said}");
    assert!(said.contains("0 of 4 right at the first try."), "{said}");
    // The options stand in alphabetical order: the first is right, the others have reasons.
    let (_, said) = ask("3", "b\nc\na\n\n\n\n\n");
    assert!(said.contains("It sends\nnothing.") && said.contains("buffer is\nfilled"), "{said}");
    assert!(said.contains("Right. `send"), "{said}");
    let kept = std::fs::read_to_string(workbook.root().join("target/checker/quiz.json"));
    assert!(kept.expect("the answers").contains("\"01-delay\""));
    let code = checker().args(["quiz", "6"]).output().expect("it runs").status.code();
    assert_eq!(code, Some(2));
}
