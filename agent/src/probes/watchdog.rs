//! Sees to it that the probes cost no more than they may, in a thread of its own: whatever else the
//! agent is doing, and if nobody reads its output.
//!
//! The kernel side turns hits away by itself once it has had what the last tick allowed. What is
//! left for this thread is to take the probes away, because even a hit turned away costs a trap.

use std::{
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{Attachment, ProbeError, StopFile, guards::Guards, leaving::Leaving};
use crate::governor::{Bucket, Budget, HitCosts, Hits};

/// Two are within the second after which probes that cost too much have to be gone, with time for the
/// kernel to detach them.
const TICK: Duration = Duration::from_millis(200);

/// An agent that does not look after its probes for so long has none.
const PATIENCE: Duration = Duration::from_secs(10);

/// What probes may cost, and who says stop.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Of agent and probes together.
    pub budget: Budget,
    /// What a hit costs.
    pub costs: HitCosts,
    /// Takes all probes away.
    pub stop_file: Option<StopFile>,
}

impl Limit {
    /// No limit; what a hit costs does not matter then.
    pub const NONE: Self = Self {
        budget: Budget::UNLIMITED,
        costs: HitCosts::UNKNOWN,
        stop_file: None,
    };
}

/// Why the probes were taken away.
#[derive(Clone, Debug, PartialEq)]
pub enum Trip {
    /// They cost more than twice the budget.
    Cost {
        /// Hits a second, of late.
        hits_per_second: f64,
    },
    /// What they cost could not be found out.
    Unmeasured(String),
    /// Nobody has asked for so long what they cost: the agent is stuck, and governs nothing.
    Stuck(Duration),
    /// The stop file is there.
    StopFile(PathBuf),
}

/// What the probes have cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spent {
    /// How often they were hit.
    pub hits: Hits,
    /// Processor time that took in the target, in seconds.
    pub seconds: f64,
    /// The probes are gone, or going, for this reason.
    pub trip: Option<Trip>,
}

/// Watches the probes of one [`super::Probes`] until it is dropped.
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    watched: Mutex<Watched>,
    /// Something has changed that the thread shall look at.
    woken: Condvar,
}

struct Watched {
    guards: Guards,
    limit: Limit,
    bucket: Bucket,
    attachments: Vec<Attachment>,
    /// Closes when the kernel is done with detaching.
    detaching: Option<mpsc::Receiver<()>>,
    spent: f64,
    trip: Option<Trip>,
    settled: Instant,
    /// When somebody asked last what they cost.
    asked: Instant,
    /// Hits are turned away for good.
    closed: bool,
    ends: bool,
}

impl Watchdog {
    /// Begins to watch, with nothing attached yet; hits are allowed from now on.
    pub(super) fn start(mut guards: Guards, limit: Limit) -> Result<Self, ProbeError> {
        let bucket = Bucket::new(limit.budget);
        guards.allow(&bucket, &limit.costs)?;
        let shared = Arc::new(Shared {
            watched: Mutex::new(Watched {
                guards,
                limit,
                bucket,
                attachments: Vec::new(),
                detaching: None,
                spent: 0.0,
                trip: None,
                settled: Instant::now(),
                asked: Instant::now(),
                closed: false,
                ends: false,
            }),
            woken: Condvar::new(),
        });
        let watched = shared.clone();
        let thread = thread::Builder::new()
            .name("watchdog".into())
            .spawn(move || watched.run())
            .map_err(|error| ProbeError::Load(format!("no thread for the watchdog: {error}")))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Watches one more. Where the probes are being taken away already, so is this.
    pub(super) fn add(&self, attachment: Attachment) {
        let mut watched = self.shared.lock();
        watched.attachments.push(attachment);
        if watched.closed {
            watched.detach();
        }
    }

    /// How many are attached.
    pub(super) fn attached(&self) -> usize {
        self.shared.lock().attachments.len()
    }

    /// What they have cost up to now.
    pub(super) fn spent(&self) -> Spent {
        let mut watched = self.shared.lock();
        watched.asked = Instant::now();
        if let Err(error) = watched.settle(Instant::now()) {
            watched.trip(Trip::Unmeasured(error.to_string()));
        }
        Spent {
            hits: watched.guards.hits(),
            seconds: watched.spent,
            trip: watched.trip.clone(),
        }
    }

    /// From now on they may cost so much.
    pub(super) fn set_budget(&self, budget: Budget) {
        let mut watched = self.shared.lock();
        watched.bucket = watched.bucket.under(budget);
        watched.limit.budget = budget;
    }

    /// Turns all hits away for good.
    pub(super) fn refuse(&self) -> Result<(), ProbeError> {
        let mut watched = self.shared.lock();
        watched.closed = true;
        watched.guards.close()
    }

    /// Turns all hits away, and lets the kernel detach, without waiting for it.
    pub(super) fn detach(&self) {
        self.shared.lock().detach();
    }

    /// Whether the kernel has detached all by `deadline`; waits so long.
    pub(super) fn is_gone_by(&self, deadline: Instant) -> bool {
        let Some(detaching) = self.shared.lock().detaching.take() else {
            return true;
        };
        // Nothing is ever sent: the channel closes when the last thread is done.
        let left = deadline.saturating_duration_since(Instant::now());
        let gone = detaching.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Disconnected);
        if !gone {
            self.shared.lock().detaching = Some(detaching);
        }
        gone
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        {
            let mut watched = self.shared.lock();
            watched.detach();
            watched.ends = true;
        }
        self.shared.woken.notify_all();
        if let Some(thread) = self.thread.take() {
            // It can only have panicked, which has been said where it did.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Watched> {
        // All that a panic could leave half done is a count.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut watched = self.lock();
        while !watched.ends {
            let waited = self.woken.wait_timeout(watched, TICK);
            (watched, _) = waited.unwrap_or_else(PoisonError::into_inner);
            watched.tick(Instant::now());
        }
    }
}

impl Watched {
    fn tick(&mut self, now: Instant) {
        let hits = self.guards.hits();
        let since = self.settled;
        let within = self.settle(now);
        if self.closed {
            return;
        }
        let stop = self.limit.stop_file.as_ref();
        let trip = if let Some(stop) = stop.filter(|stop| stop.is_there().unwrap_or(false)) {
            Some(Trip::StopFile(stop.path().to_owned()))
        } else if let Err(error) = &within {
            Some(Trip::Unmeasured(error.to_string()))
        } else if self.bucket.is_empty() {
            let came = self.guards.hits().since(&hits).total();
            let passed = now.saturating_duration_since(since).as_secs_f64();
            Some(Trip::Cost {
                hits_per_second: came as f64 / passed.max(1e-3),
            })
        } else if now.saturating_duration_since(self.asked) > PATIENCE {
            Some(Trip::Stuck(now.saturating_duration_since(self.asked)))
        } else {
            let allowed = self.guards.allow(&self.bucket, &self.limit.costs);
            allowed
                .err()
                .map(|error| Trip::Unmeasured(error.to_string()))
        };
        if let Some(trip) = trip {
            self.trip(trip);
        }
    }

    fn trip(&mut self, trip: Trip) {
        self.trip.get_or_insert(trip);
        self.detach();
    }

    /// Takes the hits of the time since the last settlement from the bucket.
    fn settle(&mut self, now: Instant) -> Result<(), ProbeError> {
        let passed = now.saturating_duration_since(self.settled);
        self.settled = now;
        let before = self.guards.hits();
        self.guards.count()?;
        let hits = self.guards.hits().since(&before);
        let cost = self.limit.costs.seconds(&hits, passed);
        self.spent += cost;
        self.bucket.settle(passed, cost);
        Ok(())
    }

    /// Each in a thread of its own, because the kernel takes 40 to 250 ms for one.
    fn detach(&mut self) {
        self.closed = true;
        // Stops the work in the target at once; failing that, detaching does.
        let _: Result<(), ProbeError> = self.guards.close();
        if self.attachments.is_empty() {
            return;
        }
        let (done, all_done) = mpsc::channel::<()>();
        if let Some(earlier) = self.detaching.replace(all_done) {
            // The new channel closes behind the earlier one.
            let done = done.clone();
            let waits = move || {
                let _ = earlier.recv();
                drop(done);
            };
            drop(thread::Builder::new().name("detach".into()).spawn(waits));
        }
        for attachment in self.attachments.drain(..) {
            let (leaving, done) = (Leaving::begin(), done.clone());
            let spawned = thread::Builder::new().name("detach".into()).spawn(move || {
                drop(attachment);
                drop(leaving);
                drop(done);
            });
            // Without threads the attachment was dropped here, with the closure.
            drop(spawned);
        }
    }
}
