//! Several clients, or several futures, judged together.

use futures_util::future::join_all;

use crate::client::{Client, Expectation};
use crate::verdict::{CheckError, CheckResult};

/// Awaits all futures, then returns the first failure in their order. The order makes the failure
/// repeatable: which future fails first depends on the scheduler.
pub async fn all<T>(
    futures: impl IntoIterator<Item = impl Future<Output = CheckResult<T>>>,
) -> CheckResult<Vec<T>> {
    join_all(futures).await.into_iter().collect()
}

/// Waits until every client has received this event. A failure shows the conversation of all
/// clients, and records if it concerns every client.
pub async fn all_expect(clients: &mut [Client], expectation: &Expectation) -> CheckResult {
    let results =
        join_all(clients.iter_mut().map(|client| client.expect(expectation.clone()))).await;
    together(results).map(|_| ())
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
