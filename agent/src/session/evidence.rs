//! What lost goroutines look like: a few of the oldest are read from the target's memory.

use std::collections::HashMap;

use super::{Program, names::Names};
use crate::{
    binary::RuntimeAddress,
    memory::MemoryReader,
    report::{Place, Unknown},
    runtime::{Goroutine, GoroutineState, Unwinder, read_goroutine},
};

/// How many are looked at.
pub(super) const SAMPLES: usize = 32;
/// How many goroutine ids are named.
const GOIDS: usize = 10;

/// What most of the lost goroutines that were looked at have in common.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub(super) wait_reason: Option<String>,
    pub(super) blocked_at: Option<Place>,
    pub(super) stack: Option<Vec<Place>>,
    pub(super) stack_bytes: Option<u64>,
    pub(super) goids: Vec<u64>,
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

/// Looks at the goroutines of `sample`.
pub(super) fn gather(
    sample: &Sample<'_>,
    memory: &impl MemoryReader,
    program: &Program,
    unwinder: &mut Unwinder,
    names: &mut Names,
) -> Evidence {
    let mut evidence = Evidence::default();
    let mut failure = None;
    let mut goroutines = Vec::new();
    for g in sample.gs {
        match read_goroutine(memory, &program.layout, unwinder, *g) {
            // A g is reused: only one that was created here is still the one that was meant.
            Ok(Some(goroutine)) if goroutine.created_at == sample.site => {
                goroutines.push(goroutine)
            }
            Ok(_) => {}
            Err(error) => failure = Some(error.to_string()),
        }
    }
    let Some(typical) = typical(&goroutines) else {
        let reason = failure.unwrap_or_else(|| "none could be read while it rested".into());
        for field in ["wait_reason", "blocked_at", "stack", "stack_bytes"] {
            evidence.unknown.insert(field, reason.clone());
        }
        return evidence;
    };
    let waiting = matches!(
        typical.state,
        GoroutineState::Waiting | GoroutineState::Leaked
    );
    evidence.wait_reason = match &program.wait_reasons {
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
    let stack = names.stack(&typical.stack);
    evidence.blocked_at = stack.iter().find(|place| is_own_code(place)).cloned();
    evidence.stack = Some(stack);
    let bytes: u64 = goroutines
        .iter()
        .map(|goroutine| goroutine.stack_bytes)
        .sum();
    evidence.stack_bytes = Some(bytes / goroutines.len() as u64 * sample.stands_for);
    evidence.goids = goroutines.iter().map(|g| g.goid).take(GOIDS).collect();
    evidence
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

/// Not the standard library's synchronisation: the line that a person has to look at.
fn is_own_code(place: &Place) -> bool {
    const WAITING_ROOMS: [&str; 5] = ["sync.", "internal/", "time.", "runtime.", "context."];
    !WAITING_ROOMS
        .iter()
        .any(|package| place.function.starts_with(package))
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

    #[test]
    fn the_line_to_look_at_is_not_in_the_library_that_waits() {
        let place = |function: &str| Place {
            function: function.into(),
            file: None,
            line: None,
        };
        assert!(!is_own_code(&place("sync.(*WaitGroup).Wait")));
        assert!(!is_own_code(&place("internal/poll.(*FD).Read")));
        assert!(is_own_code(&place("main.search.func1")));
        assert!(is_own_code(&place("syncer.Run")));
    }
}
