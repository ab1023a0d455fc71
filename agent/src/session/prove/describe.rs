//! Goroutines of a proof by their names, in groups.

use std::collections::{BTreeMap, HashMap};

use nix::time::{ClockId, clock_gettime};

use super::prover::Known;
use crate::{
    binary::RuntimeAddress,
    memory::{MemoryError, MemoryReader},
    report::Group,
    runtime::{AgeScale, Goroutine, Scope, Unwinder, read_goroutines},
    session::{
        Names,
        snapshot::{Context, Grouping, SnapshotOptions, nanos},
    },
    target::Descriptors,
};

/// Goroutines that are read together.
const BATCH: usize = 1024;

/// When a proof is made, and of what process.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct Moment {
    /// By the program's `CLOCK_MONOTONIC`, in nanoseconds.
    pub(in crate::session) now_ns: u64,
    pub(in crate::session) pid: Option<i32>,
}

impl Moment {
    /// Now, of process `pid`.
    pub(in crate::session) fn of(pid: i32) -> Self {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC);
        Self {
            now_ns: now.map_or(0, |now| nanos(now.into())),
            pid: Some(pid),
        }
    }
}

/// Reads the goroutines whose `g`s and numbers are given, with their stacks and what they wait on. Those
/// that are not there any more, or move, are left out.
pub(super) fn read<M: MemoryReader>(
    known: Known<'_, '_, M>,
    wanted: &[(RuntimeAddress, u64)],
) -> Result<Vec<Goroutine>, MemoryError> {
    let program = known.program;
    let mut unwinder = Unwinder::new(program.binary.clone(), program.bias);
    let mut waits = known.landmarks.waits(program, known.memory)?;
    let mut found = Vec::with_capacity(wanted.len());
    for some in wanted.chunks(BATCH) {
        let addresses: Vec<_> = some.iter().map(|(address, _)| *address).collect();
        let scope = Scope {
            stacks: Some(&mut unwinder),
            waits: waits.as_mut(),
        };
        let read = read_goroutines(known.memory, &program.layout, scope, &addresses)?;
        let same = read.into_iter().zip(some).filter_map(|(read, (_, goid))| {
            let goroutine = read.ok().flatten()?;
            (goroutine.goid == *goid).then_some(goroutine)
        });
        found.extend(same);
    }
    Ok(found)
}

/// The groups of `goroutines`, with the numbers of all of them. Labels that are the same are taken to be, also
/// where each goroutine has its own.
pub(super) fn groups<M: MemoryReader>(
    known: Known<'_, '_, M>,
    moment: Moment,
    mut goroutines: Vec<Goroutine>,
) -> Vec<Group> {
    let options = SnapshotOptions::default();
    let mut grouping = Grouping::new(&options, usize::MAX, moment.now_ns, known.program);
    goroutines.sort_unstable_by_key(|goroutine| goroutine.goid);
    let mut known_labels = HashMap::new();
    let mut same = BTreeMap::new();
    for mut goroutine in goroutines {
        if let Some(labels) = &mut goroutine.labels {
            *labels = *known_labels.entry(*labels).or_insert_with_key(|at| {
                let layout = known.landmarks.labels;
                let read = layout.and_then(|layout| layout.read(known.memory, *at).ok());
                read.map_or(*at, |values| *same.entry(values).or_insert(*at))
            });
        }
        grouping.add(goroutine);
    }
    let mut names = Names::new(known.program.binary.clone(), known.program.bias);
    grouping.groups(&mut Context {
        now_ns: moment.now_ns,
        ages: &AgeScale::new(0),
        landmarks: known.landmarks,
        memory: known.memory,
        names: &mut names,
        program: known.program,
        descriptors: moment.pid.map_or_else(Descriptors::none, Descriptors::of),
    })
}
