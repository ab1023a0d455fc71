//! The past of a site and of its process, thinner the longer it is, in bounded memory.

use std::time::Duration;

/// Points kept of a site.
pub const MOST_POINTS: usize = 120;
/// What is older tells nothing of today.
const OLDEST: Duration = Duration::from_secs(6 * 3600);

/// A site and its process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Since watching began.
    pub at: Duration,
    /// Goroutines of the site that live.
    pub live: u64,
    /// RSS of the process, in bytes; `None` where it could not be read.
    pub rss: Option<u64>,
    /// The live Go heap, in bytes; `None` where it is not known.
    pub heap: Option<u64>,
}

/// At most [`MOST_POINTS`] samples of the last six hours, evenly spread over the time they cover.
#[derive(Clone, Debug, Default)]
pub struct History {
    samples: Vec<Sample>,
    /// Between two that are kept.
    distance: Duration,
}

impl History {
    /// Takes in what was seen at a moment, if enough time has passed since the last that was kept.
    pub fn push(&mut self, sample: Sample) {
        // A clock that goes back: what it had called later is not comparable with what comes.
        self.samples.retain(|known| known.at <= sample.at);
        if let Some(last) = self.samples.last() {
            // A tenth early is in time: what drives this has its own ticks.
            let due = self.distance * 9 / 10;
            if sample.at == last.at || sample.at < last.at.saturating_add(due) {
                return;
            }
        }
        let oldest = sample.at.saturating_sub(OLDEST);
        self.samples.retain(|known| known.at >= oldest);
        if self.samples.len() == MOST_POINTS {
            self.distance = self.usual_distance().saturating_mul(2);
            let mut keeps = false;
            self.samples.retain(|_| {
                keeps = !keeps;
                keeps
            });
        }
        self.samples.push(sample);
    }

    /// All that is kept, oldest first.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Those of the last `time`.
    #[must_use]
    pub fn lately(&self, time: Duration) -> &[Sample] {
        let Some(last) = self.samples.last() else {
            return &[];
        };
        let from = last.at.saturating_sub(time);
        &self.samples[self.samples.partition_point(|sample| sample.at < from)..]
    }

    /// The median: a single gap or jump of the clock says nothing of how often it is looked at.
    fn usual_distance(&self) -> Duration {
        let pairs = self.samples.windows(2);
        let mut distances: Vec<Duration> = pairs.map(|two| two[1].at - two[0].at).collect();
        distances.sort_unstable();
        distances
            .get(distances.len() / 2)
            .copied()
            .unwrap_or_default()
    }
}
