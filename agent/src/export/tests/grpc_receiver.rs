//! A receiver that speaks gRPC, and says what it is told to say.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use h2::{RecvStream, server::SendResponse};
use prost::bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::net::{TcpListener, TcpStream};
use tonic::{
    Status,
    codegen::http::{HeaderMap, Request, Response},
};

/// Only a broken test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is said to one call.
pub(super) enum Answer {
    /// An encoded message.
    Take(Vec<u8>),
    /// A status.
    Refuse(Box<Status>),
    /// Nothing: the call is broken off.
    Break,
}

/// A call as it came.
pub(super) struct Came {
    pub(super) method: String,
    pub(super) headers: HeaderMap,
    /// The message, as it was encoded.
    pub(super) message: Bytes,
}

/// The receiver; what it is not told to say is an empty message.
pub(super) struct GrpcReceiver {
    /// `http://HOST:PORT`.
    pub(super) address: String,
    calls: mpsc::Receiver<Came>,
}

type Answers = Arc<Mutex<VecDeque<Answer>>>;

impl GrpcReceiver {
    pub(super) fn start(answers: Vec<Answer>) -> Self {
        let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
        let (came, calls) = mpsc::channel();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        listener.set_nonblocking(true).expect("a socket");
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket");
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&answers), came.clone()));
                }
            });
        });
        Self { address, calls }
    }

    /// The next call, when it has come.
    pub(super) fn next(&self) -> Came {
        self.calls.recv_timeout(PATIENCE).expect("a call")
    }

    /// How many have come that were not asked for.
    pub(super) fn more(&self) -> usize {
        self.calls.try_iter().count()
    }
}

async fn serve(stream: TcpStream, answers: Answers, came: mpsc::Sender<Came>) {
    let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
    // It ends with the other side.
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer(request, respond, Arc::clone(&answers), came.clone()));
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    answers: Answers,
    came: mpsc::Sender<Came>,
) {
    let (head, mut body) = request.into_parts();
    let mut message = BytesMut::new();
    while let Some(part) = body.data().await {
        let part = part.expect("a whole call");
        body.flow_control()
            .release_capacity(part.len())
            .expect("what came");
        message.put(part);
    }
    assert_eq!(message.get_u8(), 0, "not compressed");
    assert_eq!(message.get_u32() as usize, message.len(), "one message");
    let _ = came.send(Came {
        method: head.uri.path().to_owned(),
        headers: head.headers,
        message: message.freeze(),
    });
    let answer = answers.lock().expect("no panic").pop_front();
    let message = match answer {
        Some(Answer::Break) => return respond.send_reset(h2::Reason::INTERNAL_ERROR),
        Some(Answer::Refuse(status)) => {
            let (head, ()) = status.into_http::<()>().into_parts();
            let _ = respond.send_response(Response::from_parts(head, ()), true);
            return;
        }
        Some(Answer::Take(message)) => message,
        None => Vec::new(),
    };
    let head = Response::builder().header("content-type", "application/grpc");
    let head = head.body(()).expect("a head");
    let mut stream = respond.send_response(head, false).expect("connected");
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).expect("small"));
    framed.put(&message[..]);
    stream.send_data(framed.freeze(), false).expect("connected");
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().expect("a value"));
    stream.send_trailers(trailers).expect("connected");
}
