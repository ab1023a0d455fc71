//! Asking a running daemon.

use std::{io, net::SocketAddr, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

/// The longest answer that is taken.
const MAX_BYTES: usize = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// Nobody is there.
    #[error(
        "no gostray daemon answers at {address}: {source}; is it running, and does [listen] of its \
         configuration have this address? (`--address` asks at another one)"
    )]
    Connect {
        /// Where it was sought.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// It takes too long.
    #[error("the daemon at {address} gave no answer within {} s; it is busy or stuck", within.as_secs())]
    Late {
        /// Where it is.
        address: SocketAddr,
        /// How long it had.
        within: Duration,
    },
    /// It says no.
    #[error("the daemon at {address} refused ({status}): {why}")]
    Refused {
        /// Where it is.
        address: SocketAddr,
        /// The status of its answer.
        status: StatusCode,
        /// What it said, its first line.
        why: String,
    },
    /// What answers does not speak HTTP, or broke off.
    #[error("what answers at {address} is no gostray daemon, or broke off: {source}")]
    Broken {
        /// Where it is.
        address: SocketAddr,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The answer of the daemon at `address` to a request for `path`, with its query. Blocks at most for
/// `within`.
///
/// # Errors
/// Nobody answers in time, or says no.
pub fn ask(address: SocketAddr, path: &str, within: Duration) -> Result<Vec<u8>, AskError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|source| AskError::Connect { address, source })?;
    let answer = runtime.block_on(async { timeout(within, request(address, path)).await });
    answer.unwrap_or(Err(AskError::Late { address, within }))
}

async fn request(address: SocketAddr, path: &str) -> Result<Vec<u8>, AskError> {
    let broken =
        |source: Box<dyn std::error::Error + Send + Sync>| AskError::Broken { address, source };
    let stream = TcpStream::connect(address)
        .await
        .map_err(|source| AskError::Connect { address, source })?;
    let request = Request::get(path)
        .header(header::HOST, address.to_string())
        .body(Body::empty())
        .map_err(|error| broken(error.into()))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(error.into()))?;
    let answered = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = to_bytes(Body::new(response.into_body()), MAX_BYTES).await?;
        Ok((status, body))
    };
    // The connection does the work; what goes wrong with it comes out of the answer.
    let answered = tokio::select! {
        answered = answered => answered,
        // It ends when all is read, at the earliest.
        () = async { let _ = connection.await; std::future::pending().await } => {
            Err("the connection ended".into())
        }
    };
    let (status, body) = answered.map_err(broken)?;
    if status == StatusCode::OK {
        return Ok(body.into());
    }
    let said = String::from_utf8_lossy(&body);
    Err(AskError::Refused {
        address,
        status,
        why: said
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(300)
            .collect(),
    })
}
