//! One event of each kind, and all that a node's agent tells, for the renderers' and sinks' tests.

use std::collections::BTreeMap;

use super::{
    Attached, CostOfHits, DetachReason, Detached, Disagreement, Event, EventKind, Impact, Leak,
    LeakHistory, Lifetime, ModeChange, Overhead, Parks, Place, ProcessInfo, Resolved, SiteCounts,
    SiteName, Status, Unknown, Waited, WaitsOn, node::BucketCount,
};
use crate::detect::Verdict;

pub(crate) fn event(kind: EventKind) -> Event {
    Event {
        time: "2026-11-18T11:06:40.120Z".into(),
        pid: 4321,
        kind,
    }
}

pub(crate) fn place(function: &str, file: &str, line: u32) -> Place {
    Place {
        function: function.into(),
        file: Some(file.into()),
        line: Some(line),
    }
}

fn search() -> SiteName {
    SiteName {
        id: "0x4d2a1c".into(),
        created_at: place("main.search", "/src/app/search.go", 31),
        start: place("main.search.func1", "/src/app/search.go", 31),
    }
}

pub(crate) fn attached() -> Attached {
    Attached {
        process: ProcessInfo {
            exe: "/srv/app/server".into(),
            build_id: Some("8f2c01".into()),
            go_version: "go1.27.4".into(),
            main_module: Some("example.com/app".into()),
            vcs_revision: Some("5a1b2c3d".into()),
            container_id: None,
            architecture: "amd64".into(),
            layout: "DWARF".into(),
        },
        mode: "lifetimes",
        mode_reason: "190 creations a second cost about 0.03 % of a core, within the budget of 1%"
            .into(),
        budget_ratio: Some(0.01),
        cost_of_hits: Some(CostOfHits {
            emulated_seconds: 0.000_000_71,
            stepped_seconds: 0.000_017_3,
            refused_seconds: 0.000_000_52,
            goroutine_seconds: 0.000_001_33,
            switch_seconds: 0.000_000_13,
        }),
        mechanism: "perf uprobes",
        probes: vec![
            "creation at runtime.newproc1+0x1c5".into(),
            "exit at runtime.gdestroy+0x4".into(),
        ],
        history: Some("/var/lib/gostray/history.db".into()),
        unknown: Unknown::new(),
    }
}

pub(crate) fn site_counts(created_at: Place, growing: bool) -> SiteCounts {
    SiteCounts {
        site: SiteName {
            created_at,
            ..search()
        },
        live: 412,
        created: 10_412,
        exited: 10_000,
        exited_older: 2,
        older: Some(7),
        accuracy: "exact",
        lifetime_seconds: Some(Lifetime {
            p50: 0.001,
            p90: 0.004,
            p99: 0.25,
            max: 0.31,
        }),
        lifetimes: vec![
            BucketCount {
                below_seconds: 0.001_048_576,
                count: 9000,
            },
            BucketCount {
                below_seconds: 0.536_870_912,
                count: 1000,
            },
        ],
        oldest_seconds: Some(83.4),
        parks: Some(vec![Parks {
            wait_reason: "chan send".into(),
            count: 10_412,
        }]),
        system: false,
        growing,
    }
}

pub(crate) fn status() -> Status {
    let mut calm = site_counts(place("main.(*pool).start", "/src/app/pool.go", 12), false);
    calm.lifetime_seconds = None;
    calm.oldest_seconds = None;
    Status {
        mode: "lifetimes",
        coverage: 1.0,
        overhead: Overhead {
            agent_cpu_ratio: Some(0.0012),
            target_cpu_ratio: Some(0.0003),
            total_ratio: Some(0.0015),
            average_ratio: Some(0.0014),
            budget_ratio: Some(0.01),
            accuracy: "estimated",
            probe_hits: 20_412,
            refused_hits: 0,
            memory_bytes: Some(51_000_000),
            memory_budget_bytes: 128_000_000,
            unknown: Unknown::new(),
        },
        goroutines: None,
        sites: vec![site_counts(search().created_at, true), calm],
        observed_every_seconds: Some(1.0),
        drops: BTreeMap::from([("map_error", 0), ("site_map_full", 0)]),
        disagreement: Some(Disagreement {
            goroutines: 0,
            repaired: 0,
        }),
        probes: 2,
        process: Box::default(),
        leaks: Vec::new(),
        unknown: Unknown::from([("goroutines", "only those created since are seen".into())]),
    }
}

pub(crate) fn leak() -> Leak {
    Leak {
        verdict: Verdict::Likely,
        rule: "accumulation",
        site: search(),
        live: 412,
        older: Some(7),
        created: 10_412,
        exited: 10_000,
        accuracy: "exact",
        growth_per_minute: 295.7,
        wait_reason: Some("chan send".into()),
        blocked_at: Some(place("main.search.func1", "/src/app/search.go", 33)),
        stack: Some(vec![place("main.search.func1", "/src/app/search.go", 33)]),
        created_by: Some(vec![
            place("main.search", "/src/app/search.go", 31),
            place("main.(*server).find", "/src/app/server.go", 57),
        ]),
        pattern: Some("channel_send".into()),
        evidence: vec![
            "survivors rose in 4 of 4 windows of 5 s, from 20 to 412".into(),
            "creations did not rise: 170 a second".into(),
        ],
        advice: Some(
            "main.search.func1 (search.go:33) sends to a receiver that has gone or never came \
             (started by main.search at search.go:31)."
                .into(),
        ),
        example: Some("select {\ncase results <- value:\ncase <-ctx.Done():\n\treturn\n}".into()),
        waits_on: vec![WaitsOn {
            count: 1,
            what: Waited::Channel {
                address: "0xc00007e0e0".into(),
                length: 0,
                capacity: 0,
            },
        }],
        stack_bytes: Some(412 * 2048),
        retained_bytes: None,
        retained_objects: None,
        oldest_seconds: Some(83.4),
        coverage: 1.0,
        older_than: Vec::new(),
        labels: BTreeMap::new(),
        suppressed: None,
        history: Some(LeakHistory {
            state: "returned",
            first_seen: "2026-11-11T10:20:00.000Z".into(),
            last_seen: Some("2026-11-15T22:00:00.000Z".into()),
            runs: 4,
            builds: 3,
            earlier_growth_per_minute: Some(60.5),
            unknown: Unknown::new(),
        }),
        goids: vec![34, 51],
        impact: Impact::default(),
        unknown: ["retained_bytes", "retained_objects"]
            .map(|field| (field, "nothing is proven of this leak yet".into()))
            .into(),
    }
}

pub(crate) fn resolved() -> Resolved {
    Resolved {
        site: search(),
        live: 3,
        evidence: vec!["survivors have not risen for 60 s".into()],
        state: "resolved",
    }
}

pub(crate) fn detached(reason: DetachReason) -> Detached {
    Detached {
        suppressed: 0,
        reason,
        clean: true,
        watched_seconds: 93.2,
        leaks: 1,
    }
}

pub(crate) fn mode_change() -> ModeChange {
    ModeChange {
        mode: "census",
        previous: "lifetimes",
        reason: "watching cost 1.43 % of a core of late; the budget is 1%".into(),
        coverage: 0.97,
        probes: 0,
    }
}
