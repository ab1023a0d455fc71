//! What leaks do to their process, and what the process uses, as data.

use serde::Serialize;

use super::{SiteName, Unknown};
use crate::detect::Verdict;

/// What a leak does to its process. Rates are those of the last hour, or of less where it has not been
/// watched for that long.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Impact {
    /// Its place among the open leaks of the process, from 1: those that take most memory first.
    pub rank: Option<usize>,
    /// Of how many.
    pub of_leaks: usize,
    /// Goroutines by which it grows in an hour; negative where it shrinks.
    pub goroutines_per_hour: Option<f64>,
    /// Stack memory it takes in an hour.
    pub stack_bytes_per_hour: Option<f64>,
    /// RSS that comes with each goroutine, where RSS follows this leak and no other.
    pub bytes_per_goroutine: Option<f64>,
    /// Correlation of the number of goroutines with RSS, from -1 to 1.
    pub rss_correlation: Option<f64>,
    /// Correlation of the number of goroutines with the Go heap, from -1 to 1.
    pub heap_correlation: Option<f64>,
    /// Moments that these figures rest on.
    pub points: usize,
    /// Memory that goes in an hour: stacks, or all by which RSS grows where it follows the leak,
    /// whichever is more.
    pub bytes_per_hour: Option<f64>,
    /// What that is taken from: `stacks`, which is the least it can be, or `rss`.
    pub bytes_from: Option<&'static str>,
    /// The limit of memory that is reached first.
    pub limit_bytes: Option<u64>,
    /// Whose limit: `cgroup_v2`, `cgroup_v1`, or `host` for the memory of the machine.
    pub limit_kind: Option<&'static str>,
    /// The path of the cgroup whose limit it is; null for the machine's.
    pub limit_path: Option<String>,
    /// What all who share the limit use of it, without page cache that would go first.
    pub used_bytes: Option<u64>,
    /// Time until the limit is reached at this rate.
    pub seconds_to_limit: Option<f64>,
    /// Why a figure is null.
    pub unknown: Unknown,
}

/// An open leak in a `status`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OpenLeak {
    /// The site's.
    pub id: String,
    /// Where; `status` has it with its counts in `sites`.
    #[serde(skip)]
    pub site: SiteName,
    /// How sure.
    #[serde(serialize_with = "super::model::verdict")]
    pub verdict: Verdict,
    /// What it does.
    #[serde(flatten)]
    pub impact: Impact,
}

/// What the process uses.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ProcessUse {
    /// Memory in use.
    pub rss_bytes: Option<u64>,
    /// Of that, what no file is behind: heap and stacks, not code.
    pub rss_anon_bytes: Option<u64>,
    /// The Go heap: what the garbage collector takes to be alive.
    pub heap_bytes: Option<u64>,
    /// Processors kept busy since the last status, in cores; probes included.
    pub cpu_ratio: Option<f64>,
    /// Goroutines created a second since the last status, whoever created them.
    pub created_per_second: Option<f64>,
    /// The limit of memory that is reached first.
    pub memory_limit_bytes: Option<u64>,
    /// What all who share it use, without page cache that would go first.
    pub memory_used_bytes: Option<u64>,
    /// Whose limit: `cgroup_v2`, `cgroup_v1`, or `host` for the memory of the machine.
    pub memory_limit_kind: Option<&'static str>,
    /// The path of the cgroup whose limit it is; null for the machine's.
    pub memory_limit_path: Option<String>,
    /// The lowest `memory.high`, from which on the kernel slows the program down; null where there
    /// is none.
    pub memory_high_bytes: Option<u64>,
    /// `GOMEMLIMIT`, from which on the garbage collector works harder; null where there is none.
    pub go_memory_limit_bytes: Option<u64>,
    /// Why a figure is null.
    pub unknown: Unknown,
}
