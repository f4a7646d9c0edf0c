//! Servers that are right, and built otherwise than the base.

use std::future::Future;
use std::io;

/// Runs a server on tokio's usual runtime.
pub(crate) fn on_all_cores(server: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(server)
}
