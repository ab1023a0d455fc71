//! The names that programs rely on. A name may come; none may go or change.

use serde_json::{Map, Value};

use super::JsonLines;
use crate::report::{
    DetachReason, EventKind, Renderer as _,
    samples::{attached, detached, event, leak, mode_change, resolved, status},
};

/// The one line an event is, parsed.
fn line(kind: EventKind) -> Map<String, Value> {
    let mut output = Vec::new();
    JsonLines::new(&mut output).event(&event(kind)).unwrap();
    let text = String::from_utf8(output).unwrap();
    assert_eq!(text.matches('\n').count(), 1, "{text:?}");
    assert!(text.ends_with('\n'), "{text:?}");
    let object: Map<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(object["time"], "2026-11-18T11:06:40.120Z");
    assert_eq!(object["pid"], 4321);
    object
}

#[track_caller]
fn has(object: &Value, names: &[&str]) {
    for name in names {
        assert!(object.get(name).is_some(), "no {name} in {object}");
    }
}

#[track_caller]
fn is_place(place: &Value) {
    assert!(place["function"].is_string(), "{place}");
    assert!(place["file"].is_string(), "{place}");
    assert!(place["line"].is_u64(), "{place}");
}

#[track_caller]
fn is_site(site: &Value) {
    assert!(site["id"].is_string(), "{site}");
    is_place(&site["created_at"]);
    is_place(&site["start"]);
}

#[test]
fn attached_has_the_contracts_names() {
    let line = line(EventKind::Attached(attached()));
    assert_eq!(line["event"], "attached");
    has(
        &line["process"],
        &[
            "exe",
            "build_id",
            "go_version",
            "main_module",
            "vcs_revision",
            "container_id",
        ],
    );
    assert_eq!(line["process"]["container_id"], Value::Null);
    assert_eq!(line["history"], "/var/lib/gostray/history.db");
}

#[test]
fn mode_has_the_contracts_names() {
    let line = line(EventKind::Mode(mode_change()));
    assert_eq!(line["event"], "mode");
    assert_eq!(
        (&line["previous"], &line["mode"]),
        (&"lifetimes".into(), &"census".into())
    );
    has(&Value::from(line), &["reason", "coverage", "probes"]);
}

#[test]
fn status_has_the_contracts_names() {
    let line = line(EventKind::Status(status()));
    assert_eq!(line["event"], "status");
    let names = [
        "mode",
        "coverage",
        "overhead",
        "goroutines",
        "sites",
        "process",
        "leaks",
    ];
    has(&Value::from(line.clone()), &names);
    assert!(line["unknown"]["goroutines"].is_string());
    let overhead = [
        "agent_cpu_ratio",
        "target_cpu_ratio",
        "total_ratio",
        "average_ratio",
        "budget_ratio",
        "probe_hits",
        "refused_hits",
        "memory_bytes",
        "memory_budget_bytes",
    ];
    has(&line["overhead"], &overhead);
    let sites = line["sites"].as_array().unwrap();
    assert_eq!(sites.len(), 2);
    for site in sites {
        is_site(&site["site"]);
        has(
            site,
            &[
                "live",
                "created",
                "exited",
                "lifetime_seconds",
                "oldest_seconds",
            ],
        );
        assert!(
            site.get("growing").is_none(),
            "a matter of the text alone: {site}"
        );
    }
    has(&sites[0]["lifetime_seconds"], &["p50", "p90", "p99", "max"]);
    assert_eq!(sites[1]["lifetime_seconds"], Value::Null);
}

#[test]
fn leak_has_the_contracts_names() {
    let line = line(EventKind::Leak(Box::new(leak())));
    assert_eq!(line["event"], "leak");
    assert_eq!(line["verdict"], "likely");
    is_site(&line["site"]);
    is_place(&line["blocked_at"]);
    is_place(&line["stack"][0]);
    is_place(&line["created_by"][1]);
    assert!(line["evidence"][0].is_string());
    has(
        &Value::from(line.clone()),
        &[
            "live",
            "created",
            "exited",
            "growth_per_minute",
            "wait_reason",
            "pattern",
            "advice",
            "example",
            "waits_on",
            "stack_bytes",
            "retained_bytes",
            "retained_objects",
            "oldest_seconds",
            "coverage",
            "impact",
        ],
    );
    assert_eq!(line["pattern"], "channel_send");
    assert_eq!(line["waits_on"][0]["kind"], "channel");
    assert!(line["unknown"]["retained_bytes"].is_string());
    assert!(line["unknown"]["retained_objects"].is_string());
    let history = [
        "state",
        "first_seen",
        "last_seen",
        "runs",
        "builds",
        "earlier_growth_per_minute",
    ];
    has(&line["history"], &history);
}

#[test]
fn resolved_has_the_contracts_names() {
    let line = line(EventKind::Resolved(resolved()));
    assert_eq!(line["event"], "resolved");
    is_site(&line["site"]);
    assert_eq!(line["live"], 3);
    assert_eq!(line["state"], "resolved");
    assert!(line["evidence"][0].is_string());
}

#[test]
fn detached_says_why() {
    let reasons = [
        (DetachReason::Interrupted, "interrupted"),
        (DetachReason::Duration, "duration"),
        (DetachReason::Exited, "exited"),
        (DetachReason::Exec, "exec"),
        (DetachReason::OutputClosed, "output_closed"),
    ];
    for (reason, name) in reasons {
        let line = line(EventKind::Detached(detached(reason)));
        assert_eq!(line["event"], "detached");
        assert_eq!(line["reason"], name);
        assert_eq!(line["watched_seconds"], 93.2);
    }
}
