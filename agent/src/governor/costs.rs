//! From hits to processor time.

use std::time::Duration;

use gostray_common::ProbeKind;

/// What one hit costs the target, in seconds of processor time, on this very machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HitCosts {
    /// By [`ProbeKind`].
    pub kinds: [f64; ProbeKind::ALL.len()],
    /// A hit that is turned away: the trap alone.
    pub refused: f64,
    /// What one probe adds to each time that the target's first thread leaves a processor and comes
    /// back: the kernel takes the probe's perf event along.
    pub switch: f64,
    /// By how much a hit costs more for each other processor that is being hit at the same moment:
    /// next to nothing from Linux 6.12 on, a lot before.
    pub crowding: f64,
    /// How many others there can be.
    pub other_processors: f64,
}

/// Hits of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindHits {
    /// Whose program did its work.
    pub admitted: u64,
    /// Whose program returned at once.
    pub refused: u64,
}

/// Hits of all kinds, by [`ProbeKind`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits(pub [KindHits; ProbeKind::ALL.len()]);

impl Hits {
    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().map(|kind| kind.admitted + kind.refused).sum()
    }

    /// Those of one kind.
    #[must_use]
    pub fn of(&self, kind: ProbeKind) -> u64 {
        let KindHits { admitted, refused } = self.0[kind as usize];
        admitted + refused
    }

    /// Those that were turned away.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.iter().map(|kind| kind.refused).sum()
    }

    /// What has come since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        for (kind, before) in since.0.iter_mut().zip(earlier.0) {
            kind.admitted = kind.admitted.saturating_sub(before.admitted);
            kind.refused = kind.refused.saturating_sub(before.refused);
        }
        since
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = *self;
        for (kind, more) in sum.0.iter_mut().zip(other.0) {
            kind.admitted += more.admitted;
            kind.refused += more.refused;
        }
        sum
    }
}

impl HitCosts {
    /// Where nothing depends on it.
    pub const UNKNOWN: Self = Self {
        kinds: [0.0; ProbeKind::ALL.len()],
        refused: 0.0,
        switch: 0.0,
        crowding: 0.0,
        other_processors: 0.0,
    };

    /// One hit of `kind`, alone on the machine.
    #[must_use]
    pub fn of(&self, kind: ProbeKind) -> f64 {
        self.kinds[kind as usize]
    }

    /// A goroutine's creation and end.
    #[must_use]
    pub fn goroutine(&self) -> f64 {
        self.of(ProbeKind::Creation) + self.of(ProbeKind::Exit)
    }

    /// Seconds of processor time that `hits` took, which came within `passed`.
    #[must_use]
    pub fn seconds(&self, hits: &Hits, passed: Duration) -> f64 {
        let alone: f64 = hits
            .0
            .iter()
            .zip(self.kinds)
            .map(|(hits, cost)| hits.admitted as f64 * cost + hits.refused as f64 * self.refused)
            .sum();
        alone * self.crowded(alone / passed.as_secs_f64().max(1e-3))
    }

    /// Seconds of processor time that `probes` add to so many switches.
    #[must_use]
    pub fn switching(&self, switches: f64, probes: usize) -> f64 {
        switches * self.switch * probes as f64
    }

    /// By how much more a hit costs while hits keep so many processors busy.
    #[must_use]
    pub fn crowded(&self, busy: f64) -> f64 {
        1.0 + self.crowding * busy.min(self.other_processors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(in crate::governor) const COSTS: HitCosts = HitCosts {
        kinds: [0.7e-6, 0.6e-6, 0.6e-6, 0.6e-6],
        refused: 0.5e-6,
        switch: 0.1e-6,
        crowding: 0.0,
        other_processors: 1.0,
    };

    fn hits(admitted: u64, refused: u64) -> Hits {
        let mut hits = Hits::default();
        hits.0[ProbeKind::Creation as usize] = KindHits { admitted, refused };
        hits
    }

    #[test]
    fn hits_that_were_turned_away_cost_less() {
        let second = Duration::from_secs(1);
        let cost = COSTS.seconds(&hits(1000, 0), second);
        assert!((cost - 0.7e-3).abs() < 1e-9);
        let cost = COSTS.seconds(&hits(0, 1000), second);
        assert!((cost - 0.5e-3).abs() < 1e-9);
    }

    #[test]
    fn where_processors_get_in_each_others_way_many_hits_cost_more_each() {
        let old = HitCosts {
            crowding: 3.0,
            other_processors: 2.0,
            ..COSTS
        };
        let second = Duration::from_secs(1);
        let few = old.seconds(&hits(100, 0), second) / 100.0;
        assert!((few / 0.7e-6 - 1.0).abs() < 1e-3, "{few}");
        let many = old.seconds(&hits(4_000_000, 0), second) / 4e6;
        assert!((many / 0.7e-6 - 7.0).abs() < 1e-3, "{many}");
    }

    #[test]
    fn differences_of_hits() {
        let between = hits(10, 3).since(&hits(4, 1));
        assert_eq!(between, hits(6, 2));
        assert_eq!((between.total(), between.refused()), (8, 2));
        assert_eq!(between.plus(&hits(4, 1)), hits(10, 3));
    }
}
