//! What a leak does to its process: how fast it takes memory, and when there is none left. No I/O and
//! no clock, as in all of `detect`.
//!
//! Memory is the process's, not a site's: what a site takes of it is concluded from whether
//! both move together. Two things that only grow always do, so a correlation is evidence and no
//! proof, and is reported with the number of points it rests on.

mod history;
mod statistics;
#[cfg(test)]
mod tests;

use std::time::Duration;

use thiserror::Error;

pub use history::{History, MOST_POINTS, Sample};
use statistics::{pearson, slope, stretches};

/// From here on memory is taken to follow a site's count.
const FOLLOWS: f64 = 0.8;
/// A rate is that of the last so many seconds: what was long ago does not tell when it will be full.
const LATELY: Duration = Duration::from_secs(3600);
/// Fewer points give no rate.
const RATE_POINTS: usize = 5;
/// Fewer points give no correlation.
const CORRELATION_POINTS: usize = 8;
const HOUR: f64 = 3600.0;

/// Why a figure is not known.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotKnown {
    /// Watching has just begun.
    #[error("seen {points} times so far; {needed} are needed")]
    TooFew {
        /// Points there are.
        points: usize,
        /// Points it takes.
        needed: usize,
    },
    /// It is the same at all points.
    #[error("{0} did not change while it was watched")]
    Constant(&'static str),
    /// No stack was read.
    #[error("none of its goroutines' stacks could be read")]
    NoStack,
    /// It does not grow.
    #[error("it does not grow at present")]
    NoGrowth,
    /// Memory has other reasons to change.
    #[error("RSS does not follow the number of its goroutines")]
    DoesNotFollow,
    /// Several leaks at once.
    #[error("RSS follows {0} leaks that grow at once; which takes how much cannot be told apart")]
    Shared(usize),
    /// How much room there is is not known.
    #[error("{0}")]
    NoLimit(String),
}

/// A figure, or why there is none.
pub type Figure = Result<f64, NotKnown>;

/// What a leak does to its process.
#[derive(Clone, Debug, PartialEq)]
pub struct Impact {
    /// Goroutines by which the site grows in an hour; negative where it shrinks.
    pub goroutines_per_hour: Figure,
    /// Stack memory that it takes in an hour, in bytes.
    pub stack_bytes_per_hour: Figure,
    /// RSS that comes with each goroutine, in bytes.
    pub bytes_per_goroutine: Figure,
    /// Correlation of its count with RSS, from -1 to 1.
    pub rss_correlation: Figure,
    /// Correlation of its count with the Go heap, from -1 to 1.
    pub heap_correlation: Figure,
    /// Points that all this rests on.
    pub points: usize,
    /// Memory that goes in an hour, in bytes: stacks, or all by which RSS grows where it follows
    /// the count, whichever is more.
    pub bytes_per_hour: Figure,
    /// What that is taken from.
    pub basis: Basis,
}

/// What the memory that a leak takes is concluded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Its goroutines' stacks alone: what else they hold is not known, so it takes at least this.
    Stacks,
    /// All by which RSS grows.
    Rss,
}

impl Basis {
    /// The word for it in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stacks => "stacks",
            Self::Rss => "rss",
        }
    }
}

impl Impact {
    /// Concludes it from a site's past. `growth` is in goroutines an hour, for as long as its past is
    /// too short to tell; `stack` is the size of one goroutine's stack, in bytes.
    #[must_use]
    pub fn of(history: &History, growth: Option<f64>, stack: Option<f64>) -> Self {
        let lately = history.lately(LATELY);
        let goroutines_per_hour = match per_hour(lately, |sample| Some(sample.live)) {
            Err(NotKnown::TooFew { .. }) if growth.is_some() => Ok(growth.unwrap_or_default()),
            rate => rate,
        };
        let stack_bytes_per_hour = match (&goroutines_per_hour, stack) {
            (Ok(rate), Some(stack)) => Ok(rate.max(0.0) * stack),
            (Ok(_), None) => Err(NotKnown::NoStack),
            (Err(reason), _) => Err(reason.clone()),
        };
        let samples = history.samples();
        let rss_correlation = correlation(samples, "RSS", |sample| sample.rss);
        let heap_correlation = correlation(samples, "the Go heap", |sample| sample.heap);
        let follows = rss_correlation.as_ref().is_ok_and(|r| *r > FOLLOWS);
        let bytes_per_goroutine = match &rss_correlation {
            Ok(_) if follows => {
                let pairs = pairs(samples, |sample| sample.rss);
                slope(&pairs, &vec![0; pairs.len()])
                    .filter(|bytes| *bytes > 0.0)
                    .ok_or(NotKnown::DoesNotFollow)
            }
            Ok(_) => Err(NotKnown::DoesNotFollow),
            Err(reason) => Err(reason.clone()),
        };
        let rss_per_hour = if follows {
            per_hour(lately, |sample| sample.rss).ok()
        } else {
            None
        };
        let bytes_per_hour = match &goroutines_per_hour {
            Ok(rate) if *rate <= 0.0 => Err(NotKnown::NoGrowth),
            _ => match (&stack_bytes_per_hour, rss_per_hour) {
                (Ok(stacks), Some(rss)) => Ok(stacks.max(rss)),
                (Ok(stacks), None) => Ok(*stacks),
                (Err(_), Some(rss)) if rss > 0.0 => Ok(rss),
                (Err(reason), _) => Err(reason.clone()),
            },
        };
        let basis = match (&stack_bytes_per_hour, rss_per_hour) {
            (Ok(stacks), Some(rss)) if rss <= *stacks => Basis::Stacks,
            (_, Some(_)) => Basis::Rss,
            (_, None) => Basis::Stacks,
        };
        Self {
            goroutines_per_hour,
            stack_bytes_per_hour,
            bytes_per_goroutine,
            rss_correlation,
            heap_correlation,
            points: samples.len(),
            bytes_per_hour,
            basis,
        }
    }

    /// Whether RSS moves with the count.
    #[must_use]
    pub fn rss_follows(&self) -> bool {
        self.rss_correlation.as_ref().is_ok_and(|r| *r > FOLLOWS)
    }

    /// `leaks` of one process grow at once, and RSS follows each of them: none has it for itself.
    pub fn share(&mut self, leaks: usize) {
        if leaks > 1 && self.bytes_per_goroutine.is_ok() {
            self.bytes_per_goroutine = Err(NotKnown::Shared(leaks));
        }
    }

    /// Seconds until `room` bytes are used up at this rate.
    ///
    /// # Errors
    /// Nothing grows, or how fast is not known.
    pub fn seconds_to_limit(&self, room: u64) -> Figure {
        let rate = self.bytes_per_hour.clone()?;
        let seconds = room as f64 / rate * HOUR;
        if rate > 0.0 && seconds.is_finite() {
            Ok(seconds)
        } else {
            Err(NotKnown::NoGrowth)
        }
    }

    /// Compares so that what takes more memory comes first, then what loses more goroutines; what is
    /// not known comes last.
    #[must_use]
    pub fn heavier_first(&self, other: &Self) -> std::cmp::Ordering {
        let known = |figure: &Figure| *figure.as_ref().unwrap_or(&f64::NEG_INFINITY);
        let bytes = known(&other.bytes_per_hour).total_cmp(&known(&self.bytes_per_hour));
        let goroutines =
            known(&other.goroutines_per_hour).total_cmp(&known(&self.goroutines_per_hour));
        bytes.then(goroutines)
    }
}

/// By how much it rises in an hour.
fn per_hour(samples: &[Sample], value: impl Fn(&Sample) -> Option<u64>) -> Figure {
    let points: Vec<(f64, f64)> = samples
        .iter()
        .filter_map(|sample| Some((sample.at.as_secs_f64(), value(sample)? as f64)))
        .collect();
    let too_few = NotKnown::TooFew {
        points: points.len(),
        needed: RATE_POINTS,
    };
    if points.len() < RATE_POINTS {
        return Err(too_few);
    }
    let per_second = slope(&points, &stretches(&points));
    per_second.map(|rate| rate * HOUR).ok_or(too_few)
}

/// How a site's count and a figure of the process move together.
fn correlation(
    samples: &[Sample],
    what: &'static str,
    value: impl Fn(&Sample) -> Option<u64>,
) -> Figure {
    let pairs = pairs(samples, value);
    if pairs.len() < CORRELATION_POINTS {
        return Err(NotKnown::TooFew {
            points: pairs.len(),
            needed: CORRELATION_POINTS,
        });
    }
    let constant = |value: fn(&(f64, f64)) -> f64| {
        pairs
            .windows(2)
            .all(|two| value(&two[0]).total_cmp(&value(&two[1])).is_eq())
    };
    if constant(|pair| pair.0) {
        return Err(NotKnown::Constant("the number of its goroutines"));
    }
    pearson(&pairs).ok_or(NotKnown::Constant(what))
}

/// A site's count and a figure of the process, where both are known.
fn pairs(samples: &[Sample], value: impl Fn(&Sample) -> Option<u64>) -> Vec<(f64, f64)> {
    samples
        .iter()
        .filter_map(|sample| Some((sample.live as f64, value(sample)? as f64)))
        .collect()
}
