//! What the program does, as far as it concerns the cost of probes.

use std::{collections::VecDeque, time::Duration};

/// Events a second; `None` where that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Goroutines created.
    pub creations: Option<f64>,
    /// Times a goroutine was put on a processor: a program parks no more often.
    pub schedules: Option<f64>,
    /// Times its first thread was taken up by a processor.
    pub switches: Option<f64>,
}

/// The loads of the recent past.
#[derive(Clone, Debug, Default)]
pub struct Loads {
    recent: VecDeque<(Duration, Load)>,
}

impl Loads {
    /// How far back it goes.
    pub const PAST: Duration = Duration::from_secs(600);

    /// The load up to `at`.
    pub fn push(&mut self, at: Duration, load: Load) {
        while let Some((first, _)) = self.recent.front()
            && *first + Self::PAST < at
        {
            self.recent.pop_front();
        }
        self.recent.push_back((at, load));
    }

    /// The highest of each since `from`.
    #[must_use]
    pub fn peak(&self, from: Duration) -> Load {
        let highest = |of: fn(&Load) -> Option<f64>| {
            let recent = self.recent.iter().rev();
            let recent = recent.take_while(|(at, _)| *at >= from);
            recent.filter_map(|(_, load)| of(load)).reduce(f64::max)
        };
        Load {
            creations: highest(|load| load.creations),
            schedules: highest(|load| load.schedules),
            switches: highest(|load| load.switches),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_remembered_as_long_as_asked_for() {
        let seconds = Duration::from_secs;
        let mut loads = Loads::default();
        for second in 0..1000 {
            let creations = Some(if second == 500 { 900.0 } else { 5.0 });
            let load = Load {
                creations,
                ..Load::default()
            };
            loads.push(seconds(second), load);
        }
        assert_eq!(loads.peak(seconds(500)).creations, Some(900.0));
        assert_eq!(loads.peak(seconds(501)).creations, Some(5.0));
        assert_eq!(loads.peak(seconds(0)).schedules, None);
        assert_eq!(loads.peak(seconds(1000)).creations, None);
        assert!(loads.recent.len() <= 601);
    }
}
