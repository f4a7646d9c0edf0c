//! Remarks on a finished exercise: what its source shows and no check grades.

/// The most remarks at a time.
const MOST: usize = 2;

/// Returns remarks on a source that passed every check, on risks first.
pub(super) fn remarks(source: &str) -> Vec<&'static str> {
    let code: Vec<&str> =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let has = |words: &[&str]| code.iter().any(|line| words.iter().all(|word| line.contains(word)));
    let all = [
        (
            !has(&["timeout("]),
            "There is no `timeout` in it. A client that connects and sends nothing may keep a task \
             and a socket for ever. No check grades that.",
        ),
        (
            has(&[".unwrap()"]),
            "An `unwrap` on a read or a write panics when the client vanishes. With `?` the session \
             ends and nothing is printed.",
        ),
        (
            has(&["unbounded"]),
            "A queue without a bound holds all that a slow client does not read. With a bound you \
             decide what happens then.",
        ),
        (
            has(&[".lock()"]),
            "End a lock before the next `.await`. Otherwise one slow client keeps it, and all \
             others wait.",
        ),
        (
            has(&["timeout(", "accept_async"]),
            "The handshake has a time limit. No check asked for that.",
        ),
        (
            has(&["timeout(", "send("]),
            "A write has a time limit, so a client that stops reading cannot keep its task.",
        ),
    ];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, text)| text).take(MOST).collect()
}
