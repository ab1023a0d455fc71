//! A site's recent past, at several time scales at once: a leak of a hundred a second shows
//! within seconds, one of ten an hour needs a longer look.

use std::{collections::VecDeque, time::Duration};

/// The widths of the windows.
pub const SCALES: [Duration; 4] = [
    Duration::from_secs(3),
    Duration::from_secs(12),
    Duration::from_secs(60),
    Duration::from_secs(300),
];

/// Points kept at each scale: the ends of five windows.
pub const POINTS: usize = 6;

/// A site at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Since the tracker began.
    pub at: Duration,
    /// Goroutines created by then.
    pub created: u64,
    /// Goroutines living then that were older than one window of this scale.
    pub survivors: u64,
}

/// The last points at each scale, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Series {
    scales: [VecDeque<Point>; SCALES.len()],
}

impl Series {
    /// Adds what was seen at `at`; `survivors` has a count for each scale. Each scale keeps the
    /// point if a window has passed since its last.
    pub fn push(&mut self, at: Duration, created: u64, survivors: [u64; SCALES.len()]) {
        for (scale, points) in self.scales.iter_mut().enumerate() {
            // A tenth of a window early is in time: what drives this has its own ticks.
            let due = SCALES[scale] * 9 / 10;
            if points.back().is_some_and(|last| at < last.at + due) {
                continue;
            }
            if points.len() == POINTS {
                points.pop_front();
            }
            points.push_back(Point {
                at,
                created,
                survivors: survivors[scale],
            });
        }
    }

    /// By how many survivors the points at one of [`SCALES`] have risen; 0 of less than three points.
    #[must_use]
    pub fn growth(&self, scale: usize) -> u64 {
        let mut points = self.points(scale);
        match (points.len(), points.next(), points.next_back()) {
            (3.., Some(first), Some(last)) => last.survivors.saturating_sub(first.survivors),
            _ => 0,
        }
    }

    /// Creations a second between the points at one of [`SCALES`]; `None` of less than two.
    #[must_use]
    pub fn creations(&self, scale: usize) -> Option<f64> {
        let mut points = self.points(scale);
        let (first, last) = (points.next()?, points.next_back()?);
        let passed = last.at.saturating_sub(first.at).as_secs_f64();
        let created = last.created.saturating_sub(first.created);
        (passed > 0.0).then(|| created as f64 / passed)
    }

    /// The points at one of [`SCALES`], oldest first, at most [`POINTS`].
    pub fn points(
        &self,
        scale: usize,
    ) -> impl DoubleEndedIterator<Item = &Point> + ExactSizeIterator {
        self.scales[scale].iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scale_keeps_its_own_distance() {
        let mut series = Series::default();
        for second in 0..61 {
            series.push(Duration::from_secs(second), second, [second; SCALES.len()]);
        }
        let at = |scale| {
            series
                .points(scale)
                .map(|p| p.at.as_secs())
                .collect::<Vec<_>>()
        };
        assert_eq!(at(0), [45, 48, 51, 54, 57, 60]);
        assert_eq!(at(1), [0, 11, 22, 33, 44, 55]);
        assert_eq!(at(2), [0, 54]);
        assert_eq!(at(3), [0]);
    }
}
