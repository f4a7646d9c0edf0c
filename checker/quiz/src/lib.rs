//! The quizzes: `lessons/quiz/*.toml`, in the format of mdbook-quiz. Beside its fields, `reasons`
//! says why each distractor is wrong.

use serde::Deserialize;

/// The quiz of each lesson, in the order of the lessons.
pub const FILES: [(&str, &str); 5] = [
    (
        "01-polling-and-pushing.toml",
        include_str!("../../../lessons/quiz/01-polling-and-pushing.toml"),
    ),
    ("02-the-handshake.toml", include_str!("../../../lessons/quiz/02-the-handshake.toml")),
    ("03-echo.toml", include_str!("../../../lessons/quiz/03-echo.toml")),
    ("04-heartbeats.toml", include_str!("../../../lessons/quiz/04-heartbeats.toml")),
    ("05-broadcast.toml", include_str!("../../../lessons/quiz/05-broadcast.toml")),
];

/// The questions on one lesson.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiz {
    /// In the order in which they are asked.
    pub questions: Vec<Question>,
}

/// A question.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub enum Question {
    /// Several options, one of them right.
    MultipleChoice(Fields<Options, Text>),
    /// A number or a word.
    ShortAnswer(Fields<Prompt, Text>),
    /// The output of a program.
    Tracing(Fields<Program, Output>),
}

/// The fields that all questions have.
#[derive(Debug, Deserialize)]
pub struct Fields<P, A> {
    /// Unique in all quizzes.
    pub id: String,
    /// The question.
    pub prompt: P,
    /// The right answer.
    pub answer: A,
    /// An explanation of the right answer.
    pub context: String,
    /// Why each distractor is wrong, in their order.
    #[serde(default)]
    pub reasons: Vec<Reason>,
}

/// Why a distractor is wrong.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// A mistake of the catalogue, or a heading of a lesson: `03-echo.md#text-and-binary`.
    pub of: String,
    /// The reason.
    pub why: String,
}

/// The prompt of a multiple-choice question.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The question.
    pub prompt: String,
    /// Wrong answers.
    pub distractors: Vec<String>,
}

/// The prompt of a question with a short answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The question.
    pub prompt: String,
}

/// The prompt of a question about a program.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The source of the program.
    pub program: String,
}

/// An answer of words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The right answer.
    pub answer: String,
    /// The same in other words.
    #[serde(default)]
    pub alternatives: Vec<String>,
}

/// The answer to a question about a program.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// True for all programs here. The format also has programs that do not compile.
    #[serde(rename = "doesCompile")]
    pub does_compile: bool,
    /// The program's output.
    pub stdout: String,
}

/// Reads all quizzes.
pub fn quizzes() -> Result<Vec<Quiz>, toml::de::Error> {
    FILES.iter().map(|(_, text)| toml::from_str(text)).collect()
}

impl Question {
    /// Returns the question's id.
    pub fn id(&self) -> &str {
        match self {
            Question::MultipleChoice(fields) => &fields.id,
            Question::ShortAnswer(fields) => &fields.id,
            Question::Tracing(fields) => &fields.id,
        }
    }

    /// Returns the explanation of the right answer.
    pub fn context(&self) -> &str {
        match self {
            Question::MultipleChoice(fields) => &fields.context,
            Question::ShortAnswer(fields) => &fields.context,
            Question::Tracing(fields) => &fields.context,
        }
    }

    /// Returns the right answer.
    pub fn answer(&self) -> &str {
        match self {
            Question::MultipleChoice(fields) => &fields.answer.answer,
            Question::ShortAnswer(fields) => &fields.answer.answer,
            Question::Tracing(fields) => fields.answer.stdout.trim(),
        }
    }

    /// Returns true if this is the right answer. Case and white space do not count.
    pub fn accepts(&self, given: &str) -> bool {
        let words =
            |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let mut right = vec![self.answer()];
        if let Question::ShortAnswer(fields) = self {
            right.extend(fields.answer.alternatives.iter().map(String::as_str));
        }
        right.iter().any(|answer| words(answer) == words(given))
    }

    /// Returns the reason why this distractor is wrong.
    pub fn reason(&self, given: &str) -> Option<&Reason> {
        let Question::MultipleChoice(fields) = self else { return None };
        let place = fields.prompt.distractors.iter().position(|distractor| distractor == given)?;
        fields.reasons.get(place)
    }
}
