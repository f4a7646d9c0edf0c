//! The minutes of a lesson follow from what a reader reads, types and writes.

use checker::skeleton;
use harness::exercise::Exercise;

use crate::markdown::{Page, lessons, names, read};

/// The work that the visible text of a page takes. Folded parts are not counted.
struct Work {
    words: usize,
    commands: usize,
    todos: usize,
}

impl Work {
    fn of(page: &Page) -> Self {
        let (mut folded, mut in_summary, mut fence) = (false, false, None);
        let mut work = Work { words: 0, commands: 0, todos: todos(page) };
        for line in page.text.lines() {
            folded |= line.starts_with("<details>");
            in_summary |= line.contains("<summary>");
            if let Some(language) = line.strip_prefix("```") {
                fence = if fence.is_some() { None } else { Some(language) };
            } else if !folded && fence == Some("console") {
                work.commands += usize::from(line.starts_with("$ "));
            } else if fence.is_none() && (!folded || in_summary) {
                work.words += words(line);
            }
            in_summary &= !line.contains("</summary>");
            folded &= !line.starts_with("</details>");
        }
        work
    }

    /// 200 words a minute, half a minute for a command. Two minutes for a TODO are an estimate.
    fn minutes(&self) -> f64 {
        self.words as f64 / 200.0 + self.commands as f64 * 0.5 + self.todos as f64 * 2.0
    }
}

/// Words of a line, without tags and comments.
fn words(line: &str) -> usize {
    let mut text = String::new();
    for piece in line.split('<') {
        text.push_str(piece.split_once('>').map_or(piece, |(_, rest)| rest));
    }
    text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
}

fn todos(page: &Page) -> usize {
    let of_page = Exercise::ALL.into_iter().find(|exercise| exercise.lesson() == page.name);
    let skeleton = of_page.map(skeleton::of).unwrap_or_default();
    skeleton.lines().filter(|line| line.trim().starts_with("// TODO ")).count()
}

#[test]
fn lessons_1_to_5_take_an_hour() {
    let (mut all_words, mut all_minutes, mut wrong) = (0, 0.0, Vec::new());
    println!("page                           words  commands  TODOs  minutes");
    for page in lessons() {
        let work = Work::of(&page);
        let (name, minutes) = (page.name.trim_start_matches("lessons/"), work.minutes());
        println!(
            "{name:<30} {:>5}  {:>8}  {:>5}  {minutes:>7.1}",
            work.words, work.commands, work.todos
        );
        let stated = names(&page.text, "**Time:** ", |c| c.is_ascii_digit()).next();
        let expected = format!("{}", minutes.round());
        if stated != Some(expected.as_str()) {
            wrong.push(format!("{name}: {expected} minutes"));
        }
        if name < "06" {
            all_words += work.words;
            all_minutes += minutes;
        }
    }
    println!("lessons 1 to 5                 {all_words:>5}                   {all_minutes:>7.1}");
    assert!(wrong.is_empty(), "the times of the pages are: {wrong:?}");
    assert!(all_words <= 5_000, "{all_words} words");
    assert!(all_minutes <= 60.0, "{all_minutes} minutes");
}

/// The README has the minutes of the pages, and the formula.
#[test]
fn the_readme_has_the_minutes_of_the_pages() {
    let readme = read("README.md");
    for page in lessons() {
        let minutes =
            names(&page.text, "**Time:** ", |c| c.is_ascii_digit()).next().expect("a time");
        let row = format!("]({}) | {minutes} |", page.name);
        assert!(readme.contains(&row), "{}: {minutes} minutes", page.name);
    }
}

#[test]
fn folded_text_and_code_are_not_counted() {
    let text = "Two words.\n\n```console\n$ one\n$ two\n```\n\n<details><summary>Three more\n\
                words</summary>\n\nhidden\n\n```console\n$ hidden\n```\n\n</details>\n<!-- a -->\n";
    let work = Work::of(&Page { name: String::new(), text: text.into() });
    assert_eq!((work.words, work.commands, work.todos), (5, 2, 0));
}
