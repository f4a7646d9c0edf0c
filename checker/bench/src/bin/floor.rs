//! Returns each byte, without a protocol. No server on the same runtime can do less work.

use bench::serve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::main]
async fn main() {
    let listener = serve::listen().await;
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { continue };
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let mut buffer = vec![0; 64 << 10];
            loop {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(length) if stream.write_all(&buffer[..length]).await.is_err() => return,
                    Ok(_) => {}
                }
            }
        });
    }
}
