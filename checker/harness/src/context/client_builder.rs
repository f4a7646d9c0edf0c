//! Options of a client: without pongs, or with small buffers.

use super::TestContext;
use crate::client::Client;
use crate::group;
use crate::verdict::CheckResult;
use crate::wire::recorder::SocketOptions;

/// The options of a client that will connect.
#[derive(Clone, Copy)]
pub struct ClientBuilder<'a> {
    ctx: &'a TestContext,
    options: SocketOptions,
    answers_pings: bool,
}

impl TestContext {
    /// Starts with a client that answers pings and has the system's buffers.
    pub fn client(&self) -> ClientBuilder<'_> {
        ClientBuilder { ctx: self, options: SocketOptions::default(), answers_pings: true }
    }
}

impl ClientBuilder<'_> {
    /// Lets the client answer no ping.
    pub fn no_pongs(mut self) -> Self {
        self.answers_pings = false;
        self
    }

    /// Makes the kernels buffer little for this connection. When the client stops reading, the
    /// server's writes block after up to 80 KB. Linux lets the server's send buffer grow with what
    /// the client acknowledges: from 300 KB to 2 MB with a receive buffer of 8 KiB.
    pub fn small_buffers(mut self) -> Self {
        self.options = SocketOptions { receive_buffer: Some(2 * 1024), max_segment: Some(536) };
        self
    }

    /// Opens the TCP connection and sends nothing.
    pub async fn open(self) -> CheckResult<Client> {
        let client = self.ctx.open_with(self.options).await?;
        if !self.answers_pings {
            client.stop_answering_pings();
        }
        Ok(client)
    }

    /// Opens the connection and does the handshake.
    pub async fn connect(self) -> CheckResult<Client> {
        self.ctx.upgrade(self.open().await?).await
    }

    /// Connects and waits for the welcome, whatever its text is.
    pub async fn join(self) -> CheckResult<Client> {
        self.ctx.wait_for_welcome(self.connect().await?).await
    }

    /// Joins several such clients at the same time. Their connections are numbered in order.
    pub async fn join_many(self, count: usize) -> CheckResult<Vec<Client>> {
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            clients.push(self.open().await?);
        }
        let joining = clients.into_iter().map(|client| async move {
            self.ctx.wait_for_welcome(self.ctx.upgrade(client).await?).await
        });
        group::all(joining).await
    }
}
