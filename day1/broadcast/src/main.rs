//! The exercise.
fn main() {}
