//! A receiver that says what it is told to say.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

/// Only a broken test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is said to one request.
pub(super) enum Answer {
    /// Status, more headers (each with its line's end), body.
    Say(u16, String, Vec<u8>),
    /// Nothing, for ever.
    Nothing,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Came {
    /// Request line and headers, in lower case.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

/// The receiver; what it is not told to say is 200.
pub(super) struct Receiver {
    /// `http://HOST:PORT`.
    pub(super) address: String,
    requests: mpsc::Receiver<Came>,
}

impl Receiver {
    pub(super) fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let (came, requests) = mpsc::channel();
        let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, came) = (Arc::clone(&answers), came.clone());
                thread::spawn(move || serve(&stream, &answers, &came));
            }
        });
        Self { address, requests }
    }

    /// The next request, when it has come.
    pub(super) fn next(&self) -> Came {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }

    /// Those that have come and were not asked for.
    pub(super) fn rest(&self) -> Vec<Came> {
        self.requests.try_iter().collect()
    }
}

fn serve(mut stream: &TcpStream, answers: &Mutex<VecDeque<Answer>>, came: &mpsc::Sender<Came>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        loop {
            match reader.read_line(&mut head) {
                Ok(0) | Err(_) => return,
                Ok(_) if head.ends_with("\r\n\r\n") => break,
                Ok(_) => {}
            }
        }
        let head = head.to_lowercase();
        let length = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.trim().parse().expect("a number"));
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a whole request");
        let _ = came.send(Came { head, body });
        match answers.lock().expect("no panic").pop_front() {
            Some(Answer::Nothing) => loop {
                thread::park();
            },
            Some(Answer::Say(status, headers, body)) => {
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n");
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&body);
            }
            None => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            }
        }
    }
}
