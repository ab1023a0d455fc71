//! A cgroup and those above it, and which of them has the least room.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{
    LimitKind, MemoryLimit, MemoryLimitError,
    groups::{Group, Version, mounts},
    text,
};
use crate::target::HostMemory;

/// Levels that are looked at.
const DEEPEST: usize = 64;

/// One version's names of its files.
struct Files {
    limit: &'static str,
    used: &'static str,
    high: Option<&'static str>,
    /// The field of `memory.stat` with the page cache that goes first.
    inactive_file: &'static str,
}

impl Version {
    fn files(self) -> Files {
        match self {
            Self::V1 => Files {
                limit: "memory.limit_in_bytes",
                used: "memory.usage_in_bytes",
                high: None,
                inactive_file: "total_inactive_file",
            },
            Self::V2 => Files {
                limit: "memory.max",
                used: "memory.current",
                high: Some("memory.high"),
                inactive_file: "inactive_file",
            },
        }
    }
}

/// The visible part of a hierarchy, down to one cgroup.
#[derive(Debug)]
pub(super) struct Tree {
    version: Version,
    /// Where the topmost directory is that can be seen.
    top: PathBuf,
    /// Its path in the hierarchy, without a slash at the end.
    top_path: String,
    /// From there to the cgroup.
    below: Vec<String>,
}

impl Tree {
    /// The cgroup as one of the mounts shows it; `mountinfo` is that of a process whose root directory
    /// is at `root`.
    pub(super) fn find(group: &Group, mountinfo: &str, root: &Path) -> Option<Self> {
        mounts(mountinfo, group.version)
            .into_iter()
            .filter_map(|mount| {
                let top_path = mount.root.trim_end_matches('/');
                let below = group.path.strip_prefix(top_path)?;
                if !(below.is_empty() || below.starts_with('/')) {
                    return None;
                }
                let below: Vec<String> = below
                    .split('/')
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect();
                // So the kernel writes what is outside of the reader's cgroup namespace.
                if below.iter().any(|name| name == "..") {
                    return None;
                }
                Some(Self {
                    version: group.version,
                    top: root.join(mount.point.trim_start_matches('/')),
                    top_path: top_path.to_owned(),
                    below,
                })
            })
            // The mount that shows the most levels.
            .max_by_key(|tree| tree.below.len())
            .filter(|tree| tree.top.is_dir())
    }

    /// The limit with the least room of all levels, or the machine's.
    pub(super) fn tightest(&self, host: HostMemory) -> Result<MemoryLimit, MemoryLimitError> {
        if self.below.len() > DEEPEST {
            return Err(MemoryLimitError::TooDeep { bound: DEEPEST });
        }
        let files = self.version.files();
        let mut tightest: Option<MemoryLimit> = None;
        let mut lowest_high: Option<u64> = None;
        for depth in 0..=self.below.len() {
            let (directory, path) = self.level(depth);
            let is_own = depth == self.below.len();
            if !is_own && !counts_below(&directory, self.version)? {
                continue;
            }
            if let Some(high) = files.high.map(|name| number(&directory.join(name))) {
                let high = high?.filter(|high| *high < host.total);
                lowest_high = lowest_high.into_iter().chain(high).min();
            }
            let limit = number(&directory.join(files.limit))?;
            // None is a number beyond all memory in version 1.
            let Some(limit) = limit.filter(|limit| *limit < host.total) else {
                continue;
            };
            let here = MemoryLimit {
                kind: match self.version {
                    Version::V1 => LimitKind::CgroupV1(path),
                    Version::V2 => LimitKind::CgroupV2(path),
                },
                limit,
                used: used(&directory, &files)?,
                high: None,
            };
            if tightest.as_ref().is_none_or(|t| here.room() < t.room()) {
                tightest = Some(here);
            }
        }
        let limit = tightest.unwrap_or_else(|| MemoryLimit::of_host(host, None));
        Ok(MemoryLimit {
            high: lowest_high,
            ..limit
        })
    }

    /// The directory and the cgroup's path, `depth` levels below the topmost.
    fn level(&self, depth: usize) -> (PathBuf, String) {
        let mut directory = self.top.clone();
        let mut path = self.top_path.clone();
        for name in &self.below[..depth] {
            directory.push(name);
            path.push('/');
            path.push_str(name);
        }
        if path.is_empty() {
            path.push('/');
        }
        (directory, path)
    }
}

/// Whether what is below counts here: on old kernels that is a choice in version 1.
fn counts_below(directory: &Path, version: Version) -> Result<bool, MemoryLimitError> {
    match version {
        Version::V2 => Ok(true),
        Version::V1 => Ok(number(&directory.join("memory.use_hierarchy"))? != Some(0)),
    }
}

/// What is used, less the page cache that goes first.
fn used(directory: &Path, files: &Files) -> Result<u64, MemoryLimitError> {
    let path = directory.join(files.used);
    let used = number(&path)?.ok_or_else(|| MemoryLimitError::NoNumber {
        path,
        found: "nothing".into(),
    })?;
    let statistics = text(&directory.join("memory.stat"))?;
    let inactive = field(&statistics, files.inactive_file).unwrap_or(0);
    Ok(used.saturating_sub(inactive))
}

/// A line `name value`.
fn field(lines: &str, name: &str) -> Option<u64> {
    lines.lines().find_map(|line| {
        let value = line.strip_prefix(name)?.strip_prefix(' ')?;
        value.trim().parse().ok()
    })
}

/// A file with a number of bytes; `None` where it says `max`, and where there is no such file: the
/// root has none, nor have cgroups for which memory is not counted.
fn number(path: &Path) -> Result<Option<u64>, MemoryLimitError> {
    const SHOWN: usize = 40;
    let text = match text(path) {
        Err(MemoryLimitError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
            return Ok(None);
        }
        text => text?,
    };
    match text.trim() {
        "max" => Ok(None),
        digits => digits
            .parse()
            .map(Some)
            .map_err(|_| MemoryLimitError::NoNumber {
                path: path.to_owned(),
                found: digits.chars().take(SHOWN).collect(),
            }),
    }
}
