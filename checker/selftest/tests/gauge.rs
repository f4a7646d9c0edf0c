//! The gauge tells of every stall, also of one that is hardly over.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use checker::gauge::Gauge;

const STALL: Duration = Duration::from_millis(60);

/// Nothing else of this runtime gets to run meanwhile, as on a machine that stands still.
fn stall() {
    let since = Instant::now();
    while since.elapsed() < STALL {
        spin_loop();
    }
}

/// Lets the gauge look until it has told of what is asked for.
async fn until(told: impl Fn() -> bool) {
    while !told() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stall_is_told_of_before_the_gauge_has_run_again() {
    let gauge = Gauge::start();
    tokio::task::yield_now().await;
    let since = Instant::now();
    stall();
    assert!(gauge.worst_since(since) >= STALL / 2, "{:?}", gauge.worst_since(since));
}

#[tokio::test]
async fn a_stall_is_remembered_and_belongs_to_its_time() {
    let gauge = Gauge::start();
    tokio::task::yield_now().await;
    let since = Instant::now();
    stall();
    // Once the look in which it happened is over, the present one is a new one, and has nothing to tell.
    until(|| gauge.worst_since(Instant::now()) < STALL / 2).await;
    assert!(gauge.worst_since(since) >= STALL / 2, "{:?}", gauge.worst_since(since));
}
