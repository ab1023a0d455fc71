//! Receives what a webhook is sent, and answers as slowly as it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

/// When a request is answered.
#[derive(Clone, Copy, Debug)]
pub enum Answers {
    /// So long after it came.
    After(Duration),
    /// Never; the connection stays open.
    Never,
}

/// A receiver; its threads end with the connections.
pub struct Webhook {
    /// Where it is.
    pub url: String,
    received: Receiver<(Instant, Value)>,
}

impl Webhook {
    /// Begins to listen on loopback.
    ///
    /// # Errors
    /// There is no port.
    pub fn start(answers: Answers) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let (sender, received) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                // A connection that breaks is the sender's affair.
                std::thread::spawn(move || serve(stream, answers, &sender));
            }
        });
        Ok(Self { url, received })
    }

    /// The next body, and when it came.
    ///
    /// # Errors
    /// None came in time.
    pub fn next(&self, patience: Duration) -> Result<(Instant, Value)> {
        let received = self.received.recv_timeout(patience);
        received.context("the webhook was sent nothing in time")
    }
}

fn serve(stream: TcpStream, answers: Answers, sender: &Sender<(Instant, Value)>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0_u64);
        while line.trim_end() != "" || length == 0 {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse()?;
            }
        }
        let mut body = Vec::new();
        (&mut stream).take(length).read_to_end(&mut body)?;
        sender.send((Instant::now(), serde_json::from_slice(&body)?))?;
        match answers {
            Answers::After(pause) => std::thread::sleep(pause),
            // Until the other side has had enough.
            Answers::Never => return Ok(stream.read_exact(&mut [0])?),
        }
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        stream.get_mut().write_all(answer)?;
    }
}
