//! A site's recent past, at several distances at once: a leak of a hundred a second shows within
//! seconds, one of ten an hour needs a longer look.

use std::{collections::VecDeque, time::Duration};

/// Ages that are told apart: of how many goroutines a site has at each moment that are older.
///
/// Requests often give up after 10 s or 30 s; what is older than 40 s has outlived that.
pub const AGES: [Duration; 5] = [
    Duration::from_secs(3),
    Duration::from_secs(12),
    Duration::from_secs(40),
    Duration::from_secs(180),
    Duration::from_secs(900),
];

/// Distances between points.
pub const DISTANCES: [Duration; 3] = [
    Duration::from_secs(4),
    Duration::from_secs(30),
    Duration::from_secs(300),
];

/// Points kept at each distance: the ends of twelve windows.
pub const POINTS: usize = 13;

/// Windows of the shortest distance that "of late" is about.
const OF_LATE: usize = 4;

/// A site at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Since the tracker began.
    pub at: Duration,
    /// Goroutines created by then.
    pub created: u64,
    /// Goroutines living then that were older than each of [`AGES`].
    pub survivors: [u64; AGES.len()],
}

impl Point {
    /// Creations a second from this moment to a `later` one; `None` where no time has passed.
    #[must_use]
    pub fn creations_until(&self, later: &Self) -> Option<f64> {
        let passed = later.at.saturating_sub(self.at).as_secs_f64();
        let created = later.created.saturating_sub(self.created);
        (passed > 0.0).then(|| created as f64 / passed)
    }
}

/// The last points at each distance, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Series {
    distances: [VecDeque<Point>; DISTANCES.len()],
}

impl Series {
    /// Adds what was seen at `at`; `survivors` has a count for each of [`AGES`]. Each distance keeps
    /// the point if it has passed since its last.
    pub fn push(&mut self, at: Duration, created: u64, survivors: [u64; AGES.len()]) {
        for (distance, points) in DISTANCES.iter().zip(&mut self.distances) {
            // A tenth of a window early is in time: what drives this has its own ticks.
            let due = *distance * 9 / 10;
            if points.back().is_some_and(|last| at < last.at + due) {
                continue;
            }
            if points.len() == POINTS {
                points.pop_front();
            }
            points.push_back(Point {
                at,
                created,
                survivors,
            });
        }
    }

    /// By how many goroutines older than the smallest of [`AGES`] the site has grown of late.
    #[must_use]
    pub fn growth(&self) -> u64 {
        self.of_late().map_or(0, |(first, last)| {
            last.survivors[0].saturating_sub(first.survivors[0])
        })
    }

    /// Creations a second of late; `None` when less than two points are known.
    #[must_use]
    pub fn creations(&self) -> Option<f64> {
        let (first, last) = self.of_late()?;
        first.creations_until(last)
    }

    fn of_late(&self) -> Option<(&Point, &Point)> {
        let points = &self.distances[0];
        let first = points.len().saturating_sub(OF_LATE + 1);
        let first = points.get(first)?;
        points.back().map(|last| (first, last))
    }

    /// The points at one of [`DISTANCES`], oldest first, at most [`POINTS`].
    pub fn points(
        &self,
        distance: usize,
    ) -> impl DoubleEndedIterator<Item = &Point> + ExactSizeIterator {
        self.distances[distance].iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_distance_keeps_its_own_points() {
        let mut series = Series::default();
        for second in 0..100 {
            series.push(Duration::from_secs(second), second, [second; AGES.len()]);
        }
        let at = |distance| {
            series
                .points(distance)
                .map(|p| p.at.as_secs())
                .collect::<Vec<_>>()
        };
        assert_eq!(at(0), [48, 52, 56, 60, 64, 68, 72, 76, 80, 84, 88, 92, 96]);
        assert_eq!(at(1), [0, 27, 54, 81]);
        assert_eq!(at(2), [0]);
        assert_eq!(series.growth(), 16);
        assert_eq!(series.creations(), Some(1.0));
    }

    #[test]
    fn nothing_is_known_of_a_site_just_seen() {
        let mut series = Series::default();
        assert_eq!((series.growth(), series.creations()), (0, None));
        series.push(Duration::ZERO, 7, [7; AGES.len()]);
        assert_eq!((series.growth(), series.creations()), (0, None));
    }
}
