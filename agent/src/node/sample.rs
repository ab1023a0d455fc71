//! All that the daemon knows at one moment, put together.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use super::{Daemon, meter};
use crate::{
    config::Config,
    report::node::{AgentSample, NodeSample, ProcessCounts},
};

impl Daemon {
    pub(super) fn sample(&self) -> Arc<NodeSample> {
        let spent = self.spent();
        let watchers = self.registry.watchers();
        let targets: Vec<_> = watchers
            .filter_map(|watcher| watcher.control.sample())
            .collect();
        let mut modes: BTreeMap<&'static str, u64> = BTreeMap::new();
        let mut lost = 0;
        for target in &targets {
            *modes.entry(target.status.mode).or_default() += 1;
            lost += target.status.drops.values().sum::<u64>();
        }
        let agent = AgentSample {
            taken: SystemTime::now(),
            cpu_seconds: spent.agent,
            profiles_seconds: spent.profiles,
            probes_seconds: spent.probes,
            spent_ratio: self.meter.rate().map(|rate| rate.all),
            memory_bytes: meter::resident(),
            processes: ProcessCounts {
                binaries: self.common.binaries.parsed(),
                seen: self.discovery.seen(),
                ..self.registry.count()
            },
            modes,
            sinks: self.exports.sinks(),
            errors: self.all_errors(),
            failures: self.registry.failures(),
            drops: BTreeMap::from([
                ("exec_events", self.discovery.drops()),
                ("probe_maps", self.lost + lost),
            ]),
            reloads: self.reloads,
            ..agent(&self.config, self.started)
        };
        Arc::new(NodeSample { targets, agent })
    }
}

impl Daemon {
    fn all_errors(&self) -> BTreeMap<&'static str, u64> {
        let mut errors = self.errors.clone();
        let unseen = self.discovery.errors();
        if unseen > 0 {
            errors.insert("discovery", unseen);
        }
        if let Some(kubernetes) = &self.kubernetes {
            let asked = kubernetes.health().errors.values().sum();
            errors.insert("kubernetes", asked);
        }
        errors
    }
}

/// An agent that has done nothing yet.
pub(super) fn agent(config: &Config, started: SystemTime) -> AgentSample {
    let budget = config.node.budget.cores();
    AgentSample {
        version: env!("CARGO_PKG_VERSION"),
        started,
        taken: started,
        cpu_seconds: 0.0,
        profiles_seconds: 0.0,
        probes_seconds: 0.0,
        budget_ratio: budget.is_finite().then_some(budget),
        spent_ratio: None,
        memory_bytes: None,
        memory_budget_bytes: config.node.memory.bytes(),
        processes: ProcessCounts::default(),
        modes: BTreeMap::new(),
        sinks: Vec::new(),
        errors: BTreeMap::new(),
        failures: Vec::new(),
        drops: BTreeMap::new(),
        reloads: 0,
    }
}
