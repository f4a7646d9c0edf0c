//! `cargo checker quiz`: asks the questions of a lesson. Reads answers from standard input.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use checker::cli::{UNKNOWN, complain};
use checker::state::{self, Answered};
use checker::terminal;
use clap::{Args, Parser};
use quiz::Question;

#[derive(Parser)]
#[command(name = "cargo checker", bin_name = "cargo checker", version)]
enum Command {
    /// Ask the questions of a lesson, from 1 to 5
    ///
    /// Your answers stay in target/checker/. Exit codes: 0 asked, 2 invalid command line, 3 not
    /// asked.
    Quiz(QuizArgs),
}

#[derive(Args)]
struct QuizArgs {
    /// The number of the lesson
    #[arg(value_name = "LESSON", value_parser = clap::value_parser!(u8).range(1..=5))]
    lesson: u8,
}

fn main() -> ExitCode {
    let Command::Quiz(args) = Command::parse();
    let mut quizzes = match quiz::quizzes() {
        Ok(quizzes) => quizzes,
        Err(error) => return complain(UNKNOWN, format!("cannot read the quizzes: {error}")),
    };
    let quiz = quizzes.swap_remove(usize::from(args.lesson - 1));
    match ask_all(&quiz.questions, &mut io::stdin().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(UNKNOWN, format!("cannot ask: {error}")),
    }
}

/// Asks all questions, and prints how many were answered right at the first try.
fn ask_all(questions: &[Question], input: &mut impl BufRead) -> io::Result<()> {
    let mut answers = state::quiz_answers();
    let mut out = terminal::stdout();
    writeln!(out, "An empty line skips a question.")?;
    let mut at_once = 0;
    for (number, question) in questions.iter().enumerate() {
        writeln!(out, "\n{} of {}", number + 1, questions.len())?;
        let tries = ask(question, input, &mut out)?;
        let right = tries.last().is_some_and(|last| question.accepts(last));
        at_once += usize::from(right && tries.len() == 1);
        answers.insert(question.id().to_string(), Answered { tries, right });
    }
    writeln!(out, "\n{at_once} of {} right at the first try.", questions.len())?;
    if let Err(error) = state::remember_quiz_answers(&answers) {
        writeln!(out, "Cannot keep the answers in target/checker ({error}).")?;
    }
    Ok(())
}

/// Asks one question until it is answered right or skipped, and returns all answers.
fn ask(
    question: &Question,
    input: &mut impl BufRead,
    out: &mut impl Write,
) -> io::Result<Vec<String>> {
    let mut options = Vec::new();
    match question {
        Question::MultipleChoice(fields) => {
            writeln!(out, "{}\n", plain(&fields.prompt.prompt))?;
            options.extend(fields.prompt.distractors.iter().map(String::as_str));
            options.push(question.answer());
            options.sort_unstable();
            for (letter, option) in ('a'..).zip(&options) {
                let lines = textwrap::Options::new(80).subsequent_indent("   ");
                writeln!(out, "{}", textwrap::fill(&format!("{letter}) {option}"), lines))?;
            }
        }
        Question::ShortAnswer(fields) => writeln!(out, "{}", plain(&fields.prompt.prompt))?,
        Question::Tracing(fields) => {
            let code = format!("```\n{}\n```", fields.prompt.program.trim());
            writeln!(out, "What does this print?\n\n{}", plain(&code))?;
        }
    }
    let lines = question.answer().lines().count();
    let mut tries = Vec::new();
    loop {
        write!(out, "> ")?;
        out.flush()?;
        let Some(typed) = read_answer(input, lines)? else {
            writeln!(out, "The answer is: {}\n{}", question.answer(), plain(question.context()))?;
            return Ok(tries);
        };
        let letter = ('a'..).zip(&options).find(|(letter, _)| typed == letter.to_string());
        if letter.is_none() && !options.is_empty() {
            writeln!(out, "Type one of the letters.")?;
            continue;
        }
        let given = letter.map_or(typed, |(_, option)| option.to_string());
        tries.push(given.clone());
        if question.accepts(&given) {
            writeln!(out, "{}", plain(&format!("Right. {}", question.context())))?;
            return Ok(tries);
        }
        match question.reason(&given) {
            Some(reason) if reason.of.contains(".md") => {
                writeln!(out, "{}\nread   lessons/{}", plain(&reason.why), reason.of)?;
            }
            Some(reason) => writeln!(out, "{}", plain(&reason.why))?,
            None => writeln!(out, "No. Try again.")?,
        }
    }
}

/// Reads this many lines. Returns `None` if the first one is empty or missing.
fn read_answer(input: &mut impl BufRead, lines: usize) -> io::Result<Option<String>> {
    let mut answer = String::new();
    for _ in 0..lines {
        let before = answer.trim_end().len();
        input.read_line(&mut answer)?;
        if answer.trim_end().len() == before {
            break;
        }
    }
    let answer = answer.trim();
    Ok((!answer.is_empty()).then(|| answer.to_string()))
}

/// Renders Markdown for a terminal: wraps paragraphs and indents code.
fn plain(markdown: &str) -> String {
    let mut in_code = false;
    let mut lines = Vec::new();
    for line in markdown.trim().lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if in_code {
            lines.push(format!("    {line}"));
        } else {
            lines.push(textwrap::fill(line, 80));
        }
    }
    lines.join("\n")
}
