//! A client that disappears (TCP reset, or in the middle of a frame) affects no other client.

use super::{ECHOES, TOGETHER, join_without_reading};
use crate::{Check, MINIMUM, check};
use harness::client::Client;
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Echo;
use harness::failure::echo::{Disturbance, EchoCause};
use harness::verdict::{CheckResult, ResultExt};
use harness::wire::frame::{Data, Frame, OpCode};

pub(super) const CHECK: Check = Check {
    explained_by: TOGETHER,
    requires: ECHOES,
    minimum: MinimumEvidence { connections: 27, messages: 66, ..MINIMUM },
    ..check("echo::abrupt", Echo, include_str!("abrupt.md"), |ctx| Box::pin(abrupt(ctx)))
};

async fn abrupt(ctx: &mut TestContext) -> CheckResult {
    let mut neighbours = vec![ctx.join().await?];
    for departure in DEPARTURES {
        let client = departure.begin(ctx).await?;
        if departure.is_read {
            still_served(ctx, &mut neighbours, Disturbance::Disappeared).await?;
        }
        departure.end(client).await;
        let served = still_served(ctx, &mut neighbours, Disturbance::Disappeared).await;
        served.context(departure.when)?;
    }
    leave_during_a_blocked_write(ctx, &mut neighbours).await
}

/// A way to disappear.
struct Departure {
    when: &'static str,
    /// The client has joined, and not only opened a TCP connection.
    joins: bool,
    sends: fn() -> Vec<u8>,
    /// The server has read everything. A reset discards what has not been read yet, so the other
    /// clients' exchanges give the server time to read.
    is_read: bool,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    Reset,
    Fin,
}

impl Departure {
    async fn begin(&self, ctx: &TestContext) -> CheckResult<Client> {
        let mut client = if self.joins { ctx.join().await? } else { ctx.open().await? };
        client.send_bytes((self.sends)());
        client.flush().await;
        Ok(client)
    }

    async fn end(&self, client: Client) {
        match self.end {
            End::Reset => client.connection.reset().await,
            End::Fin => client.hang_up(),
        }
    }
}

const RESET: Departure = Departure {
    when: "after the other client reset its connection",
    joins: true,
    sends: Vec::new,
    is_read: false,
    end: End::Reset,
};

const DEPARTURES: &[Departure] = &[
    RESET,
    Departure {
        when: "after the other client reset its connection in the middle of a frame",
        sends: half_a_frame,
        is_read: true,
        ..RESET
    },
    Departure {
        when: "after the other client reset its connection in the middle of a message",
        sends: half_a_message,
        is_read: true,
        ..RESET
    },
    Departure {
        when: "after the other client announced a frame of 2^63 - 1 bytes and left",
        sends: || announce(u64::MAX >> 1),
        end: End::Fin,
        ..RESET
    },
    // Some servers take the upgrade for granted.
    Departure {
        when: "after the other client reset its connection before its request",
        joins: false,
        ..RESET
    },
    Departure {
        when: "after the other client reset its connection in the middle of its request",
        joins: false,
        sends: half_a_request,
        ..RESET
    },
    Departure {
        when: "after the other client reset its connection before the reply",
        sends: || Frame::text("no reply is read").masked([7; 4]).encode(),
        ..RESET
    },
    Departure {
        when: "after the other client left in the middle of a frame's header",
        sends: || half_a_frame()[..1].to_vec(),
        end: End::Fin,
        ..RESET
    },
    Departure {
        when: "after the other client left in the middle of a message",
        sends: half_a_message,
        end: End::Fin,
        ..RESET
    },
    Departure {
        when: "after the other client announced a frame of 1 TiB and left",
        sends: || announce(1 << 40),
        end: End::Fin,
        ..RESET
    },
    Departure {
        when: "after the other client left before its request",
        joins: false,
        end: End::Fin,
        ..RESET
    },
    Departure {
        when: "after the other client left in the middle of its request",
        joins: false,
        sends: half_a_request,
        end: End::Fin,
        ..RESET
    },
];

fn half_a_frame() -> Vec<u8> {
    let whole = Frame::text("half of this never arrives").masked([7; 4]).encode();
    whole[..whole.len() / 2].to_vec()
}

/// The first fragment of a message, of which some code expects the rest.
fn half_a_message() -> Vec<u8> {
    Frame::unfinished(OpCode::Data(Data::Text), "the rest is").masked([7; 4]).encode()
}

fn half_a_request() -> Vec<u8> {
    b"GET / HTTP/1.1\r\nUpgrade: webso".to_vec()
}

/// The beginning of a masked text frame of this length (section 5.2). The server may refuse it or
/// wait for it (section 10.4).
fn announce(length: u64) -> Vec<u8> {
    let mut bytes = vec![0x81, 0x80 | 127];
    bytes.extend(length.to_be_bytes());
    bytes.extend(b"mask and the first of it");
    bytes
}

async fn leave_during_a_blocked_write(
    ctx: &mut TestContext,
    neighbours: &mut Vec<Client>,
) -> CheckResult {
    let client = join_without_reading(ctx).await?;
    still_served(ctx, neighbours, Disturbance::NotReading).await?;
    client.connection.reset().await;
    ctx.wait_for_disconnects(neighbours.len()).await;
    let served = still_served(ctx, neighbours, Disturbance::Disappeared).await;
    served.context("after the other client left while a write to it was blocked")
}

/// Fails unless the first neighbour is served as before, and so is a new client, which stays.
pub(super) async fn still_served(
    ctx: &mut TestContext,
    neighbours: &mut Vec<Client>,
    by: Disturbance,
) -> CheckResult {
    let served = async {
        for _ in 0..2 {
            neighbours[0].exchange(&ctx.token()).await?;
        }
        let token = ctx.token();
        let mut newcomer = ctx.join().await?;
        newcomer.exchange(&token).await?;
        neighbours.push(newcomer);
        Ok(())
    };
    served.await.explain(|noticed| EchoCause::disturbed(by, noticed)).show_all_clients()
}
