//! What the Go runtime counts of itself, under the names that OpenTelemetry has for it.

use serde::Serialize;

use crate::report::Unknown;

/// Go's runtime metrics, read from outside. `None` where a figure was not found or not read; `unknown`
/// has the reason by the field's name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RuntimeMetrics {
    /// `go.memory.used` with `go.memory.type=stack`: memory of goroutines' stacks, in bytes.
    pub stack_bytes: Option<u64>,
    /// `go.memory.used` with `go.memory.type=other`: all else that the runtime has from the system and has not
    /// given back, in bytes.
    pub other_bytes: Option<u64>,
    /// `go.memory.limit`: `GOMEMLIMIT`, in bytes; `None` with no reason where there is no limit.
    pub memory_limit_bytes: Option<u64>,
    /// `go.memory.allocated`: bytes allocated on the heap since the program began.
    pub allocated_bytes: Option<u64>,
    /// `go.memory.allocations`: objects allocated on the heap since the program began.
    pub allocated_objects: Option<u64>,
    /// `go.memory.gc.goal`: heap size at which the collector means to be done, in bytes.
    pub gc_goal_bytes: Option<u64>,
    /// `go.goroutine.count`: goroutines that live, as the program's own `runtime/metrics` counts them: the
    /// runtime's own are not counted before Go 1.26, and are from then on.
    pub goroutines: Option<u64>,
    /// `go.processor.limit`: `GOMAXPROCS`.
    pub processor_limit: Option<u64>,
    /// `go.config.gogc`: in per cent; `None` with a reason where the collector is off.
    pub gogc_percent: Option<u64>,
    /// `go.schedule.duration`.
    pub schedule: Option<ScheduleLatencies>,
    /// Why a field is `None`.
    pub unknown: Unknown,
}

/// How long goroutines waited, ready to run, until they ran: a histogram since the program began.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ScheduleLatencies {
    /// Buckets in rising order, those without a count left out.
    pub buckets: Vec<BucketCount>,
}

/// One bucket of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BucketCount {
    /// Its upper bound in seconds, itself not in the bucket; infinite for the last.
    pub below_seconds: f64,
    /// How many are in it and in no lower one.
    pub count: u64,
}
