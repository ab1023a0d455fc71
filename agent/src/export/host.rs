//! The machine and the agent on it, as sinks name them.

use std::fs;

/// Who tells all this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostIdentity {
    /// `host.name`.
    pub name: String,
    /// `host.id`: the machine's id; `None` where there is none.
    pub id: Option<String>,
    /// The agent's version.
    pub version: &'static str,
    /// `service.instance.id` of the agent: another one each time it is started.
    pub instance: String,
}

impl HostIdentity {
    /// Of this machine, and of an agent that starts now.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let line = |path: &str| {
            let text = fs::read_to_string(path).ok()?;
            let line = text.trim();
            (!line.is_empty()).then(|| line.to_owned())
        };
        let name = line("/proc/sys/kernel/hostname");
        let instance = line("/proc/sys/kernel/random/uuid");
        Self {
            name: name.unwrap_or_else(|| "unknown".into()),
            id: line("/etc/machine-id"),
            version: env!("CARGO_PKG_VERSION"),
            instance: instance.unwrap_or_else(|| std::process::id().to_string()),
        }
    }

    #[cfg(test)]
    pub(crate) fn sample() -> Self {
        Self {
            name: "node-1".into(),
            id: Some("5ca1ab1e".repeat(4)),
            version: "0.1.0",
            instance: "11111111-2222-4333-8444-555555555555".into(),
        }
    }
}
