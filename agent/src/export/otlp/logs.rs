//! Events as log records.

use std::{sync::Arc, time::SystemTime};

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber},
};
use prost::{Message as _, bytes::Bytes};

use super::{
    attributes::{Attributes, scope},
    leak,
    resource::of_target,
    service::{LARGEST_REQUEST, Service},
    settings::OtlpSettings,
};
use crate::{
    detect::Verdict,
    export::{
        ExportError, HostIdentity,
        delivery::{Accepted, Delivery, Failure, Parcel},
    },
    report::{
        DetachReason, Event, EventKind, Leak, Place, Resolved, nanoseconds, node::TargetEvent,
    },
};

/// Sends events as log records.
#[derive(Debug)]
pub(in crate::export) struct Logs {
    service: Service,
    host: Arc<HostIdentity>,
}

impl Logs {
    pub(in crate::export) fn new(
        settings: &OtlpSettings,
        host: Arc<HostIdentity>,
    ) -> Result<Self, ExportError> {
        Ok(Self {
            service: Service::new(settings)?,
            host,
        })
    }
}

impl Delivery for Logs {
    type Item = Arc<TargetEvent>;

    fn parcels(&mut self, items: &[Self::Item]) -> Vec<Parcel> {
        let mut parcels = Vec::new();
        split(items, &self.host, LARGEST_REQUEST, &mut parcels);
        parcels
    }

    async fn send(&mut self, parcel: &Parcel) -> Result<Accepted, Failure> {
        self.service.export(parcel.body.clone()).await
    }
}

/// All in one request, or in halves of it where that is larger than `largest`.
pub(super) fn split(
    items: &[Arc<TargetEvent>],
    host: &HostIdentity,
    largest: usize,
    parcels: &mut Vec<Parcel>,
) {
    let request = request(items, host);
    if request.encoded_len() > largest && items.len() > 1 {
        let (first, second) = items.split_at(items.len() / 2);
        drop(request);
        split(first, host, largest, parcels);
        split(second, host, largest, parcels);
    } else if !items.is_empty() {
        parcels.push(Parcel {
            body: Bytes::from(request.encode_to_vec()),
            items: items.len() as u64,
        });
    }
}

/// Neighbours of one process under one resource.
pub(super) fn request(items: &[Arc<TargetEvent>], host: &HostIdentity) -> ExportLogsServiceRequest {
    let neighbours = items.chunk_by(|a, b| Arc::ptr_eq(&a.target, &b.target));
    let resource_logs = neighbours.map(|events| ResourceLogs {
        resource: Some(of_target(&events[0].target, host)),
        scope_logs: vec![ScopeLogs {
            scope: Some(scope(host.version)),
            log_records: events.iter().map(|event| record(&event.event)).collect(),
            ..ScopeLogs::default()
        }],
        ..ResourceLogs::default()
    });
    ExportLogsServiceRequest {
        resource_logs: resource_logs.collect(),
    }
}

/// One event.
pub(super) fn record(event: &Event) -> LogRecord {
    let mut attributes = Attributes::default();
    let (name, severity, body) = told(event, &mut attributes);
    let time = nanoseconds(&event.time).and_then(|time| u64::try_from(time).ok());
    LogRecord {
        // 0 is OTLP's word for a time that is not known.
        time_unix_nano: time.unwrap_or(0),
        observed_time_unix_nano: super::metrics::unix_nanoseconds(SystemTime::now()),
        severity_number: severity.into(),
        severity_text: severity_text(severity).into(),
        body: Some(AnyValue {
            value: Some(Value::StringValue(body)),
        }),
        attributes: attributes.0,
        event_name: name.into(),
        ..LogRecord::default()
    }
}

fn severity_text(severity: SeverityNumber) -> &'static str {
    match severity {
        SeverityNumber::Error => "ERROR",
        SeverityNumber::Warn2 => "WARN2",
        SeverityNumber::Warn => "WARN",
        _ => "INFO",
    }
}

/// Name, severity and one sentence.
fn told(event: &Event, attributes: &mut Attributes) -> (&'static str, SeverityNumber, String) {
    match &event.kind {
        EventKind::Leak(found) => {
            leak::site(attributes, &found.site);
            leak::leak(attributes, found);
            ("gostray.goroutine.leak", severity(found), sentence(found))
        }
        EventKind::Resolved(resolved) => {
            leak::site(attributes, &resolved.site);
            attributes
                .number("gostray.leak.live", resolved.live)
                .text("gostray.leak.state", resolved.state)
                .texts("gostray.leak.evidence", &resolved.evidence);
            let name = "gostray.goroutine.leak.resolved";
            (name, SeverityNumber::Info, end_of_leak(resolved))
        }
        EventKind::Mode(change) => {
            attributes
                .text("gostray.mode", change.mode)
                .text("gostray.mode.previous", change.previous)
                .text("gostray.mode.reason", &change.reason)
                .real_of("gostray.coverage", Some(change.coverage))
                .number("gostray.probes", change.probes);
            let body = format!(
                "watched as {} instead of {}: {}",
                change.mode, change.previous, change.reason
            );
            ("gostray.mode", SeverityNumber::Info, body)
        }
        EventKind::Attached(attached) => {
            attributes
                .text("gostray.mode", attached.mode)
                .text("gostray.mode.reason", &attached.mode_reason)
                .text("gostray.mechanism", attached.mechanism)
                .texts("gostray.probe_sites", &attached.probes)
                .real_of("gostray.budget", attached.budget_ratio);
            let body = format!("watched as {}: {}", attached.mode, attached.mode_reason);
            ("gostray.attached", SeverityNumber::Info, body)
        }
        EventKind::Detached(detached) => {
            attributes
                .text("gostray.detached.reason", reason(detached.reason))
                .truth("gostray.detached.clean", detached.clean)
                .real_of(
                    "gostray.detached.watched_seconds",
                    Some(detached.watched_seconds),
                )
                .number("gostray.detached.leaks", detached.leaks)
                .number("gostray.detached.suppressed", detached.suppressed);
            let body = format!("no longer watched: {}", reason(detached.reason));
            ("gostray.detached", SeverityNumber::Info, body)
        }
        // They come with the samples, as metrics.
        EventKind::Status(status) => {
            attributes.text("gostray.mode", status.mode);
            ("gostray.status", SeverityNumber::Info, "status".into())
        }
    }
}

fn severity(leak: &Leak) -> SeverityNumber {
    match leak.verdict {
        // Somebody has said that it is known.
        _ if leak.suppressed.is_some() => SeverityNumber::Info,
        Verdict::Suspect => SeverityNumber::Warn,
        Verdict::Likely => SeverityNumber::Warn2,
        Verdict::Proven => SeverityNumber::Error,
    }
}

fn sentence(leak: &Leak) -> String {
    let all = leak.live + leak.older.unwrap_or(0);
    let mut text = format!(
        "{} goroutine leak: {all} alive, created at {}",
        leak.verdict.as_str(),
        at(&leak.site.created_at)
    );
    if let Some(reason) = &leak.wait_reason {
        text.push_str(&format!(", waiting ({reason})"));
    }
    if let Some(place) = &leak.blocked_at {
        text.push_str(&format!(" at {}", at(place)));
    }
    if leak.growth_per_minute != 0.0 {
        text.push_str(&format!(", {:+.1} a minute", leak.growth_per_minute));
    }
    text
}

fn end_of_leak(resolved: &Resolved) -> String {
    format!(
        "goroutine leak {}: {} alive, created at {}",
        resolved.state,
        resolved.live,
        at(&resolved.site.created_at)
    )
}

/// `function (file:line)`, as much of it as is known.
fn at(place: &Place) -> String {
    let function = &place.function;
    match (&place.file, place.line) {
        (Some(file), Some(line)) => format!("{function} ({file}:{line})"),
        (Some(file), None) => format!("{function} ({file})"),
        _ => function.clone(),
    }
}

fn reason(reason: DetachReason) -> &'static str {
    match reason {
        DetachReason::Interrupted => "interrupted",
        DetachReason::Duration => "duration",
        DetachReason::Exited => "exited",
        DetachReason::Exec => "exec",
        DetachReason::OutputClosed => "output_closed",
        DetachReason::StopFile => "stop_file",
    }
}
