//! Proofs: which goroutines of one process can never wake again, what they retain, and what keeps
//! the others alive.

mod candidates;
mod describe;
mod error;
mod leaked;
mod options;
mod path;
mod prover;
mod roots;
mod sites;
mod verdicts;
mod why;

pub(super) use describe::Moment;
pub use error::ProveError;
pub use options::{DEFAULT_PASSES, DEFAULT_PAUSE, Phase, Progress, ProveOptions};
pub(super) use prover::Prover;
pub(super) use sites::SiteProof;

use std::{
    collections::HashMap,
    thread,
    time::{Duration, Instant, SystemTime},
};

use nix::time::{ClockId, clock_gettime};

use super::{Inspected, Landmarks};
use crate::{
    memory::LiveMemory,
    proof::{ProofError, Watch},
    report::{HeapRead, Precision, Proof, Why, timestamp},
};
use prover::Done;

/// Proves what can be proven of the goroutines of `inspected`, read through `memory` while they run.
/// `progress` is told how far it has come, many times a second.
///
/// # Errors
/// There is no proof, for none of them: the heap is too large or of no known format, or the process
/// cannot be read any more.
pub fn prove(
    inspected: &Inspected,
    memory: &LiveMemory,
    options: &ProveOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Proof, ProveError> {
    let began = Instant::now();
    let cpu_before = own_cpu();
    let taken_at = timestamp(SystemTime::now());
    let last = |mut done: Done<'_, '_, LiveMemory>, moment, watch: &mut dyn Watch| {
        let mut proof = empty(inspected, &done, taken_at);
        leaked::lists(&mut done, moment, watch)?.fill(&mut proof);
        Ok(proof)
    };
    let mut proof = passes(inspected, memory, options, progress, false, last)?;
    proof.duration_seconds = began.elapsed().as_secs_f64();
    let cpu = own_cpu().checked_sub(cpu_before);
    proof.agent_cpu_seconds = cpu.map(|cpu| cpu.as_secs_f64());
    Ok(proof)
}

/// What keeps goroutine `goid` alive: the shortest way found from something that lives to what it
/// waits on.
///
/// # Errors
/// As [`prove`]; and there is no such goroutine.
pub fn why(
    inspected: &Inspected,
    memory: &LiveMemory,
    goid: u64,
    options: &ProveOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Why, ProveError> {
    let last = |done: Done<'_, '_, LiveMemory>, moment, _: &mut dyn Watch| {
        Ok(why::explain(&done, inspected.info(), moment, goid)?)
    };
    passes(inspected, memory, options, progress, true, last)?
        .ok_or(ProveError::NoSuchGoroutine { goid })
}

/// Makes all passes, and hands the last one to `last`.
fn passes<T>(
    inspected: &Inspected,
    memory: &LiveMemory,
    options: &ProveOptions,
    progress: &mut dyn FnMut(Progress),
    with_paths: bool,
    last: impl FnOnce(Done<'_, '_, LiveMemory>, Moment, &mut dyn Watch) -> Result<T, ProofError>,
) -> Result<T, ProveError> {
    let landmarks = Landmarks::find(&inspected.program, memory)?;
    let mut prover = Prover::new(
        &inspected.program,
        memory,
        landmarks,
        options.max_heap_bytes,
    )?;
    let mut told = Told {
        progress,
        now: Progress {
            pass: 0,
            passes: options.passes,
            bytes_done: 0,
            bytes_expected: 0,
            phase: Phase::Candidates,
        },
    };
    while !prover.is_settled(options.passes) {
        told.begin();
        prover.pass(false, &mut told, |_, _| Ok(()))?;
        told.now.bytes_expected = told.now.bytes_done;
        told.enter(Phase::Pause);
        thread::sleep(options.pause);
    }
    told.begin();
    let moment = Moment::of(inspected.process.pid());
    prover.pass(with_paths, &mut told, |done, watch| {
        last(done, moment, watch)
    })
}

/// All but the lists.
fn empty(inspected: &Inspected, done: &Done<'_, '_, LiveMemory>, taken_at: String) -> Proof {
    let spans = done.pass.marks.spans();
    let (reached_objects, reached_bytes) = done.pass.marks.reached();
    Proof {
        process: inspected.info(),
        pid: Some(inspected.process.pid()),
        taken_at,
        passes: done.agreement.passes(),
        found_later: done.agreement.found_later(),
        goroutines: done.roots.roster().goroutines.len() as u64,
        candidates: 0,
        leaked: Vec::new(),
        shared: crate::report::Shared::default(),
        unproven: Vec::new(),
        heap: HeapRead {
            bytes: spans.bytes(),
            objects: spans.object_count(),
            spans: spans.all().len() as u64,
            reached_objects,
            reached_bytes,
        },
        precision: precision(done),
        duration_seconds: 0.0,
        agent_cpu_seconds: None,
        defects: std::collections::BTreeMap::new(),
        unknown: crate::report::Unknown::new(),
    }
}

/// What was looked at word by word in the last pass.
fn precision(done: &Done<'_, '_, LiveMemory>) -> Precision {
    let mut precision = Precision::default();
    for (reason, count) in &done.roots.stacks {
        match reason {
            None => precision.precise_stacks += count,
            Some(reason) => {
                precision.conservative_stacks += count;
                let what = format!("stacks because {reason}");
                precision.conservative.insert(what.into(), *count);
            }
        }
    }
    let before: HashMap<_, _> = done.fallbacks.iter().copied().collect();
    for (fallback, count) in done.objects.maps().fallbacks() {
        let now = count - before.get(&fallback).copied().unwrap_or(0);
        if now > 0 {
            let what = format!("objects whose {}", fallback.text());
            precision.conservative.insert(what.into(), now);
        }
    }
    for range in done.prover.data.iter().filter(|range| range.mask.is_none()) {
        let what = format!("words of {}", range.name);
        *precision.conservative.entry(what.into()).or_default() += range.bytes / 8;
    }
    precision
}

fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    time.map_or(Duration::ZERO, Duration::from)
}

/// About as long as the kernel lets a thread run before it takes another.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(3);

/// Tells progress.
struct Told<'f> {
    progress: &'f mut dyn FnMut(Progress),
    now: Progress,
}

impl Told<'_> {
    fn begin(&mut self) {
        self.now.pass += 1;
        self.now.passes = self.now.passes.max(self.now.pass);
        self.now.bytes_done = 0;
        self.enter(Phase::Marking);
    }

    fn enter(&mut self, phase: Phase) {
        self.now.phase = phase;
        (self.progress)(self.now);
    }
}

impl Watch for Told<'_> {
    fn went_on(&mut self, bytes: u64) -> Result<(), ProofError> {
        self.now.bytes_done += bytes;
        (self.progress)(self.now);
        Ok(())
    }

    fn looks_again(&mut self) {
        thread::sleep(BETWEEN_LOOKS);
    }
}
