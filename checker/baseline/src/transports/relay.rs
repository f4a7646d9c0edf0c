//! A relay that broadcasts bytes without a protocol: the lower bound of the latency.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

use harness::verdict::{CheckError, CheckResult};

/// The first bytes to a new client. The client has subscribed when they arrive.
const HELLO: &[u8] = b"+\n";
/// The number of chunks that may wait for a slow client before it is disconnected.
const BACKLOG: usize = 4096;

/// Serves the relay on this listener until the future is dropped.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let everyone = broadcast::Sender::<Vec<u8>>::new(BACKLOG);
    loop {
        let (mut stream, _) = listener.accept().await?;
        let (everyone, mut pieces) = (everyone.clone(), everyone.subscribe());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            if stream.write_all(HELLO).await.is_err() {
                return;
            }
            let mut buffer = vec![0; 4 * 1024];
            loop {
                tokio::select! {
                    read = stream.read(&mut buffer) => match read {
                        Ok(read @ 1..) => drop(everyone.send(buffer[..read].to_vec())),
                        _ => return,
                    },
                    piece = pieces.recv() => {
                        let Ok(piece) = piece else { return };
                        if stream.write_all(&piece).await.is_err() {
                            return;
                        }
                    }
                }
            }
        });
    }
}

/// A client of the relay. A message is a line.
pub struct RelayClient {
    stream: TcpStream,
    buffer: Vec<u8>,
    arrived: Instant,
}

impl RelayClient {
    /// Connects to the relay and waits until it has subscribed.
    pub async fn connect(address: SocketAddr) -> CheckResult<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut client = RelayClient { stream, buffer: Vec::new(), arrived: Instant::now() };
        client.receive().await?;
        Ok(client)
    }

    /// Sends a line.
    pub(crate) async fn send(&mut self, text: &str) -> CheckResult {
        Ok(self.stream.write_all(format!("{text}\n").as_bytes()).await?)
    }

    /// Waits for the next line. Returns it with the time of its arrival. Cancel-safe.
    pub(crate) async fn receive(&mut self) -> CheckResult<(String, Instant)> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok((String::from_utf8_lossy(&line[..end]).into_owned(), self.arrived));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(CheckError::Inconclusive(
                    "the bare relay ended the connection".to_string(),
                ));
            }
            self.arrived = Instant::now();
        }
    }
}
