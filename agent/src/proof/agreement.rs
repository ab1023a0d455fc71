//! Several passes that agree.

use hashbrown::HashMap;

/// What is the same of a goroutine as long as it does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rest {
    /// The address of its `g`.
    pub g: u64,
    /// Its number.
    pub goid: u64,
    /// Rises when it stops running, modulo 256.
    pub runs: u8,
    /// Where its stack pointer is.
    pub sp: u64,
    /// Where it will go on.
    pub pc: u64,
    /// What it waits on, or the first of it.
    pub thing: u64,
}

/// What passes have said of each candidate.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    passes: u32,
    /// Those that no pass has reached so far.
    lost: HashMap<u64, Rest>,
    /// Those that one pass did not reach and a later one did.
    found_later: u64,
    /// Passes since the last of them was found.
    steady: u32,
}

impl Agreement {
    /// Takes in who was not reached by a pass, and who of those that rest was.
    pub fn add(
        &mut self,
        unreached: impl Iterator<Item = Rest>,
        reached: impl Iterator<Item = Rest>,
    ) {
        let unreached: HashMap<u64, Rest> = unreached.map(|rest| (rest.goid, rest)).collect();
        self.passes += 1;
        if self.passes == 1 {
            self.lost = unreached;
            return;
        }
        let mut found = 0;
        for rest in reached.filter(|rest| self.is_lost(rest)) {
            tracing::debug!(
                goid = rest.goid,
                pass = self.passes,
                "found by a later pass"
            );
            found += 1;
        }
        self.found_later += found;
        self.steady = if found > 0 { 0 } else { self.steady + 1 };
        self.lost
            .retain(|goid, rest| unreached.get(goid) == Some(rest));
    }

    /// How many passes there were.
    #[must_use]
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// Whether no pass has reached the goroutine that rests so.
    #[must_use]
    pub fn is_lost(&self, rest: &Rest) -> bool {
        self.lost.get(&rest.goid) == Some(rest)
    }

    /// How many a pass did not reach, of which a later one said otherwise: the program moves pointers
    /// faster than they are looked at.
    #[must_use]
    pub fn found_later(&self) -> u64 {
        self.found_later
    }

    /// How many passes have agreed with the one before on everybody who rested.
    #[must_use]
    pub fn steady(&self) -> u32 {
        self.steady
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(goid: u64, runs: u8) -> Rest {
        Rest {
            g: 0xc000_0000 + goid,
            goid,
            runs,
            sp: 1,
            pc: 2,
            thing: 3,
        }
    }

    #[test]
    fn only_those_that_every_pass_missed_are_lost() {
        let mut agreement = Agreement::default();
        agreement.add(
            [rest(1, 0), rest(2, 0), rest(3, 0)].into_iter(),
            [].into_iter(),
        );
        assert_eq!(agreement.steady(), 0);
        agreement.add(
            [rest(1, 0), rest(3, 1)].into_iter(),
            [rest(2, 0), rest(4, 0)].into_iter(),
        );
        assert!(agreement.is_lost(&rest(1, 0)));
        assert!(!agreement.is_lost(&rest(2, 0)), "was reached");
        assert!(!agreement.is_lost(&rest(3, 1)), "has run");
        assert_eq!((agreement.passes(), agreement.found_later()), (2, 1));
        assert_eq!(agreement.steady(), 0);
        agreement.add([rest(1, 0)].into_iter(), [rest(3, 1)].into_iter());
        assert_eq!(agreement.steady(), 1);
    }

    #[test]
    fn one_that_comes_later_is_not_lost() {
        let mut agreement = Agreement::default();
        agreement.add([].into_iter(), [].into_iter());
        agreement.add([rest(1, 0)].into_iter(), [].into_iter());
        assert!(!agreement.is_lost(&rest(1, 0)));
    }
}
