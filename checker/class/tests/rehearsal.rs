//! The rehearsal: a class with every kind of hand-in gets the rows that are expected.
#![cfg(unix)]

mod common;

use common::classroom;

#[test]
fn every_hand_in_of_the_rehearsal_gets_its_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("rehearsal");
    let rehearse = || {
        let output = classroom().args(["rehearse", "--out"]).arg(&out).output().expect("it runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), text)
    };
    let (code, text) = rehearse();
    println!("{text}");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("35 hand-ins: 35 as expected, 0 not."), "{text}");
    let (code, text) = rehearse();
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("holds a class already"), "{text}");
}
