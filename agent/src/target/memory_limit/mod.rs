//! How much memory a process may still take: the tightest of its cgroup's limits and of those above
//! it, and the machine's memory where none of them limits anything.
//!
//! What a cgroup uses is counted without `inactive_file`, the part of the page cache that the kernel
//! gives up first. This is how Kubernetes counts a container's working set.

mod groups;
mod levels;
#[cfg(test)]
mod tests;

use std::{fs::File, io, io::Read as _, path::Path, path::PathBuf};

use thiserror::Error;

use super::{HostMemory, HostMemoryError};
use levels::Tree;

/// Which kind of limit a process comes to first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// `memory.max` of the cgroup with this path.
    CgroupV2(String),
    /// `memory.limit_in_bytes` of the cgroup with this path.
    CgroupV1(String),
    /// No cgroup limits it: what the machine has.
    Host,
}

/// A limit of memory and how near it is, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    /// Whose.
    pub kind: LimitKind,
    /// The limit.
    pub limit: u64,
    /// What is used of it, by all who share it.
    pub used: u64,
    /// The lowest `memory.high` of all levels, beyond which the kernel slows the program down.
    pub high: Option<u64>,
}

/// Why a limit is not known.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MemoryLimitError {
    /// A file of the kernel's cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file of the kernel's holds something else than expected.
    #[error("{path} holds {found:?}, which is no number of bytes")]
    NoNumber {
        /// Which.
        path: PathBuf,
        /// Its beginning.
        found: String,
    },
    /// The process is in a cgroup that is not mounted where the agent or the process could see it.
    #[error("its cgroup {path} is in no mounted cgroup hierarchy")]
    NotMounted {
        /// Its path, as the kernel tells the agent.
        path: String,
    },
    /// Not what a cgroup's path is.
    #[error("its cgroup is nested in more than {bound} others")]
    TooDeep {
        /// How many are looked at.
        bound: usize,
    },
    /// No cgroup limits it, and of the machine it is not known either.
    #[error(transparent)]
    Host(#[from] HostMemoryError),
}

impl MemoryLimit {
    /// The limit that process `pid` comes to first.
    ///
    /// # Errors
    /// The kernel's files cannot be read.
    pub fn of(pid: i32) -> Result<Self, MemoryLimitError> {
        let proc = PathBuf::from(format!("/proc/{pid}"));
        let own_groups = text(&proc.join("cgroup"))?;
        let host = HostMemory::now()?;
        let Some(group) = groups::memory_group(&own_groups) else {
            return Ok(Self::of_host(host, None));
        };
        // As the agent sees the hierarchy, levels above a container included; else as the process
        // does, which may be all there is if the agent itself is in a container.
        let agents = text(Path::new("/proc/self/mountinfo"))?;
        let tree = match Tree::find(&group, &agents, Path::new("/")) {
            Some(tree) => tree,
            None => {
                let targets = text(&proc.join("mountinfo"))?;
                Tree::find(&group, &targets, &proc.join("root")).ok_or_else(|| {
                    MemoryLimitError::NotMounted {
                        path: group.path.clone(),
                    }
                })?
            }
        };
        tree.tightest(host)
    }

    /// Bytes until it is reached.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    fn of_host(host: HostMemory, high: Option<u64>) -> Self {
        Self {
            kind: LimitKind::Host,
            limit: host.total,
            used: host.total.saturating_sub(host.available),
            high,
        }
    }
}

impl LimitKind {
    /// The word for it in reports.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::CgroupV2(_) => "cgroup_v2",
            Self::CgroupV1(_) => "cgroup_v1",
            Self::Host => "host",
        }
    }

    /// The cgroup's path.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::CgroupV2(path) | Self::CgroupV1(path) => Some(path),
            Self::Host => None,
        }
    }
}

/// A file of the kernel's; of a machine with very many mounts the first eight megabytes.
fn text(path: &Path) -> Result<String, MemoryLimitError> {
    const MOST: u64 = 8 << 20;
    let failed = |source| MemoryLimitError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MOST).read_to_end(&mut bytes).map_err(failed)?;
    // Names of mounts need not be UTF-8; those of cgroups with limits are.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
