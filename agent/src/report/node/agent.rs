//! The agent itself: what it watches, what it costs, what it could not deliver.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use serde::Serialize;

use super::TargetSample;

/// All that is known at one moment.
#[derive(Clone, Debug)]
pub struct NodeSample {
    /// The watched processes, in the order of their pids.
    pub targets: Vec<Arc<TargetSample>>,
    /// The agent.
    pub agent: AgentSample,
}

/// The agent at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct AgentSample {
    /// Its version.
    pub version: &'static str,
    /// When it was started: the beginning of all its counts.
    #[serde(serialize_with = "super::super::time::rfc3339")]
    pub started: SystemTime,
    /// When this was taken.
    #[serde(serialize_with = "super::super::time::rfc3339")]
    pub taken: SystemTime,
    /// Processor time it has used, all threads, user and system.
    pub cpu_seconds: f64,
    /// Of that, what profiles took that somebody asked for: it is not in the budget, but in what was spent.
    pub profiles_seconds: f64,
    /// Processor time its probes have taken in targets.
    pub probes_seconds: f64,
    /// What both may be, in cores, without profiles; null without a limit.
    pub budget_ratio: Option<f64>,
    /// What both have been lately, in cores, profiles included; null in the first second.
    pub spent_ratio: Option<f64>,
    /// Its own memory: RSS.
    pub memory_bytes: Option<u64>,
    /// What that may be.
    pub memory_budget_bytes: u64,
    /// Processes.
    pub processes: ProcessCounts,
    /// Watched processes by mode: `full`, `lifetimes`, `focused`, `census`.
    pub modes: BTreeMap<&'static str, u64>,
    /// Where events and samples go.
    pub sinks: Vec<SinkSample>,
    /// What went wrong since it was started, by kind, such as `inspect`, `attach`, `watch`, `discovery`,
    /// `kubernetes`, `reload`.
    pub errors: BTreeMap<&'static str, u64>,
    /// Go programs that cannot be watched now: at most [`ProcessFailure::MOST`] of them.
    pub failures: Vec<ProcessFailure>,
    /// What was lost and where, by kind, such as `exec_events`, `probe_maps`.
    pub drops: BTreeMap<&'static str, u64>,
    /// How often the configuration was read again.
    pub reloads: u64,
}

/// Why a Go program cannot be watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessFailure {
    /// Its process id.
    pub pid: i32,
    /// What happened, and what to do.
    pub error: String,
}

impl ProcessFailure {
    /// So many are told.
    pub const MOST: usize = 20;
}

/// What became of the processes that were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProcessCounts {
    /// Watched now.
    pub watched: u64,
    /// Go programs that the rules leave alone, now.
    pub left_alone: u64,
    /// Go programs that cannot be watched, now.
    pub failed: u64,
    /// Executables looked at since the start, each once.
    pub binaries: u64,
    /// Programs started that were seen since the start, Go or not.
    pub seen: u64,
}

/// One sink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SinkSample {
    /// Such as `otlp_logs`, `otlp_metrics`, `webhook`, `stdout`.
    pub name: String,
    /// Waiting to be delivered: events, or exports of metrics.
    pub queued: u64,
    /// How many may wait.
    pub capacity: u64,
    /// Delivered.
    pub sent: u64,
    /// Given up, because the queue was full, too many attempts failed, or the receiver refused them.
    pub dropped: u64,
    /// Attempts that failed, by kind: `connect`, `timeout`, `refused`, `status`, `tls`, `other`.
    pub errors: BTreeMap<&'static str, u64>,
    /// The last error in words, without secrets; null after a success.
    pub last_error: Option<String>,
}
