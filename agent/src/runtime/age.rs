//! How old a goroutine is that nobody saw being created.
//!
//! Numbers are given out in rising order (each processor takes sixteen at a time), so a goroutine is
//! younger than all with smaller numbers. Between moments at which the last number is known, its
//! creation is estimated by interpolation; that another with the same or a later number was already
//! seen waiting at some moment bounds it from above.

/// Numbers and times, both rising. Times are `CLOCK_MONOTONIC` in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgeScale {
    /// Known: number and moment.
    anchors: Vec<(u64, u64)>,
    /// Created at that moment at the latest.
    bounds: Vec<(u64, u64)>,
}

impl AgeScale {
    /// A program that began at `began_ns`: then it had given out none.
    #[must_use]
    pub fn new(began_ns: u64) -> Self {
        Self {
            anchors: vec![(0, began_ns)],
            bounds: Vec::new(),
        }
    }

    /// At `at_ns` the last number given out was `goid`. What does not rise is not taken.
    pub fn anchor(&mut self, goid: u64, at_ns: u64) {
        let rises = self
            .anchors
            .last()
            .is_none_or(|(last, before)| goid > *last && at_ns > *before);
        if rises {
            self.anchors.push((goid, at_ns));
        }
    }

    /// Goroutine `goid` was already there at `at_ns`. Call [`Self::settle`] behind the last.
    pub fn existed(&mut self, goid: u64, at_ns: u64) {
        self.bounds.push((goid, at_ns));
    }

    /// Keeps of the bounds those that say more than others.
    pub fn settle(&mut self) {
        self.bounds.sort_unstable();
        let mut earliest = u64::MAX;
        let mut kept: Vec<(u64, u64)> = Vec::new();
        for (goid, at_ns) in self.bounds.iter().rev() {
            if *at_ns < earliest {
                earliest = *at_ns;
                kept.push((*goid, *at_ns));
            }
        }
        kept.reverse();
        self.bounds = kept;
    }

    /// When goroutine `goid` was created, as far as that can be estimated; `None` for one beyond the
    /// last known number.
    #[must_use]
    pub fn created_ns(&self, goid: u64) -> Option<u64> {
        let after = self.anchors.partition_point(|(anchor, _)| *anchor < goid);
        let (to_goid, to_ns) = *self.anchors.get(after)?;
        let (from_goid, from_ns) = *self.anchors.get(after.checked_sub(1)?)?;
        let share = u128::from(goid - from_goid) * u128::from(to_ns - from_ns);
        let passed = share / u128::from(to_goid - from_goid);
        let between = u64::try_from(passed).map_or(to_ns, |passed| from_ns + passed);
        let bound = self.bounds.partition_point(|(known, _)| *known < goid);
        let bound = self.bounds.get(bound).map_or(u64::MAX, |(_, at_ns)| *at_ns);
        Some(between.min(bound).max(from_ns))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn between_known_moments_it_is_interpolated() {
        let mut scale = AgeScale::new(1000);
        scale.anchor(100, 2000);
        scale.anchor(200, 12_000);
        assert_eq!(scale.created_ns(50), Some(1500));
        assert_eq!(scale.created_ns(100), Some(2000));
        assert_eq!(scale.created_ns(150), Some(7000));
        assert_eq!(scale.created_ns(201), None);
    }

    #[test]
    fn who_waited_earlier_was_created_before_that_and_so_were_all_before_him() {
        let mut scale = AgeScale::new(1000);
        scale.anchor(100, 2000);
        scale.existed(80, 1200);
        scale.existed(90, 1900);
        scale.existed(95, 1300);
        scale.settle();
        assert_eq!(scale.created_ns(10), Some(1100));
        assert_eq!(scale.created_ns(70), Some(1200));
        assert_eq!(scale.created_ns(85), Some(1300));
        assert_eq!(scale.created_ns(98), Some(1980));
    }

    proptest! {
        #[test]
        fn who_has_a_later_number_is_never_older(
            anchors in prop::collection::vec((1_u64..1000, 1_u64..1000), 1..8),
            bounds in prop::collection::vec((1_u64..4000, 1_u64..4000), 0..20),
        ) {
            let mut scale = AgeScale::new(1000);
            let (mut goid, mut at) = (0, 1000);
            for (goids, ns) in anchors {
                goid += goids;
                at += ns;
                scale.anchor(goid, at);
            }
            for (goid, at_ns) in bounds {
                scale.existed(goid, at_ns);
            }
            scale.settle();
            let times: Vec<u64> = (1..=goid).filter_map(|goid| scale.created_ns(goid)).collect();
            prop_assert_eq!(times.len() as u64, goid);
            prop_assert!(times.is_sorted());
            prop_assert!(times.iter().all(|time| (1000..=at).contains(time)));
        }
    }
}
