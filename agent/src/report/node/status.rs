//! The node at one moment in brief: what `/status` answers and `gostray status` shows.

mod text;

use std::time::SystemTime;

use serde::Serialize;

use super::{AgentSample, Identity, NodeSample, TargetSample};
use crate::report::{OpenLeak, Overhead, ProcessUse, SiteName};

/// The agent, and a line for each process it watches.
#[derive(Debug, Serialize)]
pub struct NodeStatus<'a> {
    /// The agent.
    pub agent: &'a AgentSample,
    /// The watched processes, in the order of their pids.
    pub targets: Vec<TargetStatus<'a>>,
}

/// One watched process, without its sites.
#[derive(Debug, Serialize)]
pub struct TargetStatus<'a> {
    /// Who it is.
    pub identity: &'a Identity,
    /// Since when it is watched.
    #[serde(serialize_with = "super::super::time::rfc3339")]
    pub began: SystemTime,
    /// When this was taken.
    #[serde(serialize_with = "super::super::time::rfc3339")]
    pub taken: SystemTime,
    /// `full`, `lifetimes`, `focused` or `census`.
    pub mode: &'static str,
    /// As in `status` of `attach`.
    pub coverage: f64,
    /// Goroutines alive; null before the first look.
    pub goroutines: Option<u64>,
    /// How many creation sites are known.
    pub sites: usize,
    /// The open leaks, those that take most memory first.
    pub leaks: Vec<TargetLeak<'a>>,
    /// Leaks told since it is watched: suspect, likely, proven.
    pub leaks_told: [u64; 3],
    /// What watching it costs.
    pub overhead: &'a Overhead,
    /// What it uses of memory and processors.
    pub process: &'a ProcessUse,
}

/// An open leak, and where it is.
#[derive(Debug, Serialize)]
pub struct TargetLeak<'a> {
    /// Where.
    pub site: &'a SiteName,
    /// How sure, and what it does.
    #[serde(flatten)]
    pub leak: &'a OpenLeak,
}

impl<'a> NodeStatus<'a> {
    /// Of what is known now.
    #[must_use]
    pub fn new(node: &'a NodeSample) -> Self {
        Self {
            agent: &node.agent,
            targets: node.targets.iter().map(TargetStatus::new).collect(),
        }
    }
}

impl<'a> TargetStatus<'a> {
    fn new(sample: &'a TargetSample) -> Self {
        let status = &sample.status;
        let leak = |leak: &'a OpenLeak| TargetLeak {
            site: &leak.site,
            leak,
        };
        Self {
            identity: &sample.target,
            began: sample.began,
            taken: sample.taken,
            mode: status.mode,
            coverage: status.coverage,
            goroutines: status.goroutines,
            sites: status.sites.len(),
            leaks: status.leaks.iter().map(leak).collect(),
            leaks_told: sample.leaks_told,
            overhead: &status.overhead,
            process: &status.process,
        }
    }
}
