//! All goroutines of a process at one moment, grouped.

mod grouping;
mod waited;

pub(in crate::session) use grouping::{Context, Grouping};
pub(in crate::session) use waited::Things;

use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime};
use thiserror::Error;

use super::{Inspected, Landmarks, LandmarksError, Names, Program};
use crate::{
    memory::{MemoryError, MemoryReader},
    report::{Filter, ProcessInfo, Snapshot, timestamp},
    runtime::{AgeScale, Census, Defects, Goroutine, Scope, Unwinder},
    target::Descriptors,
};

/// Why there is no snapshot.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The goroutines were not found.
    #[error(transparent)]
    Landmarks(#[from] LandmarksError),
    /// The list of goroutines could not be read.
    #[error("the list of goroutines cannot be read: {0}")]
    Unreadable(#[from] MemoryError),
    /// There is no goroutine, not even the main one.
    #[error("no goroutine {}", because(.defects))]
    Empty {
        /// What could not be read, and why.
        defects: Defects,
    },
}

fn because(defects: &Defects) -> String {
    if defects.is_empty() {
        return "is alive: the program is only just starting, or became another one; try again"
            .into();
    }
    let reasons: Vec<&str> = defects.keys().copied().collect();
    format!("could be read: {}", reasons.join(", "))
}

/// Whose goroutines: what the memory does not say.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The program.
    pub program: &'a Program,
    /// What reports say of it.
    pub process: ProcessInfo,
    /// Its pid, where that is known.
    pub pid: Option<i32>,
    /// The moment of the snapshot.
    pub taken_at: SystemTime,
    /// That moment by the program's `CLOCK_MONOTONIC`, in nanoseconds. `None` in a core file: then
    /// the last moment at which a goroutine began to wait stands for it, so that "at least" stays
    /// true.
    pub now_ns: Option<u64>,
    /// When it began, by the same clock.
    pub began_ns: Option<u64>,
    /// What its file descriptors are.
    pub descriptors: Descriptors,
    /// Where its runtime keeps things, when that has been found already.
    pub landmarks: Option<Landmarks>,
}

impl<'a> From<&'a Inspected> for Subject<'a> {
    fn from(inspected: &'a Inspected) -> Self {
        let now = |clock| clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
        let now_ns = nanos(now(ClockId::CLOCK_MONOTONIC));
        // Its start is known since boot, which counts the time in which the machine slept too.
        let since_boot = now(ClockId::CLOCK_BOOTTIME);
        let began_ns = inspected
            .process
            .started()
            .and_then(|started| since_boot.checked_sub(started))
            .map(|age| now_ns.saturating_sub(nanos(age)));
        Self {
            program: &inspected.program,
            process: inspected.info(),
            pid: Some(inspected.process.pid()),
            taken_at: SystemTime::now(),
            now_ns: Some(now_ns),
            began_ns,
            descriptors: Descriptors::of(inspected.process.pid()),
            landmarks: None,
        }
    }
}

pub(in crate::session) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Which goroutines, and how.
#[derive(Clone, Debug, Default)]
pub struct SnapshotOptions {
    /// Only these.
    pub filter: Filter,
    /// Each for itself.
    pub full: bool,
}

/// No machine has been up for longer: fifty years. A later moment is a damaged one.
const MAX_UPTIME_NS: u64 = 50 * 365 * 86_400 * 1_000_000_000;

/// Takes a snapshot of the goroutines in `memory`. A live program runs meanwhile: each goroutine is
/// as it was at some moment of the pass.
///
/// # Errors
/// The list of goroutines is not found, not readable or empty.
pub fn snapshot(
    subject: Subject<'_>,
    memory: &impl MemoryReader,
    options: &SnapshotOptions,
) -> Result<Snapshot, SnapshotError> {
    let program = subject.program;
    let landmarks = match subject.landmarks {
        Some(landmarks) => landmarks,
        None => Landmarks::find(program, memory)?,
    };
    let mut waits = landmarks.waits(program, memory)?;
    let mut unwinder = Unwinder::new(program.binary.clone(), program.bias);
    let scope = Scope {
        stacks: Some(&mut unwinder),
        waits: waits.as_mut(),
    };
    let now_ns = match subject.now_ns {
        Some(now_ns) => now_ns,
        None => last_moment(program, memory, &landmarks)?,
    };
    let mut ages = AgeScale::new(subject.began_ns.unwrap_or(0));
    let mut grouping = Grouping::new(options, grouping::GOIDS, now_ns, program);
    let census = Census::take(memory, &program.layout, landmarks.all, scope, |goroutine| {
        if let Some(since) = goroutine.waiting_since_ns.filter(|at| *at < MAX_UPTIME_NS) {
            ages.existed(goroutine.goid, since);
        }
        grouping.add(goroutine);
    })?;
    if census.alive == 0 {
        let defects = census.defects;
        return Err(SnapshotError::Empty { defects });
    }
    ages.settle();
    let created = landmarks
        .scheduler
        .and_then(|scheduler| scheduler.created(memory).ok());
    if let (Some(created), Some(_)) = (created, subject.began_ns) {
        ages.anchor(created.max(grouping.last_goid()), now_ns);
    }
    let mut names = Names::new(program.binary.clone(), program.bias);
    let mut groups = grouping.groups(&mut grouping::Context {
        now_ns,
        ages: &ages,
        landmarks: &landmarks,
        memory,
        names: &mut names,
        program,
        descriptors: subject.descriptors,
    });
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.goids.cmp(&b.goids)));
    Ok(Snapshot {
        process: subject.process,
        pid: subject.pid,
        taken_at: timestamp(subject.taken_at),
        goroutines: census.alive,
        groups,
        defects: census
            .defects
            .into_iter()
            .map(|(reason, count)| (reason.into(), count))
            .collect(),
    })
}

/// The last moment at which a goroutine is known to have waited, by the program's `CLOCK_MONOTONIC` in
/// nanoseconds; 0 where none is.
fn last_moment(
    program: &Program,
    memory: &impl MemoryReader,
    landmarks: &Landmarks,
) -> Result<u64, SnapshotError> {
    let mut last_ns = 0;
    let look = |goroutine: Goroutine| {
        let since = goroutine.waiting_since_ns.filter(|at| *at < MAX_UPTIME_NS);
        last_ns = last_ns.max(since.unwrap_or(0));
    };
    Census::take(
        memory,
        &program.layout,
        landmarks.all,
        Scope::default(),
        look,
    )?;
    Ok(last_ns)
}
