//! `[node]`: what watching may take, and where things are.

use std::path::PathBuf;

use serde::Deserialize;

use super::{NodeBudget, NodeMemory, Period};
use crate::{probes::StopFile, store};

/// Time between two samples: 100 ms to 1 h.
pub type Interval = Period<100, 3_600_000>;

/// What the daemon may take, and how closely it looks.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeConfig {
    /// Processor time of agent and probes together.
    pub budget: NodeBudget,
    /// Memory of the agent and of the kernel's maps together.
    pub memory: NodeMemory,
    /// Between two samples of a process.
    pub interval: Interval,
    /// Whether probes may be attached.
    pub probes: bool,
    /// Whether the past is remembered.
    pub history: bool,
    /// The database for that.
    pub history_file: PathBuf,
    /// While it is there, nothing is watched.
    pub stop_file: PathBuf,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            budget: NodeBudget::default(),
            memory: NodeMemory::default(),
            interval: Interval::of_milliseconds(10_000),
            probes: true,
            history: true,
            history_file: store::DEFAULT_PATH.into(),
            stop_file: StopFile::DEFAULT.into(),
        }
    }
}

impl NodeConfig {
    /// The section with all keys.
    pub const EXAMPLE: &str = r##"[node]
# Processor time that the agent and its probes may take together, as a share of one core, for all
# processes of the node: 0.1% to 100%, or "unlimited". What does not fit is watched less closely, and
# that is told. Profiles that somebody asks for come on top, and are counted by themselves.
#budget = "2%"
# Memory that the agent and the kernel's maps may take together; 64MB at least.
#memory = "256MB"
# Between two samples of each process: what metrics show is at most so old. 100ms to 1h. Where samples would
# take more than a third of what a process may have of the budget, they are up to six times as far apart.
#interval = "10s"
# Whether probes may be attached. Without them nothing of a program is touched; goroutines that live and
# die between two looks are not seen then.
#probes = true
# Whether it is remembered what is normal and what leaked, over restarts and builds, and where.
#history = true
#history_file = "/var/lib/gostray/history.db"
# While this file is there, and root's, nothing is watched: all let go at once.
#stop_file = "/run/gostray/stop"
"##;
}

#[cfg(test)]
mod tests {
    use super::NodeConfig;

    #[test]
    fn the_example_has_all_keys_at_their_defaults() {
        let example = NodeConfig::EXAMPLE.replace("\n#", "\n");
        let lines = example
            .lines()
            .filter(|line| line.contains(" = ") && !line.starts_with(' '));
        let keys: Vec<&str> = lines.collect();
        let text = keys.join("\n");
        let parsed: NodeConfig = toml::from_str(&text).expect("it is TOML");
        assert_eq!(parsed, NodeConfig::default());
        assert_eq!(keys.len(), 7);
    }
}
