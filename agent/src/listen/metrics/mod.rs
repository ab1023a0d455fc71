//! `/metrics`: the node's newest sample as OpenMetrics 1.0, or as Prometheus' older text.
//!
//! `docs/metrics.md` has every metric; a test compares.

mod agent;
mod classic;
mod counts;
mod families;
mod format;
mod labels;
mod sites;
mod target;
#[cfg(test)]
mod tests;

pub(super) use format::{Format, takes_gzip};

use std::{
    collections::BTreeMap,
    fmt,
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use flate2::{Compression, write::GzEncoder};
use prometheus_client::{
    collector::Collector, encoding::DescriptorEncoder, encoding::text, registry::Registry,
};

use self::{families::Families, sites::Chosen, sites::Selections, target::Target};
use crate::report::node::NodeSample;

/// What has been told before, which decides what is told next.
#[derive(Debug)]
pub(super) struct Exposition {
    selections: Mutex<Selections>,
}

/// What the listener itself has done.
#[derive(Clone, Debug, Default)]
pub(super) struct Served {
    /// Answers by status.
    pub(super) answers: BTreeMap<u16, u64>,
    /// Connections beyond the limit.
    pub(super) turned_away: u64,
}

impl Exposition {
    /// At most `sites` of a process apart, and `of_all` of all.
    pub(super) fn new(sites: usize, of_all: usize) -> Self {
        Self {
            selections: Mutex::new(Selections::new(sites, of_all)),
        }
    }

    /// All metrics of `node`.
    ///
    /// # Errors
    /// None: nothing is written but to memory.
    pub(super) fn write(
        &self,
        node: Arc<NodeSample>,
        served: Served,
        format: Format,
    ) -> Result<String, fmt::Error> {
        let mut selections = self
            .selections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let chosen = selections.choose(&node);
        drop(selections);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Told {
            node,
            chosen,
            served,
        }));
        let mut written = String::new();
        text::encode(&mut written, &registry)?;
        Ok(match format {
            Format::OpenMetrics => written,
            Format::Text => classic::from_open_metrics(&written),
        })
    }
}

/// A sample on its way out.
#[derive(Debug)]
struct Told {
    node: Arc<NodeSample>,
    /// For each target.
    chosen: Vec<Chosen>,
    served: Served,
}

impl Collector for Told {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families::new(encoder);
        let targets: Vec<_> = self
            .node
            .targets
            .iter()
            .zip(&self.chosen)
            .map(|(sample, chosen)| Target::new(sample, chosen))
            .collect();
        target::write(&targets, &mut families)?;
        target::write_sites(&targets, &mut families)?;
        target::write_runtime(&targets, &mut families)?;
        agent::write(&self.node.agent, &self.served, &mut families)
    }
}

/// As `Content-Encoding: gzip` has it.
///
/// # Errors
/// None: nothing is written but to memory.
pub(super) fn gzip(body: &str) -> std::io::Result<Vec<u8>> {
    let mut output = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    output.write_all(body.as_bytes())?;
    output.finish()
}
