//! A server that answers each connection once.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// What it answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Json(&'static str),
    Status(u16),
    /// It hangs up.
    Nothing,
    /// It says nothing, and keeps the connection.
    Never,
    /// Spaces for ever.
    Endless,
}

pub(super) struct Server {
    scheme: &'static str,
    port: u16,
    answer: Arc<Mutex<Answer>>,
    requests: mpsc::Receiver<String>,
    is_stopped: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(answer: Answer) -> Self {
        let certificates = CertificateDer::pem_slice_iter(include_bytes!("server.pem"))
            .collect::<Result<Vec<_>, _>>()
            .expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("server.key")).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .expect("they fit");
        Self::listen(answer, Some(Arc::new(config)))
    }

    pub(super) fn plain(answer: Answer) -> Self {
        Self::listen(answer, None)
    }

    fn listen(answer: Answer, tls: Option<Arc<ServerConfig>>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        // On all of the machine's own addresses, for a name that does not fit.
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let answer = Arc::new(Mutex::new(answer));
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (told, requests) = mpsc::channel();
        let (own_answer, own_stop) = (Arc::clone(&answer), Arc::clone(&is_stopped));
        let thread = thread::spawn(move || {
            // Kept until the end, so that who waits for an answer goes on waiting.
            let mut kept = Vec::new();
            for stream in listener.incoming().flatten() {
                if own_stop.load(Ordering::Acquire) {
                    break;
                }
                let answer = *own_answer.lock().expect("nobody panics");
                kept.push(stream.try_clone().expect("a handle"));
                // A client that goes away is what is tested.
                let _: io::Result<()> = match &tls {
                    Some(config) => {
                        let connection = ServerConnection::new(Arc::clone(config)).expect("right");
                        answer.give(StreamOwned::new(connection, stream), &told)
                    }
                    None => answer.give(stream, &told),
                };
                if !matches!(answer, Answer::Never) {
                    kept.clear();
                }
            }
        });
        Self {
            scheme,
            port,
            answer,
            requests,
            is_stopped,
            thread: Some(thread),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// What it answers from now on.
    pub(super) fn answer(&self, answer: Answer) {
        *self.answer.lock().expect("nobody panics") = answer;
    }

    /// The next request it has had.
    pub(super) fn request(&self) -> String {
        self.requests.recv_timeout(super::LONG).expect("a request")
    }

    /// Stops it; its port, at which nobody listens then.
    pub(super) fn stopped(mut self) -> u16 {
        self.stop();
        self.port
    }

    fn stop(&mut self) {
        self.is_stopped.store(true, Ordering::Release);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it does not panic");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Answer {
    fn give(self, mut stream: impl Read + Write, told: &mpsc::Sender<String>) -> io::Result<()> {
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            request.extend(byte);
        }
        // Nobody asks for all of them.
        let _ = told.send(String::from_utf8_lossy(&request).into_owned());
        let head = |status: u16, length: usize| {
            format!(
                "HTTP/1.1 {status} Whatever\r\ncontent-type: application/json\r\n\
                 location: https://127.0.0.1:1/\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            )
        };
        match self {
            Self::Json(body) => {
                write!(stream, "{}{body}", head(200, body.len()))?;
            }
            Self::Status(status) => {
                let body = r#"{"kind":"Status","apiVersion":"v1","status":"Failure"}"#;
                write!(stream, "{}{body}", head(status, body.len()))?;
            }
            Self::Endless => {
                write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
                loop {
                    stream.write_all(&[b' '; 4096])?;
                }
            }
            Self::Nothing | Self::Never => {}
        }
        stream.flush()
    }
}
