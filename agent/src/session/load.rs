//! What the program does, read from its memory and from procfs without any probe.

use std::time::Instant;

use crate::{
    governor::Load,
    memory::MemoryReader,
    runtime::{Activity, Scheduler},
    target::first_threads_switches,
};

/// Reads the scheduler's counters now and then.
#[derive(Debug)]
pub(super) struct LoadMeter {
    pid: i32,
    scheduler: Option<Scheduler>,
    last: Option<Counters>,
    /// Goroutines created when it was read first.
    first: Option<u64>,
    /// Nothing was created between the last two readings.
    is_quiet: bool,
}

/// Goroutines created since the program began, and when that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Created {
    at: Instant,
    number: u64,
}

impl Created {
    /// When that was read, and how many there were.
    pub(super) fn counted(self) -> (Instant, u64) {
        (self.at, self.number)
    }

    /// Goroutines created a second since `earlier`; `None` where no time has passed.
    pub(super) fn since(self, earlier: Self) -> Option<f64> {
        let passed = self.at.saturating_duration_since(earlier.at).as_secs_f64();
        (passed > 0.0).then(|| self.number.saturating_sub(earlier.number) as f64 / passed)
    }
}

/// Each is `None` where it could not be read.
#[derive(Debug)]
struct Counters {
    at: Instant,
    activity: Option<Activity>,
    switches: Option<u64>,
}

impl LoadMeter {
    /// Without a scheduler nothing is known of the goroutines.
    pub(super) fn new(pid: i32, scheduler: Option<Scheduler>) -> Self {
        Self {
            pid,
            scheduler,
            last: None,
            first: None,
            is_quiet: false,
        }
    }

    /// The load between the last call and this one.
    pub(super) fn measure(&mut self, memory: &impl MemoryReader) -> Load {
        let now = Counters {
            at: Instant::now(),
            // Now and then it is read while it changes; the next time will do.
            activity: self.scheduler.and_then(|s| s.activity(memory).ok()),
            switches: first_threads_switches(self.pid).ok(),
        };
        self.first = self.first.or(now.activity.as_ref().map(|a| a.created));
        let load = self.last.as_ref().map(|last| now.since(last));
        self.last = Some(now);
        let load = load.unwrap_or_default();
        self.is_quiet = load.creations == Some(0.0);
        load
    }

    /// Whether nothing was created between the last two readings, as far as known.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Goroutines created when it was read last; `None` where that is not known.
    pub(super) fn created_by_now(&self) -> Option<Created> {
        let last = self.last.as_ref()?;
        let number = last.activity.as_ref()?.created;
        Some(Created {
            at: last.at,
            number,
        })
    }

    /// Goroutines created since it was read first; `None` where that is not known.
    pub(super) fn created(&self) -> Option<u64> {
        let last = self.last.as_ref()?.activity.as_ref()?;
        Some(last.created.saturating_sub(self.first?))
    }
}

impl Counters {
    fn since(&self, last: &Self) -> Load {
        let passed = self.at.saturating_duration_since(last.at).as_secs_f64();
        let rate = |events: u64| (passed > 0.0).then(|| events as f64 / passed);
        let activity = self.activity.as_ref().zip(last.activity.as_ref());
        let switches = self.switches.zip(last.switches);
        Load {
            creations: activity
                .and_then(|(now, last)| rate(now.created.saturating_sub(last.created))),
            schedules: activity.and_then(|(now, last)| rate(now.schedules_since(last))),
            switches: switches.and_then(|(now, last)| rate(now.saturating_sub(last))),
        }
    }
}
