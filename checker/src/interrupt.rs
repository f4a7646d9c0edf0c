//! Ctrl-C: kills the servers that the checker started before it exits.

use harness::server::process;

/// Exit code of a program that was interrupted.
pub const INTERRUPTED: u8 = 130;

/// Waits for Ctrl-C (on Unix also for a request to terminate), then kills every server.
pub async fn interrupted() {
    let ctrl_c = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = ctrl_c => {}
        () = wait_for_sigterm() => {}
    }
    process::kill_all();
}

#[cfg(unix)]
async fn wait_for_sigterm() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    terminate.recv().await;
}

#[cfg(not(unix))]
async fn wait_for_sigterm() {
    std::future::pending().await
}
