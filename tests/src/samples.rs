//! A process, a leak and a sample of all, as a node's agent would tell them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gostray::detect::Verdict;
use gostray::report::node::{
    AgentSample, BucketCount, GoroutineState, Identity, NodeSample, ProcessCounts, RuntimeMetrics,
    Service, StateCount, TargetEvent, TargetSample,
};
use gostray::report::{
    Event, EventKind, Impact, Leak, Overhead, Place, ProcessInfo, ProcessUse, SiteCounts, SiteName,
    Status,
};

/// 2026-11-18, and so many seconds.
#[must_use]
pub fn moment(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000 + seconds)
}

fn place(function: &str, line: u32) -> Place {
    Place {
        function: function.into(),
        file: Some("/src/app/search.go".into()),
        line: Some(line),
    }
}

fn site() -> SiteName {
    SiteName {
        id: "0x4d2a1c".into(),
        created_at: place("main.search", 31),
        start: place("main.search.func1", 31),
    }
}

/// A process.
#[must_use]
pub fn identity() -> Arc<Identity> {
    Arc::new(Identity {
        pid: 4321,
        namespace_pid: None,
        started: moment(0),
        name: "server".into(),
        process: ProcessInfo {
            exe: "/srv/app/server".into(),
            build_id: Some("8f2c01".into()),
            go_version: "go1.27.4".into(),
            main_module: Some("example.com/app".into()),
            vcs_revision: None,
            container_id: None,
            architecture: "amd64".into(),
            layout: "DWARF".into(),
        },
        service: Service {
            name: Some("search ünïcode".into()),
            attributes: BTreeMap::from([("deployment.environment.name".into(), "prod".into())]),
        },
        cgroup: None,
        container: None,
        pod: None,
    })
}

/// A leak of it, told apart from others by the id of its goroutine.
#[must_use]
pub fn leak(target: &Arc<Identity>, goid: u64) -> TargetEvent {
    let leak = Leak {
        verdict: Verdict::Likely,
        rule: "accumulation",
        site: site(),
        live: 412,
        older: None,
        created: 10_412,
        exited: 10_000,
        accuracy: "exact",
        growth_per_minute: 295.7,
        wait_reason: Some("chan send".into()),
        blocked_at: Some(place("main.search.func1", 33)),
        stack: Some(vec![place("main.search.func1", 33)]),
        created_by: None,
        pattern: Some("channel_send".into()),
        evidence: vec!["creations did not rise".into(), "survivors rose".into()],
        advice: None,
        example: None,
        waits_on: Vec::new(),
        stack_bytes: Some(843_776),
        retained_bytes: None,
        retained_objects: None,
        oldest_seconds: Some(83.5),
        coverage: 1.0,
        older_than: Vec::new(),
        labels: BTreeMap::from([("tenant".into(), "acme".into())]),
        suppressed: None,
        history: None,
        goids: vec![goid],
        impact: Impact::default(),
        unknown: BTreeMap::new(),
    };
    TargetEvent {
        target: Arc::clone(target),
        event: Event {
            time: "2026-11-18T11:06:40.120Z".into(),
            pid: target.pid,
            kind: EventKind::Leak(Box::new(leak)),
        },
    }
}

/// How it is with that process, which has one site.
#[must_use]
pub fn target(target: &Arc<Identity>) -> TargetSample {
    let status = Status {
        mode: "lifetimes",
        coverage: 1.0,
        overhead: Overhead {
            agent_cpu_ratio: Some(0.0012),
            target_cpu_ratio: Some(0.0003),
            total_ratio: Some(0.0015),
            average_ratio: None,
            budget_ratio: Some(0.01),
            accuracy: "estimated",
            probe_hits: 20_412,
            refused_hits: 0,
            memory_bytes: None,
            memory_budget_bytes: 128_000_000,
            unknown: BTreeMap::new(),
        },
        goroutines: Some(421),
        sites: vec![SiteCounts {
            site: site(),
            live: 412,
            created: 10_412,
            exited: 10_000,
            exited_older: 2,
            older: Some(7),
            accuracy: "exact",
            lifetime_seconds: None,
            lifetimes: vec![BucketCount {
                below_seconds: 0.001_048_576,
                count: 10_000,
            }],
            oldest_seconds: Some(83.5),
            parks: None,
            system: false,
            growing: true,
        }],
        observed_every_seconds: Some(1.0),
        drops: BTreeMap::from([("map_error", 0)]),
        disagreement: None,
        probes: 2,
        process: Box::new(ProcessUse::default()),
        leaks: Vec::new(),
        unknown: BTreeMap::new(),
    };
    TargetSample {
        target: Arc::clone(target),
        began: moment(10),
        taken: moment(70),
        status,
        goroutines: Some(vec![StateCount {
            state: GoroutineState::Waiting,
            wait_reason: Some("chan send".into()),
            count: 412,
        }]),
        leaks_told: [0, 1, 0],
        runtime: RuntimeMetrics {
            allocated_bytes: Some(3_000_000_000),
            gogc_percent: Some(100),
            ..RuntimeMetrics::default()
        },
    }
}

/// The agent itself.
#[must_use]
pub fn agent() -> AgentSample {
    AgentSample {
        version: "0.1.0",
        started: moment(0),
        taken: moment(70),
        cpu_seconds: 0.31,
        profiles_seconds: 0.1,
        probes_seconds: 0.05,
        budget_ratio: None,
        spent_ratio: None,
        memory_bytes: Some(61_000_000),
        memory_budget_bytes: 256_000_000,
        processes: ProcessCounts::default(),
        modes: BTreeMap::new(),
        sinks: Vec::new(),
        errors: BTreeMap::new(),
        failures: Vec::new(),
        drops: BTreeMap::new(),
        reloads: 0,
    }
}

/// Both.
#[must_use]
pub fn node(identity: &Arc<Identity>) -> NodeSample {
    NodeSample {
        targets: vec![Arc::new(target(identity))],
        agent: agent(),
    }
}
