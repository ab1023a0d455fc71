//! What the program does, read from its memory without any probe.

use std::time::Duration;

use crate::{
    governor::Load,
    memory::MemoryReader,
    runtime::{Activity, Scheduler},
};

/// Reads the scheduler's counters now and then.
#[derive(Debug)]
pub(super) struct LoadMeter {
    scheduler: Option<Scheduler>,
    last: Option<(Duration, Activity)>,
    /// Goroutines created when it was read first.
    first: Option<u64>,
}

impl LoadMeter {
    /// `None` where the counters were not found: then nothing is known of the load.
    pub(super) fn new(scheduler: Option<Scheduler>) -> Self {
        Self {
            scheduler,
            last: None,
            first: None,
        }
    }

    /// The load between the last call and this one, which is at `at`.
    pub(super) fn measure(&mut self, memory: &impl MemoryReader, at: Duration) -> Load {
        // Now and then it is read while it changes; the next time will do.
        let activity = self.scheduler.and_then(|s| s.activity(memory).ok());
        let Some(activity) = activity else {
            return Load::default();
        };
        self.first.get_or_insert(activity.created);
        let load = self.last.as_ref().map(|(before, last)| {
            let passed = at.saturating_sub(*before).as_secs_f64();
            let rate = |events: u64| (passed > 0.0).then(|| events as f64 / passed);
            Load {
                creations: rate(activity.created.saturating_sub(last.created)),
                schedules: rate(activity.schedules_since(last)),
            }
        });
        self.last = Some((at, activity));
        load.unwrap_or_default()
    }

    /// Goroutines created since it was read first; `None` where that is not known.
    pub(super) fn created(&self) -> Option<u64> {
        let (_, last) = self.last.as_ref()?;
        Some(last.created.saturating_sub(self.first?))
    }
}
