//! `lessons/contract.md` has the row of each check, in the words of the check.

use crate::markdown::{read, root};

const PAGE: &str = "lessons/contract.md";

/// With `CONTRACT_UPDATE` set, writes the rows into the page.
#[test]
fn the_contract_has_the_rows_of_the_checks() {
    let mut page = read(PAGE);
    let mut order = Vec::new();
    for check in checks::all() {
        let start = format!("| `{}` | ", check.id);
        let at = page.find(&start).unwrap_or_else(|| panic!("{PAGE} has no row of {}", check.id));
        order.push(at);
        let from = at + start.len();
        let length = page[from..].find(" |").expect("the row has a third column");
        page.replace_range(from..from + length, check.row());
    }
    assert!(order.is_sorted(), "the rows are in the order of the checks");
    if std::env::var_os("CONTRACT_UPDATE").is_some() {
        std::fs::write(root().join(PAGE), &page).expect("it is written");
    }
    let changed = "differs from the checks' rows; CONTRACT_UPDATE=1 writes them";
    for (ours, theirs) in read(PAGE).lines().zip(page.lines()) {
        assert_eq!(ours, theirs, "{PAGE} {changed}");
    }
}
