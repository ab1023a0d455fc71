//! Which Go programs run on this machine, who they are, and which of them are watched.
//!
//! Everything read here belongs to strangers. It is bounded, opened so that it cannot lead elsewhere, and
//! read under a time limit where a target could make it wait.

/// Containers and pods from the paths of cgroups.
pub mod cgroup;
/// Services from the environment.
pub mod environment;
mod discovery;
mod events;
mod go;
mod identity;
mod machine;
/// Names and labels of pods.
pub mod kubernetes;
mod patience;
mod proc_files;
mod rules;
mod told;
/// Files below `/proc/PID/root`.
pub mod root;
#[cfg(test)]
mod running;

pub use discovery::{Discovery, Seen};
pub use identity::{Pods, identify};
pub use rules::{Decision, Rule, RuleList, Rules, RulesConfig};

/// The container that process `pid` runs in, as far as its cgroups' paths tell.
#[must_use]
pub fn container_id(pid: i32) -> Option<String> {
    let lines = proc_files::cgroups(pid).ok()?;
    let container = cgroup::Placement::of_lines(&lines).container?;
    Some(container.id)
}
