//! Goroutines with everything in common, counted together.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{SnapshotOptions, waited::Things};
use crate::{
    binary::RuntimeAddress,
    memory::MemoryReader,
    report::{Group, Unknown},
    runtime::{AgeScale, Goroutine, GoroutineState, Labels, Wait, thread_id},
    session::{Landmarks, Names, Program, names},
    target::Descriptors,
};

/// Goroutine ids named for each group of a snapshot.
pub(super) const GOIDS: usize = 10;
/// Threads named for each group.
const THREADS: usize = 10;

/// What goroutines of one group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Shape {
    created_at: RuntimeAddress,
    start: RuntimeAddress,
    state: GoroutineState,
    /// 0 unless it is parked: a goroutine keeps its last reason while it runs.
    wait_reason: u8,
    /// Which of the stacks seen; each is kept once.
    stack: u32,
    labels: Option<RuntimeAddress>,
    /// Where each goroutine is wanted for itself.
    goid: Option<u64>,
}

#[derive(Debug, Default)]
struct Members {
    count: u64,
    /// The smallest ids, and so the oldest goroutines; who created each.
    goids: Vec<(u64, u64)>,
    waiting_since_ns: Option<u64>,
    stack_bytes: u64,
    stack_is_cut: bool,
    locked_to_thread: u64,
    locked_to: Vec<RuntimeAddress>,
    things: Things,
}

impl Members {
    fn add(&mut self, goroutine: &Goroutine, goids: usize) {
        self.count += 1;
        self.stack_bytes += goroutine.stack_bytes;
        self.stack_is_cut |= goroutine.stack_is_cut;
        self.waiting_since_ns = match (self.waiting_since_ns, goroutine.waiting_since_ns) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let goid = goroutine.goid;
        let place = self.goids.partition_point(|(known, _)| *known < goid);
        if place < goids {
            self.goids.truncate(goids - 1);
            self.goids
                .insert(place, (goid, goroutine.parent.unwrap_or(0)));
        }
        if let Some(thread) = goroutine.locked_to {
            self.locked_to_thread += 1;
            if self.locked_to.len() < THREADS {
                self.locked_to.push(thread);
            }
        }
        self.things.add(&goroutine.waits);
    }
}

/// Takes goroutines in and gives groups.
pub(in crate::session) struct Grouping<'a> {
    options: &'a SnapshotOptions,
    /// Ids named for each group.
    goids: usize,
    now_ns: u64,
    program: &'a Program,
    shapes: HashMap<Shape, Members>,
    stacks: HashMap<Vec<RuntimeAddress>, u32>,
    last_goid: u64,
}

/// What groups are described with.
pub(in crate::session) struct Context<'a, M> {
    pub(in crate::session) now_ns: u64,
    pub(in crate::session) ages: &'a AgeScale,
    pub(in crate::session) landmarks: &'a Landmarks,
    pub(in crate::session) memory: &'a M,
    pub(in crate::session) names: &'a mut Names,
    pub(in crate::session) program: &'a Program,
    pub(in crate::session) descriptors: Descriptors,
}

impl<'a> Grouping<'a> {
    pub(in crate::session) fn new(
        options: &'a SnapshotOptions,
        goids: usize,
        now_ns: u64,
        program: &'a Program,
    ) -> Self {
        Self {
            options,
            goids,
            now_ns,
            program,
            shapes: HashMap::new(),
            stacks: HashMap::new(),
            last_goid: 0,
        }
    }

    /// Quickest in the order of their numbers.
    pub(in crate::session) fn add(&mut self, goroutine: Goroutine) {
        self.last_goid = self.last_goid.max(goroutine.goid);
        if !self.is_wanted(&goroutine) {
            return;
        }
        let waits = goroutine.state.is_parked();
        let stack = match self.stacks.get(&goroutine.stack) {
            Some(known) => *known,
            None => {
                let next = u32::try_from(self.stacks.len()).unwrap_or(u32::MAX);
                self.stacks.insert(goroutine.stack.clone(), next);
                next
            }
        };
        let shape = Shape {
            created_at: goroutine.created_at,
            start: goroutine.start,
            state: goroutine.state,
            wait_reason: if waits { goroutine.wait_reason } else { 0 },
            stack,
            labels: goroutine.labels,
            goid: self.options.full.then_some(goroutine.goid),
        };
        self.shapes
            .entry(shape)
            .or_default()
            .add(&goroutine, self.goids);
    }

    pub(super) fn last_goid(&self) -> u64 {
        self.last_goid
    }

    fn is_wanted(&self, goroutine: &Goroutine) -> bool {
        let waits = goroutine.state.is_parked();
        let reason = match &self.program.wait_reasons {
            Ok(reasons) if waits => reasons.name(goroutine.wait_reason),
            _ => None,
        };
        let waited = goroutine
            .waiting_since_ns
            .map(|since| self.now_ns.saturating_sub(since) as f64 / 1e9);
        self.options
            .filter
            .wants(goroutine.state.name(), reason, waited)
    }

    /// The groups, in no order.
    pub(in crate::session) fn groups<M: MemoryReader>(
        self,
        context: &mut Context<'_, M>,
    ) -> Vec<Group> {
        let stacks: HashMap<u32, Vec<RuntimeAddress>> = self
            .stacks
            .into_iter()
            .map(|(stack, number)| (number, stack))
            .collect();
        let mut labels = HashMap::new();
        self.shapes
            .into_iter()
            .map(|(shape, members)| {
                let labels = shape.labels.map(|at| {
                    let read = || match context.landmarks.labels {
                        Some(layout) => layout.read(context.memory, at).map_err(|e| e.to_string()),
                        None => Err("how this program keeps them is not known".into()),
                    };
                    labels.entry(at).or_insert_with(read)
                });
                let stack = stacks.get(&shape.stack).map_or(&[][..], Vec::as_slice);
                group(&shape, members, stack, labels.as_deref(), context)
            })
            .collect()
    }
}

fn group<M: MemoryReader>(
    shape: &Shape,
    members: Members,
    stack: &[RuntimeAddress],
    labels: Option<&Result<Labels, String>>,
    context: &mut Context<'_, M>,
) -> Group {
    let mut unknown = Unknown::new();
    let waits = shape.state.is_parked();
    let wait_reason = match &context.program.wait_reasons {
        Ok(reasons) if waits => reasons.name(shape.wait_reason).map(str::to_owned),
        _ => None,
    };
    if waits && wait_reason.is_none() {
        let reason = "the binary's table of wait reasons was not found";
        unknown.insert("wait_reason", reason.into());
    }
    let name = context
        .names
        .site(shape.created_at, Some(shape.start))
        .clone();
    let places = context.names.stack(stack);
    if stack.is_empty() {
        let reason = "it runs, or moved each time it was read";
        unknown.insert("stack", reason.into());
    } else if members.stack_is_cut {
        let reason = format!("only the innermost {} calls were read", stack.len());
        unknown.insert("stack", reason);
    }
    let oldest = members
        .waiting_since_ns
        .map(|since| context.now_ns.saturating_sub(since) as f64 / 1e9);
    if oldest.is_none() {
        let reason = "no garbage collection has seen one of them wait";
        unknown.insert("oldest_seconds", reason.into());
    }
    let age = members
        .goids
        .first()
        .and_then(|(goid, _)| context.ages.created_ns(*goid))
        .map(|created| context.now_ns.saturating_sub(created) as f64 / 1e9);
    if age.is_none() {
        let reason = "how many goroutines there were at which moment is not known";
        unknown.insert("age_seconds", reason.into());
    }
    let labels = match labels {
        Some(Ok(labels)) => Some(labels.clone()),
        Some(Err(error)) => {
            unknown.insert("labels", error.clone());
            None
        }
        None => None,
    };
    let on_a_thing = match &context.program.wait_reasons {
        Ok(reasons) => waits && reasons.is_on_a_thing(shape.wait_reason),
        Err(_) => false,
    };
    if on_a_thing && members.things.is_empty() {
        let reason = "it could not be found, or read";
        unknown.insert("waits_on", reason.into());
    }
    let is_system =
        names::is_system_goroutine(&name.start.function, wait_reason.as_deref(), &places);
    // The main goroutine and a thread's extra ones come from no `go` statement.
    let created = shape.created_at != RuntimeAddress(0) && name.start.function != "runtime.main";
    let threads = members.locked_to.iter();
    let threads =
        threads.filter_map(|m| thread_id(context.memory, context.landmarks.procid, *m).ok());
    Group {
        count: members.count,
        state: shape.state.name().into(),
        wait_reason,
        created_at: created.then_some(name.created_at),
        system: is_system,
        start: name.start,
        waits_on: members.things.waited(
            &places,
            &context.program.layouts,
            context.now_ns,
            &mut context.descriptors,
        ),
        stack: (!stack.is_empty()).then_some(places),
        oldest_seconds: oldest,
        age_seconds: age,
        stack_bytes: members.stack_bytes,
        labels: labels.filter(|labels: &BTreeMap<_, _>| !labels.is_empty()),
        locked_to_thread: members.locked_to_thread,
        locked_threads: threads.collect(),
        goids: members.goids.iter().map(|(goid, _)| *goid).collect(),
        parent_goids: members.goids.iter().map(|(_, parent)| *parent).collect(),
        unknown,
    }
}

impl Things {
    fn add(&mut self, waits: &[Wait]) {
        for wait in waits {
            self.count(*wait);
        }
    }
}
