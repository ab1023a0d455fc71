//! HTTP over loopback, as little of it as the tests need: keep-alive requests with a known length.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// A port of 127.0.0.1 that was free a moment ago.
///
/// # Errors
/// There is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// One connection that is kept open.
pub struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Connection {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn open(host: &str) -> Result<Self> {
        let stream = TcpStream::connect(host).with_context(|| format!("connecting to {host}"))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self {
            stream: BufReader::new(stream),
            host: host.to_owned(),
        })
    }

    /// Sends one request and returns the body of the answer.
    ///
    /// # Errors
    /// Any status but 200, or a broken connection.
    pub fn request(&mut self, method: &str, path: &str, body: &str) -> Result<String> {
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.stream.get_mut().write_all(text.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut length, mut chunked) = (0_usize, false);
        loop {
            line.clear();
            ensure!(
                self.stream.read_line(&mut line)? > 0,
                "the connection ended within the headers"
            );
            let lower = line.trim_end().to_ascii_lowercase();
            if lower.is_empty() {
                break;
            }
            if let Some(n) = lower.strip_prefix("content-length:") {
                length = n.trim().parse()?;
            }
            chunked |= lower.starts_with("transfer-encoding:") && lower.contains("chunked");
        }
        let body = if chunked {
            self.chunks()?
        } else {
            self.exactly(length)?
        };
        let body = String::from_utf8_lossy(&body).into_owned();
        if status != "200" {
            bail!("{method} {path}: status {status:?}: {body}");
        }
        Ok(body)
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        ensure!(length < 64 << 20, "an answer of {length} bytes");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let length = usize::from_str_radix(line.trim(), 16)
                .with_context(|| format!("chunk {line:?}"))?;
            body.extend(self.exactly(length)?);
            self.stream.read_line(&mut line)?;
            if length == 0 {
                return Ok(body);
            }
        }
    }
}

/// Threads that send requests until stopped, and count.
pub struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Load {
    /// `connections` connections; `request` gets the connection and the number of the request.
    pub fn start(
        host: &str,
        connections: u64,
        request: impl Fn(&mut Connection, u64) -> Result<()> + Clone + Send + 'static,
    ) -> Self {
        let (stop, done) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let threads = (0..connections)
            .map(|thread| {
                let (stop, done, request, host) =
                    (stop.clone(), done.clone(), request.clone(), host.to_owned());
                std::thread::spawn(move || {
                    let mut number = thread;
                    while !stop.load(Ordering::Relaxed) {
                        // A new connection now and then: servers create goroutines for those.
                        let mut connection = Connection::open(&host)?;
                        for _ in 0..50 {
                            request(&mut connection, number)?;
                            number += connections;
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        Self {
            stop,
            done,
            threads,
        }
    }

    /// Requests answered so far.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Ends it; the number of requests.
    ///
    /// # Errors
    /// Any request failed at any time.
    pub fn finish(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        Ok(self.done.load(Ordering::Relaxed))
    }
}
