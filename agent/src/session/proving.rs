//! Proofs beside watching: sought in a thread of their own for leaks that are likely, a pass at a time,
//! and paid for out of the budget.
//!
//! A pass is made at full speed, because what a program hands around is missed more easily the longer a
//! look takes. Its processor time is then paid off in instalments: until that is done there is no other
//! pass, and on average the share of the budget is kept.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};
use std::collections::HashMap;

use super::{
    Landmarks, Program,
    prove::{BETWEEN_LOOKS, DEFAULT_PASSES, Moment, ProveError, Prover, SiteProof},
    snapshot::nanos,
};
use crate::{
    binary::{GoBinary, LoadBias, RuntimeAddress},
    memory::LiveMemory,
    proof::{ProofError, Watch},
};

/// Share of the budget that proofs may take.
const SHARE: f64 = 0.3;
/// Where there is no limit: this many cores.
const UNLIMITED: f64 = 0.5;
/// Between the end of a proof and the beginning of the next.
const PAUSE: Duration = Duration::from_secs(180);
/// Passes are at least so far apart.
const BETWEEN: Duration = Duration::from_secs(1);
/// Heaps that are looked through, by the agent's own memory budget: marks take up to a 32nd.
const HEAP_FOR_MEMORY: u64 = 16;
/// A thread that waits looks so often whether it is to end.
const NAP: Duration = Duration::from_millis(100);

/// What a proof has found, by creation site.
pub(super) type Found = HashMap<RuntimeAddress, SiteProof>;

/// What a thread is told once.
pub(super) struct Target {
    pub(super) binary: Arc<GoBinary>,
    pub(super) bias: LoadBias,
    pub(super) landmarks: Landmarks,
    pub(super) pid: i32,
    /// Cores; `None` without a limit.
    pub(super) budget: Option<f64>,
    /// Of the agent, in bytes.
    pub(super) memory: u64,
}

/// What is shared with the thread.
#[derive(Debug, Default)]
struct Shared {
    /// Processor time of passes so far, in nanoseconds.
    spent_ns: AtomicU64,
    ends: AtomicBool,
}

/// Proofs of one session.
#[derive(Debug)]
pub(super) struct Proving {
    requests: SyncSender<()>,
    answers: Receiver<Result<Found, ProveError>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    is_busy: bool,
    ended: Option<Instant>,
    /// Cores that proofs may take.
    share: f64,
    /// Processor time paid for up to some moment, in seconds.
    paid: f64,
    paid_at: Instant,
    /// Why there will be no proof.
    refused: Option<String>,
}

impl Proving {
    /// Ready, if the operating system has a thread for it.
    pub(super) fn start(target: Target) -> std::io::Result<Self> {
        let share = target.budget.map_or(UNLIMITED, |cores| cores * SHARE);
        let (requests, wanted) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("proofs".into())
            .spawn(move || {
                let memory = LiveMemory::new(target.pid);
                for () in wanted {
                    let found = prove(&target, &memory, share, &of_thread);
                    if answer.send(found).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            requests,
            answers,
            shared,
            thread: Some(thread),
            is_busy: false,
            ended: None,
            share,
            paid: 0.0,
            paid_at: Instant::now(),
            refused: None,
        })
    }

    /// Asks for a proof, unless one is on its way, or was a short while ago.
    pub(super) fn want(&mut self) {
        let lately = self.ended.is_some_and(|at| at.elapsed() < PAUSE);
        if !self.is_busy && !lately && self.refused.is_none() {
            self.is_busy = self.requests.try_send(()).is_ok();
        }
    }

    /// What has come of the last one.
    pub(super) fn answer(&mut self) -> Option<Found> {
        let answer = self.answers.try_recv().ok()?;
        self.is_busy = false;
        self.ended = Some(Instant::now());
        match answer {
            Ok(found) => Some(found),
            Err(error) => {
                tracing::warn!("no proof: {error}");
                if error.is_lasting() {
                    self.refused = Some(error.to_string());
                }
                None
            }
        }
    }

    /// Why there is no proof of a leak.
    pub(super) fn reason(&self) -> String {
        match &self.refused {
            Some(reason) => reason.clone(),
            None => "known once it is proven; proofs are sought for leaks that are likely".into(),
        }
    }

    /// Processor time of passes that is not paid for by `now`, in seconds.
    pub(super) fn unpaid(&mut self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.paid_at).as_secs_f64();
        self.paid_at = now;
        let spent = Duration::from_nanos(self.shared.spent_ns.load(Relaxed)).as_secs_f64();
        self.paid = (self.paid + passed * self.share).min(spent);
        spent - self.paid
    }
}

impl Drop for Proving {
    fn drop(&mut self) {
        self.shared.ends.store(true, Relaxed);
        // It looks up within a millisecond or so of work, or a nap.
        let (nobody, _) = sync_channel(1);
        drop(std::mem::replace(&mut self.requests, nobody));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Passes with pauses that pay for them.
fn prove(
    target: &Target,
    memory: &LiveMemory,
    share: f64,
    shared: &Shared,
) -> Result<Found, ProveError> {
    let began = own_time();
    let program = Program::new(target.binary.clone(), target.bias, memory)?;
    let max_heap = target.memory.saturating_mul(HEAP_FOR_MEMORY);
    let mut prover = Prover::new(&program, memory, target.landmarks, max_heap)?;
    let mut watch = Ends { shared };
    let mut spent = began;
    let mut pay = || {
        let now = own_time();
        let cost = now.saturating_sub(spent);
        spent = now;
        shared.spent_ns.fetch_add(nanos(cost), Relaxed);
        cost.div_f64(share.max(1e-4)).max(BETWEEN)
    };
    while !prover.is_settled(DEFAULT_PASSES) {
        let made = prover.rehearse(&mut watch);
        let pause = pay();
        made?;
        watch.sleep(pause)?;
    }
    let found = prover.conclude(Moment::of(target.pid), &mut watch);
    pay();
    found
}

/// Processor time of this thread so far.
fn own_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Stops when the session ends.
struct Ends<'s> {
    shared: &'s Shared,
}

impl Ends<'_> {
    fn sleep(&mut self, pause: Duration) -> Result<(), ProofError> {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            self.went_on(0)?;
            std::thread::sleep(NAP.min(until.saturating_duration_since(Instant::now())));
        }
        Ok(())
    }
}

impl Watch for Ends<'_> {
    fn went_on(&mut self, _bytes: u64) -> Result<(), ProofError> {
        match self.shared.ends.load(Relaxed) {
            true => Err(ProofError::Stopped),
            false => Ok(()),
        }
    }

    fn looks_again(&mut self) {
        std::thread::sleep(BETWEEN_LOOKS);
    }
}
