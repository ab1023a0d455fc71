//! What the daemon and the thread that watches one process tell each other while it is watched.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::Wish;
use crate::{
    detect::Suppression,
    governor::Budget,
    report::node::{Identity, TargetSample},
};

/// Shared by both.
#[derive(Debug)]
pub(super) struct Control {
    wake: EventFd,
    stops: AtomicBool,
    /// Cores, as the bits of a number.
    budget: AtomicU64,
    /// Processor time so far, as the bits of seconds: of the thread and its proofs, and of the probes.
    spent: [AtomicU64; 2],
    /// As the bits of numbers.
    wish: [AtomicU64; 2],
    slow: Mutex<Slow>,
}

/// What is handed over rarely.
#[derive(Debug, Default)]
struct Slow {
    identity: Option<Arc<Identity>>,
    suppressions: Option<Vec<Suppression>>,
    sample: Option<Arc<TargetSample>>,
}

impl Control {
    pub(super) fn new(budget: Budget) -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self {
            wake: EventFd::from_value_and_flags(0, flags)?,
            stops: AtomicBool::new(false),
            budget: AtomicU64::new(budget.cores().to_bits()),
            spent: [AtomicU64::new(0), AtomicU64::new(0)],
            wish: [AtomicU64::new(0), AtomicU64::new(0)],
            slow: Mutex::default(),
        })
    }

    fn slow(&self) -> MutexGuard<'_, Slow> {
        // Each field is replaced as a whole.
        self.slow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // The daemon's side.

    /// Lets the thread look whether its process is still the same.
    pub(super) fn wake(&self) {
        // It fails only where the counter is full: then the thread has been woken often enough.
        let _ = self.wake.write(1);
    }

    /// Watching shall end.
    pub(super) fn stop(&self) {
        self.stops.store(true, Release);
        self.wake();
    }

    pub(super) fn set_budget(&self, cores: f64) {
        self.budget.store(cores.to_bits(), Relaxed);
    }

    pub(super) fn set_suppressions(&self, suppressions: Vec<Suppression>) {
        self.slow().suppressions = Some(suppressions);
    }

    /// More is known now of who it is.
    pub(super) fn set_identity(&self, identity: Arc<Identity>) {
        self.slow().identity = Some(identity);
    }

    /// Processor time so far, in seconds: of the thread and its proofs, and of the probes.
    pub(super) fn spent(&self) -> (f64, f64) {
        let [agent, probes] = &self.spent;
        (load(agent), load(probes))
    }

    pub(super) fn wish(&self) -> Wish {
        let [cores, weight] = &self.wish;
        Wish {
            cores: load(cores),
            weight: load(weight),
        }
    }

    /// The newest sample; `None` before the first.
    pub(super) fn sample(&self) -> Option<Arc<TargetSample>> {
        self.slow().sample.clone()
    }

    // The thread's side.

    /// Becomes readable when there is something new.
    pub(super) fn woken(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    pub(super) fn was_woken(&self) {
        // Nothing to read is no error.
        let _ = self.wake.read();
    }

    pub(super) fn stops(&self) -> bool {
        self.stops.load(Acquire)
    }

    pub(super) fn budget(&self) -> Budget {
        Budget::part(load(&self.budget))
    }

    pub(super) fn take_suppressions(&self) -> Option<Vec<Suppression>> {
        self.slow().suppressions.take()
    }

    /// Who it is, once that is known.
    pub(super) fn identity(&self) -> Option<Arc<Identity>> {
        self.slow().identity.clone()
    }

    pub(super) fn tell(&self, (agent, probes): (f64, f64), wish: Wish) {
        self.spent[0].store(agent.to_bits(), Relaxed);
        self.spent[1].store(probes.to_bits(), Relaxed);
        self.wish[0].store(wish.cores.to_bits(), Relaxed);
        self.wish[1].store(wish.weight.to_bits(), Relaxed);
    }

    pub(super) fn set_sample(&self, sample: TargetSample) {
        self.slow().sample = Some(Arc::new(sample));
    }
}

fn load(number: &AtomicU64) -> f64 {
    f64::from_bits(number.load(Relaxed))
}
