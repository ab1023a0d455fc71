//! What the Go runtime counts of itself, under the names that the semantic conventions have for it
//! (OpenTelemetry semantic conventions, "Go runtime metrics").

use opentelemetry_proto::tonic::metrics::v1::Metric;

use super::{
    histogram::Counted,
    points::{Span, named},
};
use crate::{
    export::otlp::attributes::Attributes,
    report::node::{LATENCY_BOUNDS, TargetSample},
};

/// Those that are known.
pub(super) fn metrics(sample: &TargetSample) -> Vec<Metric> {
    let runtime = &sample.runtime;
    let span = Span {
        // The runtime counts from the program's start, whoever watches.
        began: sample.target.started,
        taken: sample.taken,
    };
    let whole = |value: Option<u64>| value.map(|value| span.whole(value));
    let used = [
        ("stack", runtime.stack_bytes),
        ("other", runtime.other_bytes),
    ];
    let used = used.into_iter().filter_map(|(kind, bytes)| {
        let point = span.whole(bytes?);
        Some(point.of("go.memory.type", kind))
    });
    let waited = runtime.schedule.as_ref().map(|schedule| {
        let counted = Counted::of(&LATENCY_BOUNDS, &schedule.buckets);
        (span, Attributes::default(), counted)
    });
    vec![
        named(
            "go.memory.used",
            "By",
            "Memory used by the Go runtime.",
        )
        .up_and_down(used),
        named(
            "go.memory.limit",
            "By",
            "Go runtime memory limit configured by the user, if a limit exists.",
        )
        .up_and_down(whole(runtime.memory_limit_bytes)),
        named(
            "go.memory.allocated",
            "By",
            "Memory allocated to the heap by the application.",
        )
        .counter(whole(runtime.allocated_bytes)),
        named(
            "go.memory.allocations",
            "{allocation}",
            "Count of allocations to the heap by the application.",
        )
        .counter(whole(runtime.allocated_objects)),
        named(
            "go.memory.gc.goal",
            "By",
            "Heap size target for the end of the GC cycle.",
        )
        .up_and_down(whole(runtime.gc_goal_bytes)),
        named(
            "go.goroutine.count",
            "{goroutine}",
            "Count of live goroutines.",
        )
        .up_and_down(whole(runtime.goroutines)),
        named(
            "go.processor.limit",
            "{thread}",
            "The number of OS threads that can execute user-level Go code simultaneously.",
        )
        .up_and_down(whole(runtime.processor_limit)),
        named(
            "go.schedule.duration",
            "s",
            "The time goroutines have spent in the scheduler in a runnable state before actually running.",
        )
        .histogram(waited),
        named(
            "go.config.gogc",
            "%",
            "Heap size target percentage configured by the user, otherwise 100.",
        )
        .up_and_down(whole(runtime.gogc_percent)),
    ]
}
