//! What lost goroutines look like: a few of the oldest are read from the target's memory.

use std::collections::HashMap;

use super::{Landmarks, Program, births, names::Names, snapshot::Things};
use crate::{
    binary::RuntimeAddress,
    detect::pattern::Thing,
    memory::{MemoryError, MemoryReader},
    report::{Place, Unknown, WaitsOn},
    runtime::{
        Goroutine, GoroutineState, Labels, Scope, Unwinder, Wait, done_channels, read_goroutines,
    },
    target::Descriptors,
};

/// How many are looked at.
pub(super) const SAMPLES: usize = 32;
/// How many goroutine ids are named.
const GOIDS: usize = 10;
/// On how many stacks a context is sought.
const STACKS: usize = 8;

/// What most of the lost goroutines that were looked at have in common.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub(super) wait_reason: Option<String>,
    pub(super) stack: Option<Vec<Place>>,
    pub(super) stack_bytes: Option<u64>,
    pub(super) goids: Vec<u64>,
    /// What they wait on, for reports.
    pub(super) waits_on: Vec<WaitsOn>,
    /// What one of them waits on, for patterns.
    pub(super) things: Vec<Thing>,
    /// The pprof labels of one of them.
    pub(super) labels: Labels,
    /// How many could be looked at, how many of them wait at the same place, and how many on one and
    /// the same thing.
    pub(super) looked_at: usize,
    pub(super) alike: usize,
    pub(super) sharing: usize,
    pub(super) unknown: Unknown,
}

/// Which goroutines are looked at.
pub(super) struct Sample<'a> {
    /// Where they were created.
    pub(super) site: RuntimeAddress,
    /// Their `g`s.
    pub(super) gs: &'a [RuntimeAddress],
    /// How many there are for whom they stand.
    pub(super) stands_for: u64,
}

/// What goroutines are looked at with.
pub(super) struct Looker<'a, M> {
    pub(super) program: &'a Program,
    pub(super) memory: &'a M,
    /// `None` where they were not found: then it is not known what they wait on.
    pub(super) landmarks: Option<&'a Landmarks>,
    pub(super) unwinder: &'a mut Unwinder,
    pub(super) names: &'a mut Names,
    pub(super) descriptors: Descriptors,
}

impl<M: MemoryReader> Looker<'_, M> {
    /// Looks at the goroutines of `sample`.
    pub(super) fn gather(&mut self, sample: &Sample<'_>) -> Evidence {
        let mut evidence = Evidence::default();
        let mut failure = None;
        let mut goroutines = Vec::new();
        match self.read(sample.gs) {
            Ok(read) => {
                for result in read {
                    match result {
                        // A g is reused: only one that was created here is still the one that was
                        // meant.
                        Ok(Some(goroutine)) if goroutine.created_at == sample.site => {
                            goroutines.push(goroutine);
                        }
                        Ok(_) => {}
                        Err(error) => failure = Some(error.to_string()),
                    }
                }
            }
            Err(error) => failure = Some(error.to_string()),
        }
        let Some(typical) = typical(&goroutines) else {
            let reason = failure.unwrap_or_else(|| "none could be read while it rested".into());
            for field in ["wait_reason", "blocked_at", "stack", "stack_bytes"] {
                evidence.unknown.insert(field, reason.clone());
            }
            return evidence;
        };
        self.wait_reason(typical, &mut evidence);
        evidence.labels = self.labels(typical);
        let stack = self.names.stack(&typical.stack);
        let alike: Vec<&Goroutine> = goroutines
            .iter()
            .filter(|one| is_alike(one, typical))
            .collect();
        self.waits(&alike, &stack, &mut evidence);
        evidence.alike = alike.len();
        evidence.stack = Some(stack);
        let bytes: u64 = goroutines
            .iter()
            .map(|goroutine| goroutine.stack_bytes)
            .sum();
        evidence.stack_bytes = Some(bytes / goroutines.len() as u64 * sample.stands_for);
        evidence.looked_at = goroutines.len();
        evidence.goids = goroutines.iter().map(|g| g.goid).take(GOIDS).collect();
        evidence
    }

    fn read(
        &mut self,
        gs: &[RuntimeAddress],
    ) -> Result<Vec<Result<Option<Goroutine>, MemoryError>>, MemoryError> {
        // Without what they wait on all else is still known.
        let mut waits = self
            .landmarks
            .and_then(|landmarks| landmarks.waits(self.program, self.memory).ok().flatten());
        let scope = Scope {
            stacks: Some(self.unwinder),
            waits: waits.as_mut(),
        };
        let gs = &gs[..gs.len().min(SAMPLES)];
        read_goroutines(self.memory, &self.program.layout, scope, gs)
    }

    /// None where they cannot be read.
    fn labels(&self, goroutine: &Goroutine) -> Labels {
        let layout = self.landmarks.and_then(|landmarks| landmarks.labels);
        let read = layout.zip(goroutine.labels);
        let read = read.map(|(layout, address)| layout.read(self.memory, address));
        read.and_then(Result::ok).unwrap_or_default()
    }

    fn wait_reason(&self, typical: &Goroutine, evidence: &mut Evidence) {
        let waiting = matches!(
            typical.state,
            GoroutineState::Waiting | GoroutineState::Leaked
        );
        evidence.wait_reason = match &self.program.wait_reasons {
            Ok(reasons) if waiting => reasons.name(typical.wait_reason).map(str::to_owned),
            _ => None,
        };
        if evidence.wait_reason.is_none() {
            let reason = if waiting {
                "the binary's table of wait reasons was not found".into()
            } else {
                format!("most of them are not parked but {:?}", typical.state)
            };
            evidence.unknown.insert("wait_reason", reason);
        }
    }

    /// What those that are alike wait on.
    fn waits(&mut self, alike: &[&Goroutine], stack: &[Place], evidence: &mut Evidence) {
        let mut things = Things::default();
        let mut sharing: HashMap<u64, usize> = HashMap::new();
        for goroutine in alike {
            for wait in &goroutine.waits {
                things.count(*wait);
            }
            if let Some(address) = goroutine.waits.iter().find_map(address) {
                *sharing.entry(address.0).or_default() += 1;
            }
        }
        let layouts = &self.program.layouts;
        let now_ns = births::monotonic_ns();
        evidence.waits_on = things.waited(stack, layouts, now_ns, &mut self.descriptors);
        evidence.sharing = sharing.into_values().max().unwrap_or(0);
        let mut seen = alike
            .iter()
            .take(STACKS)
            .map(|one| (*one, self.contexts(one)));
        let found = seen.find(|(_, contexts)| !contexts.is_empty());
        if let Some((one, contexts)) = found.or_else(|| alike.first().map(|one| (*one, Vec::new())))
        {
            let descriptors = &mut self.descriptors;
            let waits = one.waits.iter();
            evidence.things = waits
                .map(|wait| thing(*wait, &contexts, descriptors))
                .collect();
        }
    }

    /// Which of the channels that it waits on are those of contexts.
    fn contexts(&self, goroutine: &Goroutine) -> Vec<RuntimeAddress> {
        let signals = goroutine.waits.iter().filter_map(|wait| match wait {
            Wait::Channel {
                address,
                capacity: 0,
                element_size: 0,
                ..
            } => Some(*address),
            _ => None,
        });
        let signals: Vec<RuntimeAddress> = signals.collect();
        if signals.is_empty() {
            return signals;
        }
        let (begin, end) = self.program.binary.module_data().types;
        let bias = self.program.bias;
        let types = bias.to_runtime(begin).0..bias.to_runtime(end).0;
        let layout = &self.program.layout;
        done_channels(self.memory, layout, &types, goroutine, &signals)
    }
}

/// Of what is the same for all that wait on it.
fn address(wait: &Wait) -> Option<RuntimeAddress> {
    match wait {
        Wait::Channel { address, .. }
        | Wait::Semaphore { address }
        | Wait::Condition { address } => Some(*address),
        Wait::NilChannel | Wait::Timer { .. } | Wait::Descriptor { .. } => None,
    }
}

fn thing(wait: Wait, contexts: &[RuntimeAddress], descriptors: &mut Descriptors) -> Thing {
    match wait {
        Wait::Channel {
            address,
            length,
            capacity,
            element_size,
        } => Thing::Channel {
            length,
            capacity,
            element_size,
            is_context: contexts.contains(&address),
        },
        Wait::NilChannel => Thing::NilChannel,
        Wait::Semaphore { .. } => Thing::Semaphore,
        Wait::Condition { .. } => Thing::Condition,
        Wait::Timer { .. } => Thing::Timer,
        Wait::Descriptor { fd, has_deadline } => {
            let known = descriptors.describe(fd);
            Thing::Network {
                protocol: known.as_ref().map(|known| known.protocol.clone()),
                remote: known.and_then(|known| known.remote),
                has_deadline,
            }
        }
    }
}

fn is_alike(one: &Goroutine, other: &Goroutine) -> bool {
    one.stack == other.stack && one.wait_reason == other.wait_reason
}

/// One of those whose state, wait reason and stack are the most frequent.
fn typical(goroutines: &[Goroutine]) -> Option<&Goroutine> {
    type Shape<'a> = (&'a [RuntimeAddress], u8);
    let mut shapes: HashMap<Shape<'_>, (usize, &Goroutine)> = HashMap::new();
    for goroutine in goroutines {
        let shape = (&goroutine.stack[..], goroutine.wait_reason);
        shapes.entry(shape).or_insert((0, goroutine)).0 += 1;
    }
    let (_, typical) = shapes
        .into_values()
        .max_by_key(|(count, goroutine)| (*count, std::cmp::Reverse(goroutine.goid)))?;
    Some(typical)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goroutine(goid: u64, stack: &[u64], wait_reason: u8) -> Goroutine {
        Goroutine {
            goid,
            address: RuntimeAddress(goid * 64),
            state: GoroutineState::Waiting,
            wait_reason,
            runs: 0,
            created_at: RuntimeAddress(1),
            start: RuntimeAddress(2),
            waiting_since_ns: None,
            stack_bytes: 2048,
            stack: stack.iter().copied().map(RuntimeAddress).collect(),
            parent: None,
            stack_is_cut: false,
            labels: None,
            locked_to: None,
            waits: Vec::new(),
        }
    }

    #[test]
    fn the_most_frequent_shape_is_typical() {
        let goroutines = [
            goroutine(7, &[1, 2], 14),
            goroutine(8, &[1, 3], 14),
            goroutine(9, &[1, 3], 14),
            goroutine(10, &[1, 3], 9),
        ];
        let typical = typical(&goroutines).expect("there are some");
        assert_eq!(typical.goid, 8);
        assert_eq!(super::typical(&[]), None);
    }
}
