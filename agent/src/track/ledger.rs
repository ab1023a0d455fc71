//! The books of one site: what the probes counted against what the census found alive.
//!
//! Whatever happens, `alive = older + created − exited`, where `older` are those that were there
//! before the probes. Counts are read before and behind each pass, so a pass bounds `older`; all
//! passes together have to agree on one number. Where they do not, events were lost, and the census
//! is right.

use super::Counts;

/// Goroutines between a probe and the change of their state: not more than threads that run Go code.
/// A thread may be kept from going on for a while, but not from one pass to the next: where nothing
/// has happened since the last, there is none.
const IN_BETWEEN: i64 = 64;

/// What is known of one site's goroutines that are older than the probes, and of events lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// How many there were when the probes were attached: at least, at most.
    older: Option<(i64, i64)>,
    /// Goroutines that the census found and the probes did not count, less those that the probes
    /// count and the census did not find.
    repaired: i64,
    /// The counts behind the last pass.
    last: Option<Counts>,
}

impl Ledger {
    /// Of a site that the first census did not find: it has no older goroutines.
    #[must_use]
    pub fn of_new_site() -> Self {
        Self {
            older: Some((0, 0)),
            ..Self::default()
        }
    }

    /// Takes in a pass that found `alive`, made while the counts went from `before` to `after`;
    /// `unseen` goroutines of any site could not be told apart. By how many goroutines it disagrees.
    pub fn balance(&mut self, before: Counts, after: Counts, alive: u64, unseen: u64) -> u64 {
        let ended = |counts: Counts| signed(counts.exited) + signed(counts.exited_older);
        let quiet = before == after && self.last == Some(before);
        self.last = Some(after);
        let slack = if quiet { 0 } else { IN_BETWEEN } + signed(unseen);
        let least = signed(before.created) - ended(after) + self.repaired - slack;
        let most = signed(after.created) - ended(before) + self.repaired + slack;
        let (low, high) = (signed(alive) - most, signed(alive) - least);
        let Some((known_low, known_high)) = self.older else {
            self.older = Some((low.max(0), high.max(0)));
            return 0;
        };
        // More than the books allow were found: creations are missing. Fewer: ends are.
        let missing = if low > known_high {
            low - known_high
        } else if high < known_low {
            high - known_low
        } else {
            self.older = Some((low.max(known_low), high.min(known_high)));
            0
        };
        self.repaired += missing;
        missing.unsigned_abs()
    }

    /// Of those that were there before the probes, how many there were and how many live, at least;
    /// `None` before the first pass.
    #[must_use]
    pub fn older(&self, counts: Counts) -> Option<(u64, u64)> {
        let (least, _) = self.older?;
        let least = least.unsigned_abs();
        Some((least, least.saturating_sub(counts.exited_older)))
    }

    /// Goroutines by which the counts were put right, in whichever direction.
    #[must_use]
    pub fn repaired(&self) -> u64 {
        self.repaired.unsigned_abs()
    }

    /// The counts, put right.
    #[must_use]
    pub fn repair(&self, mut counts: Counts) -> Counts {
        let by = self.repaired.unsigned_abs();
        match self.repaired {
            1.. => {
                counts.created += by;
                counts.live += by;
            }
            0 => return counts,
            _ => {
                counts.exited += by;
                counts.live = counts.live.saturating_sub(by);
            }
        }
        counts
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(created: u64, exited: u64, exited_older: u64) -> Counts {
        Counts {
            created,
            exited,
            live: created - exited,
            exited_older,
            accuracy: crate::track::Accuracy::Exact,
        }
    }

    /// Two passes with nothing in between: the second is exact.
    fn settle(ledger: &mut Ledger, counts: Counts, alive: u64) -> u64 {
        let first = ledger.balance(counts, counts, alive, 0);
        first + ledger.balance(counts, counts, alive, 0)
    }

    #[test]
    fn what_was_there_before_is_found_and_ends() {
        let mut ledger = Ledger::default();
        assert_eq!(settle(&mut ledger, counts(0, 0, 0), 500), 0);
        let later = counts(20, 5, 100);
        assert_eq!(settle(&mut ledger, later, 415), 0);
        assert_eq!(ledger.older(later), Some((500, 400)));
        assert_eq!(ledger.repair(later), later);
    }

    #[test]
    fn a_creation_that_was_not_counted_is_added_and_an_end_too() {
        let mut ledger = Ledger::of_new_site();
        // Ten were created, of which the probes saw seven.
        let seen = counts(7, 0, 0);
        assert_eq!(settle(&mut ledger, seen, 10), 3);
        let put_right = ledger.repair(seen);
        assert_eq!((put_right.created, put_right.live), (10, 10));
        assert_eq!(settle(&mut ledger, seen, 10), 0);
        // All ended, of which the probes saw six.
        let seen = counts(7, 6, 0);
        assert_eq!(settle(&mut ledger, seen, 0), 4);
        assert_eq!(ledger.repair(seen).live, 0);
    }

    #[test]
    fn one_that_is_just_being_created_or_ending_is_not_lost() {
        let mut ledger = Ledger::of_new_site();
        let counted = counts(100, 99, 0);
        assert_eq!(ledger.balance(counted, counted, 0, 0), 0);
        let counted = counts(100, 100, 0);
        assert_eq!(ledger.balance(counted, counted, 1, 0), 0);
        assert_eq!(ledger.balance(counted, counted, 0, 0), 0);
        assert_eq!(ledger.repaired(), 0);
    }

    proptest! {
        /// A site at which nothing is lost never disagrees, however it moves while it is looked at.
        #[test]
        fn true_books_agree(
            older in 0_u64..1000,
            steps in prop::collection::vec((0_u64..50, 0_u64..50, 0_u64..5, 0_u64..50, 0_u64..50), 1..30),
        ) {
            let mut ledger = Ledger::default();
            let (mut created, mut exited, mut exited_older) = (0, 0, 0);
            for (creations, ends, older_ends, creations_behind, ends_behind) in steps {
                let before = counts(created, exited, exited_older);
                created += creations;
                exited = (exited + ends).min(created);
                exited_older = (exited_older + older_ends).min(older);
                let alive = older + created - exited - exited_older;
                created += creations_behind;
                exited = (exited + ends_behind).min(created);
                let after = counts(created, exited, exited_older);
                prop_assert_eq!(ledger.balance(before, after, alive, 0), 0);
                let (there_were, live) = ledger.older(after).unwrap();
                prop_assert!(there_were <= older && live <= older - exited_older);
            }
        }
    }
}
