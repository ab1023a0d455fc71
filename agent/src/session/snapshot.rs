//! All goroutines of a process at one moment, grouped.

use std::{collections::HashMap, time::SystemTime};

use nix::time::{ClockId, clock_gettime};
use thiserror::Error;

use super::{Inspected, Names, Program, names};
use crate::{
    binary::RuntimeAddress,
    memory::{MemoryError, MemoryReader},
    report::{Group, ProcessInfo, Snapshot, Unknown, timestamp},
    runtime::{AllGoroutines, Census, Goroutine, GoroutineState, NotFound},
};

/// Goroutine ids named for each group.
const GOIDS: usize = 10;

/// Why there is no snapshot.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The list of goroutines was not found.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The list of goroutines could not be read.
    #[error("the list of goroutines cannot be read: {0}")]
    Unreadable(#[from] MemoryError),
}

/// What goroutines of one group have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shape {
    created_at: RuntimeAddress,
    start: RuntimeAddress,
    state: GoroutineState,
    wait_reason: u8,
    stack: Vec<RuntimeAddress>,
}

#[derive(Debug, Default)]
struct Members {
    count: u64,
    goids: Vec<u64>,
    waiting_since_ns: Option<u64>,
    stack_bytes: u64,
}

impl Members {
    fn add(&mut self, goroutine: &Goroutine) {
        self.count += 1;
        self.stack_bytes += goroutine.stack_bytes;
        self.waiting_since_ns = match (self.waiting_since_ns, goroutine.waiting_since_ns) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        // The smallest ids: the oldest goroutines.
        let place = self.goids.partition_point(|goid| *goid < goroutine.goid);
        if place < GOIDS {
            self.goids.truncate(GOIDS - 1);
            self.goids.insert(place, goroutine.goid);
        }
    }
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
}

impl<'a> From<&'a Inspected> for Subject<'a> {
    fn from(inspected: &'a Inspected) -> Self {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC)
            .map_or(0, |now| std::time::Duration::from(now).as_nanos());
        Self {
            program: &inspected.program,
            process: inspected.info(),
            pid: Some(inspected.process.pid()),
            taken_at: SystemTime::now(),
            now_ns: u64::try_from(now).ok(),
        }
    }
}

/// No machine has been up for longer: fifty years. A later moment is a damaged one.
const MAX_UPTIME_NS: u64 = 50 * 365 * 86_400 * 1_000_000_000;

/// Takes a snapshot of the goroutines in `memory`. A live program runs meanwhile: each goroutine is
/// as it was at some moment of the pass.
///
/// # Errors
/// The list of goroutines is not found or not readable.
pub fn snapshot(
    subject: Subject<'_>,
    memory: &impl MemoryReader,
) -> Result<Snapshot, SnapshotError> {
    let program = subject.program;
    let layout = &program.layout;
    let all = AllGoroutines::find(&program.binary, memory, program.bias, layout)?;
    let mut last_ns = 0;
    let mut shapes: HashMap<Shape, Members> = HashMap::new();
    let census = Census::take(memory, layout, all, |goroutine| {
        let since = goroutine.waiting_since_ns.unwrap_or(0);
        if since < MAX_UPTIME_NS {
            last_ns = since.max(last_ns);
        }
        let waits = goroutine.state == GoroutineState::Waiting;
        let shape = Shape {
            created_at: goroutine.created_at,
            start: goroutine.start,
            state: goroutine.state,
            // It keeps its last reason while it runs.
            wait_reason: if waits { goroutine.wait_reason } else { 0 },
            stack: goroutine.stack.clone(),
        };
        shapes.entry(shape).or_default().add(&goroutine);
    })?;
    let now_ns = subject.now_ns.unwrap_or(last_ns);
    let mut names = Names::new(program.binary.clone(), program.bias);
    let mut groups: Vec<Group> = shapes
        .into_iter()
        .map(|(shape, members)| group(&shape, members, now_ns, program, &mut names))
        .collect();
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

fn group(
    shape: &Shape,
    members: Members,
    now_ns: u64,
    program: &Program,
    names: &mut Names,
) -> Group {
    let waits = shape.state == GoroutineState::Waiting;
    let wait_reason = match &program.wait_reasons {
        Ok(reasons) if waits => reasons.name(shape.wait_reason).map(str::to_owned),
        _ => None,
    };
    let mut unknown = Unknown::new();
    if waits && wait_reason.is_none() {
        unknown.insert(
            "wait_reason",
            "the binary's table of wait reasons was not found".into(),
        );
    }
    if shape.stack.is_empty() {
        unknown.insert("stack", "it runs or is about to".into());
    }
    let oldest = members
        .waiting_since_ns
        .map(|since| now_ns.saturating_sub(since) as f64 / 1e9);
    if oldest.is_none() {
        unknown.insert(
            "oldest_seconds",
            "no garbage collection has seen one of them wait".into(),
        );
    }
    unknown.insert("labels", "labels are not read yet".into());
    let name = names.site(shape.created_at, Some(shape.start)).clone();
    // The main goroutine and a thread's extra ones come from no `go` statement.
    let created = shape.created_at != RuntimeAddress(0) && name.start.function != "runtime.main";
    Group {
        count: members.count,
        state: shape.state.name().into(),
        wait_reason,
        created_at: created.then_some(name.created_at),
        system: names::is_system(&name.start.function),
        start: name.start,
        stack: (!shape.stack.is_empty()).then(|| names.stack(&shape.stack)),
        oldest_seconds: oldest,
        stack_bytes: members.stack_bytes,
        age_seconds: None,
        labels: None,
        waits_on: Vec::new(),
        locked_to_thread: 0,
        parent_goids: vec![0; members.goids.len()],
        goids: members.goids,
        unknown,
    }
}
