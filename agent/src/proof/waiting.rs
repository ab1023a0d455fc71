//! Who may be lost: goroutines that wait on something only the program itself can touch.

use super::marks::Marks;

/// What a goroutine does, as far as a proof asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It runs, or something outside of the program's memory may wake it: what it can reach is alive.
    Lives,
    /// It waits for ever by the rules of the language: on nil channels, or in a `select` without cases.
    Stuck,
    /// It waits until someone touches one of the things at these addresses: channels, semaphores, lists
    /// of waiters.
    On(Box<[u64]>),
}

/// Candidates for a proof, and who of them has been found to be alive.
#[derive(Debug)]
pub struct Candidates {
    /// By the place in the roster.
    left: Vec<Candidate>,
    /// Those found alive, and how.
    alive: Vec<(u32, Sign)>,
}

/// How a candidate was found to be alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// This object, on which it waits, was reached.
    Reached(usize),
    /// What it waits on, at this address, is no object of the heap: anybody may touch it.
    Outside(u64),
    /// It has moved.
    Moved,
}

/// One that waits.
#[derive(Clone, Debug)]
struct Candidate {
    member: u32,
    /// Objects that it waits on; none where it is stuck.
    objects: Box<[usize]>,
}

impl Candidates {
    /// Of the goroutines of a roster. What somebody waits on that is no object of the heap (a mutex
    /// in a global variable, say) may be touched by anybody, so who waits on it is alive.
    #[must_use]
    pub fn new<'d>(doing: impl Iterator<Item = &'d Doing>, marks: &Marks<'_>) -> Self {
        let mut candidates = Self {
            left: Vec::new(),
            alive: Vec::new(),
        };
        for (member, doing) in (0..).zip(doing) {
            let objects = match doing {
                Doing::Lives => continue,
                Doing::Stuck => Ok(Box::default()),
                Doing::On(things) => things
                    .iter()
                    .map(|thing| marks.object(*thing).ok_or(Sign::Outside(*thing)))
                    .collect(),
            };
            match objects {
                Ok(objects) => candidates.left.push(Candidate { member, objects }),
                Err(sign) => candidates.alive.push((member, sign)),
            }
        }
        candidates
    }

    /// Those that wait on nothing that was reached so far.
    pub fn left(&self) -> impl Iterator<Item = u32> {
        self.left.iter().map(|candidate| candidate.member)
    }

    /// Candidates that turned out to be alive, and how.
    #[must_use]
    pub fn alive(&self) -> &[(u32, Sign)] {
        &self.alive
    }

    /// Those found alive now because something they wait on was reached.
    pub(super) fn woken(&mut self, marks: &Marks<'_>) -> Vec<u32> {
        let before = self.alive.len();
        let alive = &mut self.alive;
        self.left.retain(|candidate| {
            let mut objects = candidate.objects.iter();
            let told = objects.find(|object| marks.has_reached_object(**object));
            if let Some(object) = told {
                alive.push((candidate.member, Sign::Reached(*object)));
            }
            told.is_none()
        });
        alive[before..].iter().map(|(member, _)| *member).collect()
    }

    /// Those of `members` that are candidates do not rest: they are alive.
    pub(super) fn drop_moved(&mut self, is_moved: impl Fn(u32) -> bool) {
        let alive = &mut self.alive;
        self.left.retain(|candidate| {
            let moved = is_moved(candidate.member);
            if moved {
                alive.push((candidate.member, Sign::Moved));
            }
            !moved
        });
    }
}
