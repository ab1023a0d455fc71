//! For how long goroutines of a site have not run, from a sample that passes find again.

use std::{collections::HashMap, time::Duration};

use crate::runtime::Purpose;

/// Goroutines of a site that are looked at.
pub const SAMPLE: usize = 32;

/// A goroutine as a pass found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// Its number.
    pub goid: u64,
    /// Rises each time it stops running, modulo 256.
    pub runs: u8,
    /// What it waits for.
    pub waiting: Purpose,
}

/// Some goroutines of a site, chosen by their numbers alone, so that passes choose the same again as
/// long as they live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Those with the smallest keys, sorted by them.
    chosen: Vec<(u64, Sampled)>,
}

impl Sample {
    /// Takes in one more goroutine.
    pub fn offer(&mut self, goroutine: Sampled) {
        // Fibonacci hashing: neighbouring numbers are created together, and must not be chosen together.
        let key = goroutine.goid.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let is_full = self.chosen.len() == SAMPLE;
        if is_full && self.chosen.last().is_some_and(|(last, _)| key >= *last) {
            return;
        }
        let place = self.chosen.partition_point(|(known, _)| *known < key);
        if is_full {
            self.chosen.pop();
        }
        self.chosen.insert(place, (key, goroutine));
    }

    fn goroutines(&self) -> impl Iterator<Item = &Sampled> {
        self.chosen.iter().map(|(_, goroutine)| goroutine)
    }
}

#[derive(Clone, Copy, Debug)]
struct Resting {
    runs: u8,
    since: Duration,
    waiting: Purpose,
    first_seen: Duration,
}

/// What is known of the sample of a site.
#[derive(Clone, Debug, Default)]
pub struct Rest {
    known: HashMap<u64, Resting>,
    at: Duration,
}

impl Rest {
    /// Takes in the sample of a pass at `at`.
    pub fn observe(&mut self, at: Duration, sample: &Sample) {
        self.at = at;
        // Nobody grows old at most sites.
        if sample.chosen.is_empty() && self.known.is_empty() {
            return;
        }
        let known = std::mem::take(&mut self.known);
        let next = sample.goroutines().map(|goroutine| {
            let earlier = known.get(&goroutine.goid);
            let rests = earlier.filter(|earlier| earlier.runs == goroutine.runs);
            let resting = Resting {
                runs: goroutine.runs,
                since: rests.map_or(at, |earlier| earlier.since),
                waiting: goroutine.waiting,
                first_seen: earlier.map_or(at, |earlier| earlier.first_seen),
            };
            (goroutine.goid, resting)
        });
        self.known = next.collect();
    }

    /// Of the goroutines that have been watched for `long` or longer, the share that has not run
    /// since; `None` where there is none.
    #[must_use]
    pub fn share(&self, long: Duration) -> Option<f64> {
        let watched = self
            .known
            .values()
            .filter(|resting| self.at.saturating_sub(resting.first_seen) >= long);
        let (all, still) = watched.fold((0_u32, 0_u32), |(all, still), resting| {
            let rests = self.at.saturating_sub(resting.since) >= long;
            (all + 1, still + u32::from(rests))
        });
        (all > 0).then(|| f64::from(still) / f64::from(all))
    }

    /// What most of the sample waits for; `None` without a sample.
    #[must_use]
    pub fn waiting(&self) -> Option<Purpose> {
        let count = |waiting| {
            let all = self.known.values();
            all.filter(|resting| resting.waiting == waiting).count()
        };
        if self.known.is_empty() {
            return None;
        }
        [
            Purpose::Others,
            Purpose::Clock,
            Purpose::Network,
            Purpose::Other,
        ]
        .into_iter()
        .max_by_key(|waiting| (count(*waiting), std::cmp::Reverse(*waiting)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(goroutines: impl IntoIterator<Item = (u64, u8)>) -> Sample {
        let mut sample = Sample::default();
        for (goid, runs) in goroutines {
            sample.offer(Sampled {
                goid,
                runs,
                waiting: Purpose::Others,
            });
        }
        sample
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_sample_stays_the_same_in_whatever_order_they_come() {
        let all = (1..5000).map(|goid| (goid, 0));
        let sample = pass(all.clone());
        assert_eq!(sample, pass(all.rev()));
        assert_eq!(sample.goroutines().count(), SAMPLE);
    }

    #[test]
    fn who_runs_now_and_then_does_not_rest() {
        let mut rest = Rest::default();
        assert_eq!((rest.share(seconds(0)), rest.waiting()), (None, None));
        for second in 0..20_u8 {
            // Two rest, one runs every ten seconds, one is new.
            let newcomer = (1000 + u64::from(second), 1);
            let sample = pass([(1, 7), (2, 9), (3, second / 10), newcomer]);
            rest.observe(seconds(second.into()), &sample);
        }
        let share = rest.share(seconds(15)).unwrap_or_default();
        assert!((share - 2.0 / 3.0).abs() < 1e-9, "{share}");
        assert_eq!(rest.share(seconds(60)), None, "watched for less");
        assert_eq!(rest.waiting(), Some(Purpose::Others));
    }
}
