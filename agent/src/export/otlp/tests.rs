//! What is told, against the documented tables.

use std::{collections::BTreeSet, sync::Arc};

use insta::assert_snapshot;
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::{Metric, metric::Data},
};
use prost::Message as _;
use tonic::{Code, Status};

use super::{grpc, logs, metrics::Writer, resource, status};
use crate::{
    detect::Verdict,
    export::{
        HostIdentity,
        delivery::{FailureKind, Then},
    },
    report::{
        DetachReason, Event, EventKind,
        node::{NodeSample, TargetEvent, samples},
        samples as events,
    },
};

const TABLES: &str = include_str!("../../../../docs/otlp.md");

/// Names in the first column of the tables of a section.
fn documented(section: &str) -> BTreeSet<String> {
    let start = TABLES
        .find(&format!("\n## {section}\n"))
        .expect("a section");
    let text = &TABLES[start + 4..];
    let text = text.find("\n## ").map_or(text, |end| &text[..end]);
    let names = text.lines().filter_map(|line| line.strip_prefix("| `"));
    names
        .filter_map(|line| Some(line.split_once('`')?.0.to_owned()))
        .collect()
}

fn names(attributes: &[KeyValue]) -> BTreeSet<String> {
    let name = |attribute: &KeyValue| match attribute.key.split_once(".label.") {
        // Any name may follow.
        Some((prefix, _)) => format!("{prefix}.label.<name>"),
        None => attribute.key.clone(),
    };
    attributes.iter().map(name).collect()
}

fn all_events() -> Vec<Event> {
    let mut leak = events::leak();
    leak.retained_bytes = Some(1 << 20);
    leak.retained_objects = Some(412);
    leak.suppressed = Some("it is known".into());
    leak.labels = [("tenant".into(), "acme".into())].into();
    let impact = &mut leak.impact;
    impact.rank = Some(1);
    impact.bytes_from = Some("rss");
    impact.limit_bytes = Some(1 << 30);
    impact.limit_kind = Some("cgroup_v2");
    impact.used_bytes = Some(1 << 29);
    for figure in [
        &mut impact.goroutines_per_hour,
        &mut impact.bytes_per_hour,
        &mut impact.bytes_per_goroutine,
        &mut impact.rss_correlation,
        &mut impact.heap_correlation,
        &mut impact.seconds_to_limit,
    ] {
        *figure = Some(0.5);
    }
    let kinds = [
        EventKind::Leak(Box::new(leak)),
        EventKind::Resolved(events::resolved()),
        EventKind::Mode(events::mode_change()),
        EventKind::Attached(events::attached()),
        EventKind::Detached(events::detached(DetachReason::Exited)),
    ];
    kinds.map(events::event).into()
}

#[test]
fn the_documented_attributes_of_events_are_those_that_are_sent() {
    let mut sent = BTreeSet::new();
    for event in all_events() {
        sent.append(&mut names(&logs::record(&event).attributes));
    }
    assert_eq!(sent, documented("Attributes of events"));
}

#[test]
fn the_documented_attributes_of_resources_are_those_that_are_sent() {
    let host = HostIdentity::sample();
    let mut target = Arc::unwrap_or_clone(samples::identity());
    let mut sent = names(&resource::of_target(&target, &host).attributes);
    target.process.build_id = Some("a/b/c".into());
    sent.append(&mut names(&resource::of_target(&target, &host).attributes));
    sent.append(&mut names(&resource::of_agent(&host).attributes));
    // The service's own.
    assert!(sent.remove("deployment.environment.name"));
    assert_eq!(sent, documented("Resources"));
}

fn all_metrics(sample: &NodeSample) -> Vec<Metric> {
    let mut writer = Writer::new(Arc::new(HostIdentity::sample()), 20);
    let mut all = Vec::new();
    for parcel in writer.parcels(sample, usize::MAX) {
        let request = ExportMetricsServiceRequest::decode(parcel.body).expect("protobuf");
        for resource in request.resource_metrics {
            all.extend(resource.scope_metrics.into_iter().flat_map(|s| s.metrics));
        }
    }
    all
}

#[test]
fn the_documented_metrics_are_those_that_are_sent() {
    let mut sample = samples::node();
    Arc::make_mut(&mut sample.targets[0])
        .runtime
        .memory_limit_bytes = Some(1 << 30);
    Arc::make_mut(&mut sample.targets[0]).status.leaks = vec![crate::report::OpenLeak {
        id: "0x4d2a1c".into(),
        site: events::leak().site,
        verdict: Verdict::Likely,
        impact: crate::report::Impact {
            goroutines_per_hour: Some(600.0),
            ..crate::report::Impact::default()
        },
    }];
    let sent: BTreeSet<String> = all_metrics(&sample)
        .into_iter()
        .map(|metric| metric.name)
        .collect();
    assert_eq!(sent, documented("Metrics"));
}

#[test]
fn what_is_not_known_has_no_point() {
    let mut sample = samples::node();
    let target = Arc::make_mut(&mut sample.targets[0]);
    target.runtime = Default::default();
    target.goroutines = None;
    target.status.overhead.agent_cpu_ratio = None;
    target.status.overhead.target_cpu_ratio = None;
    let names: Vec<_> = all_metrics(&sample).into_iter().map(|m| m.name).collect();
    let unknown = |name: &&String| name.starts_with("go.") || name.ends_with("overhead.cpu");
    assert_eq!(names.iter().find(unknown), None);
    assert!(!names.contains(&"gostray.goroutine.count".to_owned()));
}

#[test]
fn a_leak_reads_well() {
    let leak = events::event(EventKind::Leak(Box::new(events::leak())));
    let record = logs::record(&leak);
    let mut text = format!(
        "{} {} {} @{}\n",
        record.severity_number, record.severity_text, record.event_name, record.time_unix_nano
    );
    for attribute in [KeyValue {
        key: "body".into(),
        value: record.body,
        ..KeyValue::default()
    }]
    .iter()
    .chain(&record.attributes)
    {
        let value = match attribute.value.as_ref().and_then(|v| v.value.as_ref()) {
            Some(Value::StringValue(text)) => format!("{text:?}"),
            Some(Value::IntValue(number)) => number.to_string(),
            Some(Value::DoubleValue(number)) => format!("{number:?}"),
            Some(Value::ArrayValue(list)) => format!("{} values", list.values.len()),
            other => format!("{other:?}"),
        };
        text.push_str(&format!("{} = {value}\n", attribute.key));
    }
    assert_snapshot!(text, @r#"
    14 WARN2 gostray.goroutine.leak @1795000000120000000
    body = "likely goroutine leak: 419 alive, created at main.search (/src/app/search.go:31), waiting (chan send) at main.search.func1 (/src/app/search.go:33), +295.7 a minute"
    gostray.site.id = "0x4d2a1c"
    gostray.site.function.name = "main.search"
    gostray.site.file.path = "/src/app/search.go"
    gostray.site.line.number = 31
    gostray.site.start.function.name = "main.search.func1"
    code.function.name = "main.search.func1"
    code.file.path = "/src/app/search.go"
    code.line.number = 33
    code.stacktrace = "main.search.func1(...)\n\t/src/app/search.go:33\n"
    gostray.leak.verdict = "likely"
    gostray.leak.rule = "accumulation"
    gostray.leak.live = 412
    gostray.leak.older = 7
    gostray.leak.created = 10412
    gostray.leak.exited = 10000
    gostray.leak.accuracy = "exact"
    gostray.leak.coverage = 1.0
    gostray.leak.growth_per_minute = 295.7
    gostray.leak.oldest_seconds = 83.4
    gostray.leak.wait_reason = "chan send"
    gostray.leak.pattern = "channel_send"
    gostray.leak.evidence = 2 values
    gostray.leak.waits_on = 1 values
    gostray.leak.advice = "main.search.func1 (search.go:33) sends to a receiver that has gone or never came (started by main.search at search.go:31)."
    gostray.leak.example = "select {\ncase results <- value:\ncase <-ctx.Done():\n\treturn\n}"
    gostray.leak.created_by = "main.search(...)\n\t/src/app/search.go:31\nmain.(*server).find(...)\n\t/src/app/server.go:57\n"
    gostray.leak.stack_bytes = 843776
    gostray.leak.goids = 2 values
    gostray.leak.history.state = "returned"
    gostray.leak.history.first_seen = "2026-11-11T10:20:00.000Z"
    gostray.leak.history.last_seen = "2026-11-15T22:00:00.000Z"
    gostray.leak.history.runs = 4
    gostray.leak.history.builds = 3
    gostray.leak.history.growth_per_minute = 60.5
    "#);
}

#[test]
fn severities_follow_verdicts() {
    let severity = |verdict, suppressed: Option<&str>| {
        let mut leak = events::leak();
        leak.verdict = verdict;
        leak.suppressed = suppressed.map(str::to_owned);
        logs::record(&events::event(EventKind::Leak(Box::new(leak)))).severity_number
    };
    assert_eq!(severity(Verdict::Suspect, None), 13);
    assert_eq!(severity(Verdict::Likely, None), 14);
    assert_eq!(severity(Verdict::Proven, None), 17);
    assert_eq!(severity(Verdict::Proven, Some("known")), 9);
}

#[test]
fn large_exports_are_several_requests() {
    let mut node = samples::node();
    for pid in 1..500 {
        let mut target = samples::target();
        let mut identity = Arc::unwrap_or_clone(target.target);
        identity.pid = pid;
        target.target = Arc::new(identity);
        node.targets.push(Arc::new(target));
    }
    let largest = 256 << 10;
    let mut writer = Writer::new(Arc::new(HostIdentity::sample()), 20);
    let parcels = writer.parcels(&node, largest);
    assert!(parcels.len() > 10, "{}", parcels.len());
    assert!(parcels.iter().all(|parcel| parcel.body.len() <= largest));
    let items: Vec<_> = parcels.iter().map(|parcel| parcel.items).collect();
    assert_eq!(items.iter().sum::<u64>(), 1);
    assert_eq!(items.last(), Some(&1));
    let resources: usize = parcels
        .into_iter()
        .map(|parcel| {
            let request = ExportMetricsServiceRequest::decode(parcel.body);
            request.expect("protobuf").resource_metrics.len()
        })
        .sum();
    assert_eq!(resources, 501);

    let leak = || events::event(EventKind::Leak(Box::new(events::leak())));
    let events: Vec<_> = (0..100)
        .map(|_| {
            Arc::new(TargetEvent {
                target: samples::identity(),
                event: leak(),
            })
        })
        .collect();
    let mut parcels = Vec::new();
    logs::split(&events, &HostIdentity::sample(), 64 << 10, &mut parcels);
    assert!(parcels.len() > 2 && parcels.iter().all(|p| p.body.len() <= 64 << 10));
    assert_eq!(parcels.iter().map(|parcel| parcel.items).sum::<u64>(), 100);
}

#[test]
fn sums_and_histograms_are_cumulative_and_say_since_when() {
    let sample = samples::node();
    let metrics = all_metrics(&sample);
    let find = |name: &str| {
        let metric = metrics.iter().find(|metric| metric.name == name);
        metric.and_then(|metric| metric.data.clone()).expect(name)
    };
    let Data::Sum(created) = find("gostray.site.goroutine.created") else {
        panic!("a sum");
    };
    assert!(created.is_monotonic && created.aggregation_temporality == 2);
    let began = super::metrics::unix_nanoseconds(sample.targets[0].began);
    assert_eq!(created.data_points[0].start_time_unix_nano, began);
    let Data::Histogram(waited) = find("go.schedule.duration") else {
        panic!("a histogram");
    };
    let point = &waited.data_points[0];
    assert_eq!(point.count, 1000);
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    let started = super::metrics::unix_nanoseconds(sample.targets[0].target.started);
    assert_eq!(point.start_time_unix_nano, started);
}

#[test]
fn statuses_of_grpc_mean_what_the_specification_says() {
    let then = |code| grpc::failed(&Status::new(code, "words")).then;
    for code in [
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unavailable,
        Code::DataLoss,
    ] {
        assert_eq!(then(code), Then::Again(None), "{code:?}");
    }
    for code in [
        Code::Unknown,
        Code::InvalidArgument,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::Unauthenticated,
        Code::FailedPrecondition,
        Code::Unimplemented,
        Code::Internal,
        Code::ResourceExhausted,
    ] {
        assert_eq!(then(code), Then::GiveUp, "{code:?}");
    }
    let details = status::with_delay(8, 7).into();
    let told = Status::with_details(Code::ResourceExhausted, "slow down", details);
    let failure = grpc::failed(&told);
    let delay = std::time::Duration::new(7, 5);
    assert_eq!(failure.then, Then::Again(Some(delay)));
    assert_eq!(failure.kind, FailureKind::Status);
    assert_eq!(failure.message, "answered ResourceExhausted: slow down");
}
