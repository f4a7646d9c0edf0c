//! The monitor reports every stall, even one that has just ended.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use harness::stall_monitor::StallMonitor;

const STALL: Duration = Duration::from_millis(60);

/// Blocks the runtime, as a busy machine does, and returns the monitor and the start of the stall.
async fn stalled() -> (StallMonitor, Instant) {
    let stalls = StallMonitor::start();
    tokio::task::yield_now().await;
    let since = Instant::now();
    while since.elapsed() < STALL {
        spin_loop();
    }
    (stalls, since)
}

#[tokio::test]
async fn a_stall_is_told_of_before_the_gauge_has_run_again() {
    let (stalls, since) = stalled().await;
    assert!(stalls.worst_since(since) >= STALL / 2, "{:?}", stalls.worst_since(since));
}

#[tokio::test]
async fn a_stall_is_remembered_and_belongs_to_its_time() {
    let (stalls, since) = stalled().await;
    // The next look does not report the stall again.
    while stalls.worst_since(Instant::now()) >= STALL / 2 {
        tokio::task::yield_now().await;
    }
    assert!(stalls.worst_since(since) >= STALL / 2, "{:?}", stalls.worst_since(since));
}

/// Other tasks run meanwhile, the monitor among them.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_single_thread_that_waits_for_a_processor_is_told_of() {
    let stalls = StallMonitor::start();
    let since = Instant::now();
    let _load = checker::stress::Load::start();
    let busy = tokio::spawn(async move {
        // Ends as soon as this thread had to wait for others.
        while stalls.longest_wait_since(since) == Duration::ZERO {
            tokio::task::yield_now().await;
        }
    });
    busy.await.expect("it waits, and does not panic");
}
