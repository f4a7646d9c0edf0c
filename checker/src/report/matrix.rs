//! Renders the kill matrix as tables.

use std::fmt::Write;

use crate::museum::{Matrix, Row};
use harness::exercise::Exercise;

/// Renders a table for each exercise, with a row for each fault and a column for each check.
pub fn matrix(matrix: &Matrix, whole: bool) -> String {
    let mut out = String::new();
    for exercise in Exercise::ALL {
        let rows: Vec<&Row> =
            matrix.faults.iter().filter(|row| row.fault.exercise == exercise.name()).collect();
        if !rows.is_empty() {
            table(&mut out, exercise, &rows);
        }
    }
    let _ = writeln!(
        out,
        "X caught by the check it names   x caught by another that it violates   \
         ! failed by a check that it does not violate"
    );
    let _ = writeln!(out, "b blocked   · passed   ? could not be judged\n");
    if whole {
        for (id, catches) in matrix.catches() {
            let _ = writeln!(out, "{id:<24} catches {catches:>3}");
        }
        out.push('\n');
    }
    let complaints = matrix.complaints(whole);
    let faults = matrix.faults.len();
    if complaints.is_empty() {
        let _ = writeln!(
            out,
            "The matrix holds: {faults} faults, each caught by the check it names, \
             none failed by a check that it does not violate."
        );
    } else {
        let _ = writeln!(out, "The matrix does not hold ({faults} faults):");
        for complaint in complaints {
            let _ = writeln!(out, "  {complaint}");
        }
    }
    out
}

fn table(out: &mut String, exercise: Exercise, rows: &[&Row]) {
    let checks: Vec<&str> = checks::all()
        .iter()
        .filter(|check| check.exercise == exercise)
        .map(|check| check.id)
        .collect();
    let width = rows.iter().map(|row| row.fault.name.len()).max().unwrap_or_default();
    for (column, id) in checks.iter().enumerate() {
        let _ = writeln!(out, "{:width$}  {}{id}", "", "│ ".repeat(column));
    }
    for row in rows {
        let cells: Vec<&str> = checks.iter().map(|id| cell(row, id)).collect();
        let _ = writeln!(out, "{:<width$}  {}", row.fault.name, cells.join(" "));
    }
    out.push('\n');
}

fn cell(row: &Row, id: &str) -> &'static str {
    match row.outcomes.get(id) {
        Some(&"caught") if row.fault.violates.first().is_some_and(|named| named == id) => "X",
        Some(&"caught") if row.fault.violates.iter().any(|violated| violated == id) => "x",
        Some(&"caught") => "!",
        Some(&"blocked") => "b",
        Some(&"passed") => "·",
        _ => "?",
    }
}
