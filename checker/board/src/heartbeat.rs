//! Finds dead connections: a ping at each tick, and the end if the one before was not answered.

use std::time::Duration;

use futures_util::{Sink, SinkExt};
use thiserror::Error;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError, Message};

/// The reason for the end of a connection.
#[derive(Debug, Error)]
pub(crate) enum End {
    /// The last ping was not answered.
    #[error("no pong came")]
    NoPong,
    /// A message could not be sent within an interval: the peer does not read.
    #[error("the peer does not read")]
    Stalled,
    /// The connection failed.
    #[error(transparent)]
    Failed(#[from] WsError),
    /// The peer closed it, with or without a close frame.
    #[error("the peer closed the connection")]
    Closed {
        /// True with a close frame.
        clean: bool,
    },
    /// The peer broke the rules of these messages.
    #[error("{0}")]
    Refused(String),
    /// The board ends.
    #[error("the board ends")]
    Shutdown,
}

/// The heartbeat of one connection.
pub(crate) struct Heartbeat {
    ticks: Interval,
    period: Duration,
    answered: bool,
}

impl Heartbeat {
    /// Starts. The first tick is one period from now.
    pub(crate) async fn start(period: Duration) -> Self {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick of an interval is immediate.
        ticks.tick().await;
        Heartbeat { ticks, period, answered: true }
    }

    /// Waits for the next tick. Losing this future loses no tick, so it may stand in a `select!`.
    pub(crate) async fn tick(&mut self) {
        self.ticks.tick().await;
    }

    /// Sends a ping. Fails if the one before was not answered.
    pub(crate) async fn ping(
        &mut self,
        socket: &mut (impl Sink<Message, Error = WsError> + Unpin),
    ) -> Result<(), End> {
        if !self.answered {
            return Err(End::NoPong);
        }
        self.answered = false;
        self.send(socket, Message::Ping(Bytes::new())).await
    }

    /// Notes a pong.
    pub(crate) fn pong(&mut self) {
        self.answered = true;
    }

    /// Sends a message. Fails if that takes longer than a period, so that a peer which does not
    /// read costs one message and one period.
    pub(crate) async fn send(
        &self,
        socket: &mut (impl Sink<Message, Error = WsError> + Unpin),
        message: Message,
    ) -> Result<(), End> {
        timeout(self.period, socket.send(message)).await.map_err(|_| End::Stalled)??;
        Ok(())
    }
}
