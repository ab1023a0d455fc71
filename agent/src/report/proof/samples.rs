//! A proof, and ways to goroutines, for the renderers' tests.

use std::collections::BTreeMap;

use super::{
    Doubt, Ground, HeapRead, LeakedGroup, Precision, Proof, Shared, Step, UnprovenGroup, Why,
    WhyVerdict,
};
use crate::report::{
    Unknown, Waited, WaitsOn,
    samples::{self, place},
    snapshot::samples::{channel, labels},
};

/// Five that wait to send on channels nobody else has.
pub(super) fn senders() -> LeakedGroup {
    LeakedGroup {
        count: 5,
        wait_reason: Some("chan send".into()),
        created_at: Some(place("main.search", "/src/search.go", 35)),
        start: place("main.search.func1", "/src/search.go", 35),
        stack: Some(vec![
            place("main.send", "/src/search.go", 9),
            place("main.search.func1", "/src/search.go", 36),
        ]),
        blocked_at: Some(place("main.send", "/src/search.go", 9)),
        waits_on: vec![channel(3, "0xc000123456"), channel(2, "0xc000123abc")],
        retained_bytes: Some(1_048_576),
        retained_objects: Some(3102),
        shared_bytes: Some(204_800),
        stack_bytes: 5 * 2048,
        oldest_seconds: Some(130.0),
        labels: Some(labels(&[("endpoint", "/search"), ("tenant", "a, b")])),
        goids: vec![18, 19, 24, 31, 35],
        proof: Ground::Unreachable,
        unknown: Unknown::new(),
    }
}

/// One on a nil channel, of which less is known.
fn nil_receiver() -> LeakedGroup {
    LeakedGroup {
        count: 1,
        wait_reason: Some("chan receive (nil chan)".into()),
        waits_on: vec![WaitsOn {
            count: 1,
            what: Waited::NilChannel,
        }],
        retained_bytes: Some(0),
        retained_objects: Some(0),
        shared_bytes: Some(0),
        stack_bytes: 2048,
        oldest_seconds: None,
        labels: None,
        goids: vec![51],
        proof: Ground::NilChannel,
        ..senders()
    }
}

/// One that the runtime's own detector has found.
fn found_by_the_runtime() -> LeakedGroup {
    LeakedGroup {
        wait_reason: Some("sync.Mutex.Lock".into()),
        stack: None,
        waits_on: vec![WaitsOn {
            count: 1,
            what: Waited::Mutex {
                address: "0xc000200008".into(),
            },
        }],
        shared_bytes: Some(204_800),
        retained_bytes: Some(65_536),
        retained_objects: Some(1),
        goids: vec![77],
        proof: Ground::Runtime,
        unknown: Unknown::from([("stack", "its stack is not readable".into())]),
        ..nil_receiver()
    }
}

fn reachable() -> UnprovenGroup {
    UnprovenGroup {
        count: 12,
        wait_reason: Some("chan receive".into()),
        created_at: Some(place("main.main", "/src/main.go", 20)),
        start: place("main.worker", "/src/main.go", 40),
        stack: Some(vec![place("main.worker", "/src/main.go", 42)]),
        blocked_at: Some(place("main.worker", "/src/main.go", 42)),
        oldest_seconds: Some(200.0),
        goids: (60..72).collect(),
        reason: Doubt::Reachable,
        sentence: "something that lives leads to the channel they wait on".into(),
        unknown: Unknown::new(),
    }
}

fn ran() -> UnprovenGroup {
    UnprovenGroup {
        count: 1,
        goids: vec![90],
        oldest_seconds: None,
        blocked_at: None,
        reason: Doubt::Ran,
        sentence: "it ran between two passes".into(),
        ..reachable()
    }
}

pub(super) fn proof() -> Proof {
    Proof {
        process: samples::attached().process,
        pid: Some(4711),
        taken_at: "2026-11-20T21:28:31.000Z".into(),
        passes: 3,
        found_later: 0,
        goroutines: 25,
        candidates: 20,
        leaked: vec![nil_receiver(), found_by_the_runtime(), senders()],
        shared: Shared {
            bytes: 204_800,
            objects: 310,
            groups: 2,
        },
        unproven: vec![ran(), reachable()],
        heap: HeapRead {
            bytes: 432_013_312,
            objects: 3_204_117,
            spans: 52_736,
            reached_objects: 3_000_000,
            reached_bytes: 400_000_000,
        },
        precision: Precision {
            precise_stacks: 118,
            conservative_stacks: 3,
            conservative: BTreeMap::from([
                ("frames without a stack map".into(), 1),
                ("running goroutines".into(), 3),
            ]),
        },
        duration_seconds: 4.12,
        agent_cpu_seconds: Some(1.94),
        defects: BTreeMap::from([("its memory is not mapped".into(), 2)]),
        unknown: Unknown::new(),
    }
}

/// Nobody leaks.
pub(super) fn healthy() -> Proof {
    Proof {
        leaked: Vec::new(),
        shared: Shared::default(),
        unproven: vec![reachable()],
        candidates: 12,
        defects: BTreeMap::new(),
        precision: Precision::default(),
        ..proof()
    }
}

/// Kept alive by a global, through another goroutine.
pub(super) fn why() -> Why {
    Why {
        process: samples::attached().process,
        pid: Some(4711),
        taken_at: "2026-11-20T21:28:31.000Z".into(),
        goid: 60,
        state: "waiting".into(),
        wait_reason: Some("chan receive".into()),
        created_at: Some(place("main.main", "/src/main.go", 20)),
        start: place("main.worker", "/src/main.go", 40),
        stack: Some(vec![place("main.worker", "/src/main.go", 42)]),
        oldest_seconds: Some(200.0),
        verdict: WhyVerdict::Reachable,
        sentence: "something that lives leads to the channel it waits on".into(),
        path: vec![
            Step::Global {
                name: Some("main.registry".into()),
                module: None,
                section: "bss".into(),
                address: "0x5a2c40".into(),
            },
            Step::Object {
                address: "0xc000040000".into(),
                size_bytes: 64,
                offset_bytes: Some(24),
                r#type: Some("main.session".into()),
            },
            Step::Object {
                address: "0xc000042000".into(),
                size_bytes: 1024,
                offset_bytes: Some(20),
                r#type: None,
            },
            Step::Waited(channel(1, "0xc000123abc").what),
            Step::Goroutine {
                goid: 34,
                state: "waiting".into(),
                frame: Some(place("main.(*session).loop", "/src/session.go", 88)),
                address: "0xc00005ff48".into(),
            },
            Step::Waited(channel(1, "0xc000123456").what),
        ],
        unknown: Unknown::new(),
    }
}

/// Other beginnings of a way.
pub(super) fn beginnings() -> Vec<Step> {
    let address = || "0xc000080010".to_owned();
    vec![
        Step::Global {
            name: None,
            module: Some("/srv/app/plugin.so".into()),
            section: "data".into(),
            address: "0x7f1200004010".into(),
        },
        Step::Goroutine {
            goid: 7,
            state: "running".into(),
            frame: None,
            address: address(),
        },
        Step::Timer { address: address() },
        Step::Finalizer { address: address() },
        Step::Runtime {
            what: "a defer record".into(),
            address: address(),
        },
        Step::Object {
            address: address(),
            size_bytes: 96,
            offset_bytes: None,
            r#type: None,
        },
    ]
}
