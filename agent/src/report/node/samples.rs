//! A node with one watched process, for the tests of those who write it.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    AgentSample, BucketCount, Container, Engine, GoroutineState, Identity, NodeSample, Pod,
    ProcessCounts, ProcessFailure, RuntimeMetrics, ScheduleLatencies, Service, SinkSample,
    StateCount, TargetSample,
};
use crate::report::samples;

/// 2026-11-18, and so many seconds.
pub(crate) fn moment(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000 + seconds)
}

pub(crate) fn identity() -> Arc<Identity> {
    let mut process = samples::attached().process;
    let id = "0123456789abcdef".repeat(4);
    process.container_id = Some(id.clone());
    Arc::new(Identity {
        pid: 4321,
        namespace_pid: Some(1),
        started: moment(0),
        name: "server".into(),
        process,
        service: Service {
            name: Some("search".into()),
            attributes: BTreeMap::from([("deployment.environment.name".into(), "prod".into())]),
        },
        cgroup: Some(format!(
            "/kubepods.slice/kubepods-pod12.slice/cri-containerd-{id}.scope"
        )),
        container: Some(Container {
            id,
            engine: Some(Engine::Containerd),
            name: Some("search".into()),
            image: Some("example.com/search:1.4".into()),
        }),
        pod: Some(Pod {
            uid: "8f2c01aa-0000-4000-8000-000000000012".into(),
            name: Some("search-5d4f".into()),
            namespace: Some("shop".into()),
            node: Some("node-1".into()),
            container: Some("search".into()),
            labels: BTreeMap::from([("app".into(), "search".into())]),
        }),
    })
}

pub(crate) fn target() -> TargetSample {
    let mut status = samples::status();
    status.goroutines = Some(421);
    TargetSample {
        target: identity(),
        began: moment(10),
        taken: moment(70),
        status,
        goroutines: Some(vec![
            StateCount {
                state: GoroutineState::Waiting,
                wait_reason: Some(Cow::Borrowed("chan send")),
                count: 412,
            },
            StateCount {
                state: GoroutineState::Running,
                wait_reason: None,
                count: 9,
            },
        ]),
        leaks_told: [0, 1, 0],
        runtime: RuntimeMetrics {
            stack_bytes: Some(1 << 20),
            other_bytes: Some(12 << 20),
            memory_limit_bytes: None,
            allocated_bytes: Some(3_000_000_000),
            allocated_objects: Some(40_000_000),
            gc_goal_bytes: Some(4 << 20),
            goroutines: Some(416),
            processor_limit: Some(4),
            gogc_percent: Some(100),
            schedule: Some(ScheduleLatencies {
                buckets: vec![
                    BucketCount {
                        below_seconds: 0.000_001,
                        count: 900,
                    },
                    BucketCount {
                        below_seconds: 0.001,
                        count: 100,
                    },
                ],
            }),
            unknown: BTreeMap::new(),
        },
    }
}

pub(crate) fn node() -> NodeSample {
    NodeSample {
        targets: vec![Arc::new(target())],
        agent: AgentSample {
            version: "0.1.0",
            started: moment(0),
            taken: moment(70),
            cpu_seconds: 0.31,
            profiles_seconds: 0.1,
            probes_seconds: 0.05,
            budget_ratio: Some(0.02),
            spent_ratio: Some(0.006),
            memory_bytes: Some(61_000_000),
            memory_budget_bytes: 256_000_000,
            processes: ProcessCounts {
                watched: 1,
                left_alone: 2,
                failed: 1,
                binaries: 3,
                seen: 57,
            },
            modes: BTreeMap::from([("lifetimes", 1)]),
            sinks: vec![SinkSample {
                name: "otlp_logs".into(),
                queued: 2,
                capacity: 1024,
                sent: 17,
                dropped: 3,
                errors: BTreeMap::from([("connect", 4)]),
                last_error: Some("http://127.0.0.1:4317: connection refused".into()),
            }],
            errors: BTreeMap::from([("attach", 1)]),
            failures: vec![ProcessFailure {
                pid: 77,
                error: "/srv/old: Go 1.16 is not supported".into(),
            }],
            drops: BTreeMap::from([("exec_events", 0)]),
            reloads: 1,
        },
    }
}
