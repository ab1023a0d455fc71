//! `gostray snapshot`: its model; one file a format.

mod diff;
mod filter;
mod folded;
mod flame_graph;
mod group_by;
mod pprof;
#[cfg(test)]
pub(super) mod samples;
mod saved;
mod text;

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Deserializer, Serialize};

pub use diff::{Change, Diff, DiffError, Moment};
pub use filter::Filter;
pub use group_by::GroupBy;
pub use saved::SavedError;
pub(super) use text::{Others, label, program, stack_lines, started, things, waited};

use super::{Place, ProcessInfo, Unknown};

/// All goroutines of a process, grouped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// The process.
    pub process: ProcessInfo,
    /// Its pid; null where a core file does not say.
    pub pid: Option<i32>,
    /// When, RFC 3339.
    pub taken_at: String,
    /// Goroutines alive, the runtime's own included.
    pub goroutines: u64,
    /// Goroutines with the same place, state and stack; the largest group first.
    pub groups: Vec<Group>,
    /// What could not be read, and of how many goroutines.
    pub defects: BTreeMap<Cow<'static, str>, u64>,
}

/// Goroutines that have everything in common.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// As in Go's tracebacks: `waiting`, `syscall`, `runnable`, …
    pub state: Cow<'static, str>,
    /// The runtime's word for what they wait for; null unless they wait.
    pub wait_reason: Option<String>,
    /// The `go` statement; null for the main goroutine.
    pub created_at: Option<Place>,
    /// The function it starts.
    pub start: Place,
    /// It belongs to the Go runtime.
    pub system: bool,
    /// Where they are, innermost first; null while they run.
    pub stack: Option<Vec<Place>>,
    /// At least so long the first of them has waited.
    pub oldest_seconds: Option<f64>,
    /// Estimated age of the oldest, from its number among those of known age.
    #[serde(default)]
    pub age_seconds: Option<f64>,
    /// Their stacks together.
    #[serde(default)]
    pub stack_bytes: u64,
    /// pprof labels; null when they have none.
    pub labels: Option<BTreeMap<String, String>>,
    /// What they wait on: at most ten things, those that most wait on first.
    #[serde(default)]
    pub waits_on: Vec<WaitsOn>,
    /// How many of them are locked to their thread.
    #[serde(default)]
    pub locked_to_thread: u64,
    /// The kernel's ids of these threads, at most ten.
    #[serde(default)]
    pub locked_threads: Vec<u64>,
    /// At most ten of them, the oldest.
    pub goids: Vec<u64>,
    /// Who created those in `goids`, one for each; 0 where that is not known (before Go 1.21).
    #[serde(default)]
    pub parent_goids: Vec<u64>,
    /// Why a field is null, or does not hold for all of a merged group.
    #[serde(default, deserialize_with = "read_unknown")]
    pub unknown: Unknown,
}

/// Reasons of a saved snapshot, for the fields of which this gostray knows them.
fn read_unknown<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Unknown, D::Error> {
    const FIELDS: [&str; 8] = [
        "age_seconds",
        "created_at",
        "labels",
        "oldest_seconds",
        "parent_goids",
        "stack",
        "start",
        "wait_reason",
    ];
    let mut read = BTreeMap::<String, String>::deserialize(deserializer)?;
    let known = |field| read.remove(field).map(|reason| (field, reason));
    Ok(FIELDS.into_iter().filter_map(known).collect())
}

/// A thing that goroutines wait on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitsOn {
    /// How many of the group wait on it.
    pub count: u64,
    /// What it is.
    #[serde(flatten)]
    pub what: Waited,
}

/// What goroutines wait on. Addresses are hexadecimal, in the target's memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Waited {
    /// A channel.
    Channel {
        /// Of the channel (`runtime.hchan`).
        address: String,
        /// Elements in its buffer.
        length: u64,
        /// Room in its buffer.
        capacity: u64,
    },
    /// A nil channel: for ever.
    NilChannel,
    /// `sync.Mutex`.
    Mutex {
        /// Of the mutex.
        address: String,
    },
    /// `sync.RWMutex`.
    RwMutex {
        /// Of the mutex.
        address: String,
    },
    /// `sync.WaitGroup`.
    WaitGroup {
        /// Of the group.
        address: String,
    },
    /// `sync.Cond`.
    Cond {
        /// Of the condition.
        address: String,
    },
    /// A semaphore of the runtime that belongs to none of the above.
    Semaphore {
        /// Of its counter.
        address: String,
    },
    /// The clock.
    Timer {
        /// Until the next of them is to wake, from the moment of the snapshot; negative when it
        /// is due.
        wakes_in_seconds: f64,
    },
    /// The network poller.
    Network {
        /// File descriptor of the process.
        fd: u64,
        /// `tcp`, `udp`, `unix`, …; null when the descriptor could not be looked up.
        protocol: Option<String>,
        /// Its own address.
        local: Option<String>,
        /// The peer's address.
        remote: Option<String>,
    },
}

impl Snapshot {
    /// Leaves only the groups that are wanted. `goroutines` stays the number of all.
    pub fn retain(&mut self, filter: &Filter) {
        self.groups.retain(|group| {
            filter.wants(
                &group.state,
                group.wait_reason.as_deref(),
                group.oldest_seconds,
            )
        });
    }
}
