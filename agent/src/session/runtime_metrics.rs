//! What the Go runtime counts of itself, and what its goroutines do, as reports have it.

use super::Session;
use crate::{
    report::{
        Unknown,
        node::{BucketCount, RuntimeMetrics, ScheduleLatencies, StateCount},
    },
    runtime::metrics::{MemoryUse, Missing, Readings},
};

/// Why the collector has no figure where that is no failure.
const COLLECTOR_OFF: &str = "the collector is off (GOGC=off)";
const NO_GOAL: &str = "the collector is off (GOGC=off), and there is no GOMEMLIMIT";

impl Session {
    /// Goroutines at the last look by what they do, the runtime's own included; `None` before the first,
    /// and where the last failed.
    #[must_use]
    pub fn goroutines_by_state(&self) -> Option<Vec<StateCount>> {
        let reasons = self.inspected.program.wait_reasons.as_ref().ok();
        Some(self.states.as_ref()?.told(reasons))
    }

    /// What the Go runtime counts of itself, now: three system calls. Where that is kept is looked for
    /// when it is asked for first, which takes some milliseconds in a stripped program.
    pub fn runtime_metrics(&mut self) -> RuntimeMetrics {
        let Some(passes) = &self.passes else {
            return nothing("the runtime's list of goroutines was not found");
        };
        let reader = self.runtime.get_or_insert_with(|| {
            let landmarks = passes.landmarks();
            landmarks.runtime_metrics(&self.inspected.program, &self.memory)
        });
        let mut readings = reader.read(&self.memory);
        if let Ok(memory) = &mut readings.memory {
            self.allocated.rise(memory);
        }
        told(readings)
    }
}

/// The most that was ever told to be allocated. In Go 1.18 the count falls a little when spans are given
/// back that were not used up, which whoever gets the counts would take for a new start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Allocated {
    bytes: u64,
    objects: u64,
}

impl Allocated {
    fn rise(&mut self, memory: &mut MemoryUse) {
        self.bytes = self.bytes.max(memory.allocated_bytes);
        self.objects = self.objects.max(memory.allocated_objects);
        memory.allocated_bytes = self.bytes;
        memory.allocated_objects = self.objects;
    }
}

/// Nothing is known, for one reason.
fn nothing(reason: &str) -> RuntimeMetrics {
    let fields = MEMORY.into_iter().chain(COLLECTOR);
    let fields = fields.chain([PROCESSORS, GOROUTINES, SCHEDULE]);
    RuntimeMetrics {
        unknown: fields.map(|field| (field, reason.to_owned())).collect(),
        ..RuntimeMetrics::default()
    }
}

const MEMORY: [&str; 4] = [
    "stack_bytes",
    "other_bytes",
    "allocated_bytes",
    "allocated_objects",
];
const COLLECTOR: [&str; 3] = ["memory_limit_bytes", "gc_goal_bytes", "gogc_percent"];
const PROCESSORS: &str = "processor_limit";
const GOROUTINES: &str = "goroutines";
const SCHEDULE: &str = "schedule";

/// What was read, as reports have it.
fn told(readings: Readings) -> RuntimeMetrics {
    let mut unknown = Unknown::new();
    let memory = known(readings.memory, &MEMORY, &mut unknown);
    let collector = known(readings.collector, &COLLECTOR, &mut unknown);
    if let Some(collector) = collector {
        if collector.percent.is_none() {
            unknown.insert("gogc_percent", COLLECTOR_OFF.into());
        }
        if collector.goal_bytes.is_none() {
            unknown.insert("gc_goal_bytes", NO_GOAL.into());
        }
    }
    let latencies = known(readings.latencies, &[SCHEDULE], &mut unknown);
    let schedule = latencies.map(|buckets| {
        let buckets = buckets.into_iter().map(|bucket| BucketCount {
            below_seconds: bucket.below_seconds,
            count: bucket.count,
        });
        ScheduleLatencies {
            buckets: buckets.collect(),
        }
    });
    RuntimeMetrics {
        stack_bytes: memory.map(|memory| memory.stack_bytes),
        other_bytes: memory.map(|memory| memory.other_bytes),
        memory_limit_bytes: collector.and_then(|it| it.memory_limit_bytes),
        allocated_bytes: memory.map(|memory| memory.allocated_bytes),
        allocated_objects: memory.map(|memory| memory.allocated_objects),
        gc_goal_bytes: collector.and_then(|it| it.goal_bytes),
        goroutines: known(readings.goroutines, &[GOROUTINES], &mut unknown),
        processor_limit: known(readings.processors, &[PROCESSORS], &mut unknown),
        gogc_percent: collector.and_then(|it| it.percent),
        schedule,
        unknown,
    }
}

/// What was read, or for each of these fields why not.
fn known<T>(read: Result<T, Missing>, fields: &[&'static str], unknown: &mut Unknown) -> Option<T> {
    read.inspect_err(|missing| {
        let reasons = fields.iter().map(|field| (*field, missing.to_string()));
        unknown.extend(reasons);
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::metrics::{Absent, Collector, DurationCount};

    fn readings() -> Readings {
        Readings {
            memory: Ok(MemoryUse {
                stack_bytes: 1,
                other_bytes: 2,
                allocated_bytes: 3,
                allocated_objects: 4,
            }),
            collector: Ok(Collector {
                percent: Some(100),
                memory_limit_bytes: None,
                goal_bytes: Some(5),
            }),
            processors: Ok(6),
            goroutines: Ok(7),
            latencies: Ok(vec![DurationCount {
                below_seconds: 0.5,
                count: 8,
            }]),
        }
    }

    #[test]
    fn all_that_is_known_is_told_without_reasons() {
        insta::assert_json_snapshot!(told(readings()), @r#"
        {
          "stack_bytes": 1,
          "other_bytes": 2,
          "memory_limit_bytes": null,
          "allocated_bytes": 3,
          "allocated_objects": 4,
          "gc_goal_bytes": 5,
          "goroutines": 7,
          "processor_limit": 6,
          "gogc_percent": 100,
          "schedule": {
            "buckets": [
              {
                "below_seconds": 0.5,
                "count": 8
              }
            ]
          },
          "unknown": {}
        }
        "#);
    }

    #[test]
    fn a_collector_that_is_off_is_a_reason_and_no_limit_is_none() {
        let off = Collector {
            percent: None,
            memory_limit_bytes: None,
            goal_bytes: None,
        };
        let metrics = told(Readings {
            collector: Ok(off),
            ..readings()
        });
        insta::assert_json_snapshot!(metrics.unknown, @r#"
        {
          "gc_goal_bytes": "the collector is off (GOGC=off), and there is no GOMEMLIMIT",
          "gogc_percent": "the collector is off (GOGC=off)"
        }
        "#);
    }

    #[test]
    fn counts_never_fall() {
        let mut allocated = Allocated::default();
        let mut told = |allocated_bytes, allocated_objects| {
            let mut memory = MemoryUse {
                stack_bytes: 0,
                other_bytes: 0,
                allocated_bytes,
                allocated_objects,
            };
            allocated.rise(&mut memory);
            (memory.allocated_bytes, memory.allocated_objects)
        };
        assert_eq!(told(100, 10), (100, 10));
        assert_eq!(told(90, 11), (100, 11));
        assert_eq!(told(110, 9), (110, 11));
    }

    #[test]
    fn what_was_not_read_is_told_field_by_field() {
        let lost = || Missing::from(Absent::NotFound("runtime.memstats"));
        let metrics = told(Readings {
            memory: Err(lost()),
            collector: Err(lost()),
            processors: Err(lost()),
            goroutines: Err(lost()),
            latencies: Err(lost()),
        });
        assert_eq!(
            metrics,
            nothing("runtime.memstats was not found in the process")
        );
    }
}
