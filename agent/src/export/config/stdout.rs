//! `[stdout]`.

use serde::Deserialize;

use super::{Events, Period};

/// Events as JSON lines.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StdoutConfig {
    /// Which events.
    pub events: Events,
    /// How often a `status` line of each process is written; never unless given.
    pub status: Option<Period<1000, 86_400_000>>,
}

impl StdoutConfig {
    /// The section with all its keys.
    pub const EXAMPLE: &str = r#"# Events as JSON lines on stdout, as `gostray attach --format json` writes them, with the process and
# where it runs under "target".
[stdout]

# Which events: "leaks" (leaks and resolved ones), "all" (also attached, mode and detached), "none".
# Default: "leaks".
#events = "leaks"

# How often a "status" line with all counts of each process is written, from 1s to 24h.
# Default: never.
#status = "60s"
"#;
}
