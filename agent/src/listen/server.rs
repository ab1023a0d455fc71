//! The thread that listens.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use axum::{Router, http::StatusCode, middleware, response::Response, routing::get};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime,
    sync::{Semaphore, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    HostName, ListenConfig, ListenError, Node, answers,
    connection::{self, Limits},
    guard, health,
    metrics::Exposition,
    profiles::{self, Gate},
    status,
};

/// Threads for what blocks: samples are rendered and profiles taken there.
const BLOCKING_THREADS: usize = 8;

/// Connections that are told that they are too many, at once. More are just closed.
const TURNED_AWAY: usize = 16;

/// Answers HTTP requests until it is stopped or dropped.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    /// Tells the thread to end within so long.
    stop: Option<oneshot::Sender<Duration>>,
    thread: Option<JoinHandle<()>>,
}

/// What all requests share.
pub(super) struct Shared {
    pub(super) node: Arc<dyn Node>,
    pub(super) hosts: Vec<HostName>,
    pub(super) served: Served,
    pub(super) exposition: Exposition,
    pub(super) gate: Gate,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

/// What the listener itself has done.
#[derive(Debug, Default)]
pub(super) struct Served {
    turned_away: AtomicU64,
    answers: Mutex<BTreeMap<u16, u64>>,
}

impl Served {
    /// Counts an answer.
    pub(super) fn answered(&self, status: StatusCode) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry(status.as_u16()).or_default() += 1;
    }

    /// Answers by status.
    pub(super) fn answers(&self) -> BTreeMap<u16, u64> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.clone()
    }

    /// Connections beyond the limit.
    pub(super) fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }
}

impl Listener {
    /// Begins to listen. [`ListenConfig::enabled`] is for the caller to look at.
    ///
    /// # Errors
    /// The address is not allowed or cannot be had.
    pub fn start(config: &ListenConfig, node: Arc<dyn Node>) -> Result<Self, ListenError> {
        Self::within(config, node, Limits::DEFAULT)
    }

    pub(super) fn within(
        config: &ListenConfig,
        node: Arc<dyn Node>,
        limits: Limits,
    ) -> Result<Self, ListenError> {
        config.check()?;
        let address = config.address.0;
        let refused = |source| ListenError::Bind { address, source };
        let socket = std::net::TcpListener::bind(address).map_err(refused)?;
        socket.set_nonblocking(true).map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("gostray-answer")
            .build()
            .map_err(ListenError::Thread)?;
        let shared = Arc::new(Shared {
            node,
            hosts: config.hosts.clone(),
            served: Served::default(),
            exposition: Exposition::new(config.sites.get(), config.sites_of_all.get()),
            gate: Gate::default(),
            address,
        });
        let connections = config.connections.get();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("gostray-listen".into())
            .spawn(move || {
                runtime.block_on(async {
                    match TcpListener::from_std(socket) {
                        Ok(socket) => {
                            accept(socket, &shared, connections, limits, stopped).await;
                        }
                        Err(error) => tracing::error!("the listener cannot wait: {error}"),
                    }
                });
                // A profile that is being taken ends with its process or with ours.
                runtime.shutdown_background();
            })
            .map_err(ListenError::Thread)?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens, with the port that port 0 became.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more, lets those finish who are being answered, and ends `within` this time in any
    /// case.
    pub fn stop(mut self, within: Duration) {
        self.end(within);
    }

    fn end(&mut self, within: Duration) {
        if let Some(stop) = self.stop.take() {
            // It fails where the thread has ended by itself.
            let _ = stop.send(within);
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the listener's thread has panicked");
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// Accepts connections until told to stop.
async fn accept(
    socket: TcpListener,
    shared: &Arc<Shared>,
    connections: usize,
    limits: Limits,
    mut stopped: oneshot::Receiver<Duration>,
) {
    let router = router(shared.clone());
    let room = Arc::new(Semaphore::new(connections));
    let room_to_refuse = Arc::new(Semaphore::new(TURNED_AWAY));
    let mut tasks = JoinSet::new();
    let within = loop {
        tokio::select! {
            within = &mut stopped => break within.unwrap_or_default(),
            // So that those that ended are forgotten.
            Some(_) = tasks.join_next() => {}
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => {
                    let admitted = room.clone().try_acquire_owned();
                    let router = router.clone();
                    if let Ok(place) = admitted {
                        tasks.spawn(async move {
                            let _place = place;
                            connection::serve(stream, router, limits).await;
                        });
                    } else {
                        shared.served.turned_away.fetch_add(1, Ordering::Relaxed);
                        refuse(stream, &room_to_refuse, &mut tasks);
                    }
                }
                Err(error) => {
                    // Out of file descriptors, most likely; in a loop that would only eat time.
                    tracing::warn!("the listener cannot accept a connection: {error}");
                    sleep(Duration::from_millis(100)).await;
                }
            },
        }
    };
    drop(socket);
    let all = async { while tasks.join_next().await.is_some() {} };
    if timeout(within, all).await.is_err() {
        tracing::info!("the listener ended before all requests were answered");
    }
}

fn refuse(stream: TcpStream, room: &Arc<Semaphore>, tasks: &mut JoinSet<()>) {
    if let Ok(place) = room.clone().try_acquire_owned() {
        tasks.spawn(async move {
            let _place = place;
            connection::turn_away(stream).await;
        });
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/metrics", get(status::metrics))
        .route("/status", get(status::status))
        .route("/debug/pprof/", get(profiles::index))
        .route("/debug/pprof/targets", get(profiles::discovery))
        .route("/debug/pprof/{profile}", get(profiles::profile))
        .route("/healthz", get(health::liveness))
        .route("/readyz", get(health::readiness))
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(
            shared.clone(),
            guard::guarded,
        ))
        .with_state(shared)
}

async fn unknown() -> Response {
    answers::refusal(
        StatusCode::NOT_FOUND,
        "nothing here; there are /metrics, /healthz, /readyz, /status and /debug/pprof/",
    )
}
