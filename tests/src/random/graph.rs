//! What refers to what, and who is leaked.

use std::collections::BTreeSet;

use super::Random;

/// What a goroutine can wait on, or what only refers to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in Go")]
pub enum Kind {
    /// Nobody ever sends on it.
    ToReceive,
    /// Has room for some, and has none.
    ToReceiveBuffered,
    /// Nobody ever receives from it.
    ToSend,
    /// It is full of what it refers to.
    ToSendFull,
    Mutex,
    RWMutex,
    WaitGroup,
    Cond,
    Struct,
    Slice,
    /// Referred to by a part in its middle.
    SliceMiddle,
    Map,
    MapKeys,
    /// Refers only to those made before it.
    Closure,
    /// A channel nobody waits on, with things in it.
    Buffer,
    List,
    Array,
    /// Referred to by a field of it.
    Interior,
    Value,
    SyncMap,
}

impl Kind {
    /// What goroutines wait on.
    pub const PRIMITIVES: [Self; 8] = [
        Self::ToReceive,
        Self::ToReceiveBuffered,
        Self::ToSend,
        Self::ToSendFull,
        Self::Mutex,
        Self::RWMutex,
        Self::WaitGroup,
        Self::Cond,
    ];

    /// What only refers to others.
    pub const OBJECTS: [Self; 12] = [
        Self::Struct,
        Self::Slice,
        Self::SliceMiddle,
        Self::Map,
        Self::MapKeys,
        Self::Closure,
        Self::Buffer,
        Self::List,
        Self::Array,
        Self::Interior,
        Self::Value,
        Self::SyncMap,
    ];

    /// Whether several of its kind can be waited on at once.
    #[must_use]
    pub fn is_channel(self) -> bool {
        matches!(
            self,
            Self::ToReceive | Self::ToReceiveBuffered | Self::ToSend | Self::ToSendFull
        )
    }

    /// To how many others it can refer.
    #[must_use]
    pub fn room(self) -> usize {
        match self {
            Self::ToSendFull | Self::Struct | Self::Closure => 3,
            Self::Slice | Self::SliceMiddle | Self::Buffer | Self::Interior => 4,
            Self::Map | Self::MapKeys | Self::List | Self::Array | Self::SyncMap => 6,
            Self::Value => 1,
            _ => 0,
        }
    }

    /// Whether it may be a key of a map.
    #[must_use]
    pub fn is_comparable(self) -> bool {
        !matches!(
            self,
            Self::Slice | Self::SliceMiddle | Self::Map | Self::MapKeys | Self::Closure
        )
    }
}

/// Something on the heap.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// The nodes it refers to.
    pub refers: Vec<usize>,
}

/// What a goroutine does once it has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does {
    /// It sleeps: it lives.
    Sleeps,
    /// It is none, but what a timer will call.
    Timer,
    /// It waits for any of these, for ever if there are none.
    Waits(Vec<usize>),
}

/// A goroutine.
#[derive(Clone, Debug)]
pub struct Goroutine {
    /// What it does.
    pub does: Does,
    /// What it has use for when that is over.
    pub holds: Vec<usize>,
}

/// A program.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Everything on the heap.
    pub nodes: Vec<Node>,
    /// What each global variable refers to.
    pub globals: Vec<usize>,
    /// All but the main goroutine.
    pub goroutines: Vec<Goroutine>,
}

impl Graph {
    /// One of about twenty nodes and a dozen goroutines.
    #[must_use]
    pub fn random(random: &mut Random) -> Self {
        let (primitives, objects) = (3 + random.below(6), 2 + random.below(9));
        let mut kinds = Vec::new();
        for at in 0..primitives + objects {
            kinds.push(match at < primitives {
                true => random.one_of(&Kind::PRIMITIVES),
                false => random.one_of(&Kind::OBJECTS),
            });
        }
        // Closures refer to what is before them: mixed, so that they refer to all kinds.
        for i in (1..kinds.len()).rev() {
            kinds.swap(i, random.below(i + 1));
        }
        let nodes: Vec<Node> = (0..kinds.len())
            .map(|at| Node {
                kind: kinds[at],
                refers: references(&kinds, at, random),
            })
            .collect();
        let waited_on: Vec<usize> = (0..nodes.len())
            .filter(|at| Kind::PRIMITIVES.contains(&nodes[*at].kind))
            .collect();
        let some = |random: &mut Random, most: usize| -> Vec<usize> {
            let number = random.below(most + 1);
            (0..number).map(|_| random.below(kinds.len())).collect()
        };
        let globals = some(random, 2);
        let goroutines = (0..4 + random.below(9))
            .map(|_| Goroutine {
                does: match random.below(24) {
                    0 => Does::Sleeps,
                    1 if random.percent(50) => Does::Timer,
                    2 => Does::Waits(Vec::new()),
                    _ => Does::Waits(waits(&nodes, &waited_on, random)),
                },
                holds: some(random, 3),
            })
            .collect();
        Self {
            nodes,
            globals,
            goroutines,
        }
    }

    /// Which goroutines nothing can ever wake. Those that live reach things; who waits on something
    /// reached can be woken, and so reaches what it holds.
    #[must_use]
    pub fn leaked(&self) -> Vec<bool> {
        let mut leaked: Vec<bool> = self
            .goroutines
            .iter()
            .map(|goroutine| matches!(goroutine.does, Does::Waits(_)))
            .collect();
        let mut reached = BTreeSet::new();
        let mut left = self.globals.clone();
        for (goroutine, leaked) in self.goroutines.iter().zip(&leaked) {
            if !leaked {
                left.extend(&goroutine.holds);
            }
        }
        loop {
            while let Some(node) = left.pop() {
                if reached.insert(node) {
                    left.extend(&self.nodes[node].refers);
                }
            }
            for (goroutine, leaked) in self.goroutines.iter().zip(&mut leaked) {
                let Does::Waits(on) = &goroutine.does else {
                    continue;
                };
                if *leaked && on.iter().any(|node| reached.contains(node)) {
                    *leaked = false;
                    left.extend(goroutine.holds.iter().chain(on));
                }
            }
            if left.is_empty() {
                return leaked;
            }
        }
    }
}

/// To what the node at `at` refers.
fn references(kinds: &[Kind], at: usize, random: &mut Random) -> Vec<usize> {
    let kind = kinds[at];
    let end = match kind {
        // It is filled, and code can only speak of what is there already.
        Kind::Closure | Kind::ToSendFull => at,
        _ => kinds.len(),
    };
    let mut refers = Vec::new();
    if end > 0 && kind.room() > 0 {
        for _ in 0..=random.below(kind.room()) {
            let to = random.below(end);
            if kind != Kind::MapKeys || kinds[to].is_comparable() {
                refers.push(to);
            }
        }
    }
    refers
}

/// One primitive, or several channels.
fn waits(nodes: &[Node], waited_on: &[usize], random: &mut Random) -> Vec<usize> {
    let first = random.one_of(waited_on);
    let mut on = vec![first];
    if nodes[first].kind.is_channel() {
        while random.percent(35) && on.len() < 4 {
            let next = random.one_of(waited_on);
            if nodes[next].kind.is_channel() && !on.contains(&next) {
                on.push(next);
            }
        }
    }
    on
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(on: &[usize], holds: &[usize]) -> Goroutine {
        Goroutine {
            does: Does::Waits(on.to_vec()),
            holds: holds.to_vec(),
        }
    }

    #[test]
    fn who_waits_for_the_woken_can_be_woken() {
        let node = |refers: &[usize]| Node {
            kind: Kind::ToReceive,
            refers: refers.to_vec(),
        };
        let graph = Graph {
            nodes: vec![node(&[]), node(&[]), node(&[3]), node(&[]), node(&[])],
            globals: vec![2],
            goroutines: vec![
                waits(&[3], &[0]),
                waits(&[1], &[]),
                waits(&[0], &[1]),
                waits(&[4], &[1]),
                waits(&[], &[]),
            ],
        };
        assert_eq!(graph.leaked(), [false, false, false, true, true]);
    }

    #[test]
    fn both_outcomes_are_frequent() {
        let (mut leaked, mut waiting) = (0, 0);
        for seed in 0..200 {
            let graph = Graph::random(&mut Random::new(seed));
            leaked += graph.leaked().iter().filter(|leaked| **leaked).count();
            let waits = |g: &&Goroutine| matches!(g.does, Does::Waits(_));
            waiting += graph.goroutines.iter().filter(waits).count();
        }
        let part = leaked as f64 / f64::from(u32::try_from(waiting).unwrap());
        assert!((0.25..0.75).contains(&part), "{leaked} of {waiting}");
    }
}
