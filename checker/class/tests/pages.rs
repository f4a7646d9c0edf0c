//! The folder that a student gets back, and pages on a screen and on a phone.
#![cfg(unix)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use common::{classroom, put, reference};

/// A class with each kind of submission, graded once for all tests.
fn graded() -> &'static Path {
    static CLASS: OnceLock<PathBuf> = OnceLock::new();
    CLASS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
        let _ = std::fs::remove_dir_all(&folder);
        let class = folder.join("class");
        let right = reference("echo");
        put(&class.join("student-01"), "echo", &right);
        put(&class.join("student-02"), "echo", &right.replace("Welcome!", "Hello."));
        let long = "a_name_without_a_place_to_break".repeat(20);
        put(&class.join("student-03"), "echo", &format!("fn main() {{ {long} }}"));
        std::fs::create_dir(class.join("student-04")).expect("a folder");
        let roster = folder.join("roster.csv");
        let text = "Name,ID,submission\nStudent Two,S2,student-02\nStudent Three,S3,student-03\n";
        std::fs::write(&roster, text).expect("a file");
        let run = |command: &mut Command| {
            let output = command.arg("--out").arg(folder.join("out")).output();
            let output = output.expect("it runs");
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{text}");
        };
        let mut grade = classroom();
        run(grade.args(["class", "--seed", "7", "--roster"]).arg(roster).arg("--each").arg(class));
        let comment = "Read the welcome's text <again>.";
        run(classroom().args(["adjust", "student-02", "--comment", comment]));
        folder
    })
}

fn hand_back(name: &str, file: &str) -> String {
    let path = graded().join("out/hand-back").join(name).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The places of these words, which must all be in the text.
fn places(text: &str, words: &[&str]) -> Vec<usize> {
    words.iter().map(|word| text.find(word).unwrap_or_else(|| panic!("{word}: {text}"))).collect()
}

#[test]
fn a_student_reads_name_points_comment_and_failures_in_this_order() {
    let headline = "echo::welcome";
    let text = hand_back("student-02", "report.txt");
    let words = ["Student Two (S2)\n", " of 75 points\n", "Comment: Read", headline, "\necho  "];
    let order = places(&text, &words);
    assert!(order.is_sorted(), "{order:?}: {text}");
    let page = hand_back("student-02", "report.html");
    let words = ["<h1>Student Two (S2)</h1>", " of 75 points", "&lt;again&gt;", headline, "<table"];
    let order = places(&page, &words);
    assert!(order.is_sorted(), "{order:?}: {page}");
    // The sandbox is of interest to the instructor only.
    assert!(!page.contains("Sandbox"), "{page}");
}

#[test]
fn a_compile_error_names_the_points_it_cost() {
    let words = "Exercise echo does not compile: its 12 checks count 0 of 19 points.";
    for file in ["report.txt", "report.html"] {
        places(&hand_back("student-03", file), &[words]);
    }
}

#[test]
fn no_page_scrolls_sideways() {
    let out = graded().join("out");
    // The first two differ by a word, so they have a page side by side.
    let mut pages = vec![out.join("index.html"), out.join("similar/0.html")];
    for name in ["student-01", "student-02", "student-03", "student-04"] {
        pages.push(out.join("submissions").join(name).join("report.html"));
        pages.push(out.join("hand-back").join(name).join("report.html"));
    }
    let Some(widths) = widths(&pages) else { return };
    assert_eq!(widths.len(), 2 * pages.len());
    for (page, window, content) in widths {
        assert!(content <= window, "{page} is {content} px wide in a window of {window} px");
    }
}

/// Measures each page in a window of 1280 and of 360 px.
fn widths(pages: &[PathBuf]) -> Option<Vec<(String, u32, u32)>> {
    let browser = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
        Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
    });
    let Some(browser) = browser else {
        common::skip("the width of pages: there is no chromium");
        return None;
    };
    let frame = |path: &PathBuf| {
        let frame = |width| {
            format!("<iframe width={width} height=600 src='file://{}'></iframe>", path.display())
        };
        frame(1280) + &frame(360)
    };
    let frames: String = pages.iter().map(frame).collect();
    let script = "onload = () => document.body.innerText = [...document.querySelectorAll('iframe')]
        .map(frame => [frame.src.split('/').slice(-3).join('/'), frame.width,
             frame.contentDocument.documentElement.scrollWidth].join(' ')).join('\\n')";
    let measure = graded().join("measure.html");
    let page = format!("<body>{frames}</body><script>{script}</script>");
    std::fs::write(&measure, page).expect("a file");
    let profile = graded().join("profile");
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", measure.display()))
        .output()
        .expect("a browser");
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = dom.replace("<br>", "\n").replace("<body>", "\n").replace("</body>", "\n");
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[page, window, content] = &words[..] else { return None };
        Some((page.to_string(), window.parse().ok()?, content.parse().ok()?))
    };
    Some(text.lines().filter_map(line).collect())
}
