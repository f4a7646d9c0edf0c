//! Several clients, or several futures, judged together.

use futures_util::future::join_all;

use crate::verdict::{CheckError, CheckResult};

/// Awaits all futures, then returns the first failure in their order. The order makes the failure
/// repeatable: which future fails first depends on the scheduler.
pub async fn all<T>(
    futures: impl IntoIterator<Item = impl Future<Output = CheckResult<T>>>,
) -> CheckResult<Vec<T>> {
    join_all(futures).await.into_iter().collect()
}

/// Returns the first failure of several clients, with the conversation of all of them.
pub fn together<T>(results: Vec<CheckResult<T>>) -> CheckResult<Vec<T>> {
    let kind = |result: &CheckResult<T>| match result {
        Err(CheckError::Failed(failure)) => Some(failure.kind),
        _ => None,
    };
    let first = results.first().and_then(kind);
    let every =
        results.len() > 1 && first.is_some() && results.iter().all(|result| kind(result) == first);
    results.into_iter().collect::<CheckResult<_>>().map_err(|error| {
        let error = error.map_failure(|failure| failure.every_client = every);
        error.show_all_clients()
    })
}
