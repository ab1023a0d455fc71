//! What gostray says, as data.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::{Impact, LeakHistory, OpenLeak, ProcessUse, WaitsOn, node::BucketCount};
use crate::detect::Verdict;

/// A place in the program's source. `None` where the binary does not tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The function as Go writes it.
    pub function: String,
    /// The file as it was named when built.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
}

/// Why a field is null: field name to reason.
pub type Unknown = BTreeMap<&'static str, String>;

/// One event of `attach`.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// When, RFC 3339.
    pub time: String,
    /// Of which process.
    pub pid: i32,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The kinds of events.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The probes are in place.
    Attached(Attached),
    /// More or less is watched from now on.
    Mode(ModeChange),
    /// All counts, every interval.
    Status(Status),
    /// A site leaks.
    Leak(Box<Leak>),
    /// A leak stopped.
    Resolved(Resolved),
    /// The probes are gone.
    Detached(Detached),
}

/// What is known of the target before it is watched.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Path of the executable when it was started.
    pub exe: String,
    /// GNU or Go build id.
    pub build_id: Option<String>,
    /// As in `go version`.
    pub go_version: String,
    /// Path of the main module.
    pub main_module: Option<String>,
    /// The commit it was built from.
    pub vcs_revision: Option<String>,
    /// The container's id.
    pub container_id: Option<String>,
    /// `amd64` or `arm64`.
    pub architecture: Cow<'static, str>,
    /// Where the offsets of the runtime's structs come from.
    pub layout: String,
}

impl ProcessInfo {
    /// Of a program whose executable nobody has looked into.
    #[must_use]
    pub fn unexamined(exe: String, container_id: Option<String>) -> Self {
        Self {
            exe,
            build_id: None,
            go_version: String::new(),
            main_module: None,
            vcs_revision: None,
            container_id,
            architecture: Cow::Borrowed(""),
            layout: String::new(),
        }
    }

    /// Whether it is one of those.
    #[must_use]
    pub fn is_unexamined(&self) -> bool {
        self.go_version.is_empty()
    }
}

/// `attached`.
#[derive(Clone, Debug, Serialize)]
pub struct Attached {
    /// The target.
    pub process: ProcessInfo,
    /// What is watched: `full`, `lifetimes`, or `census` without probes.
    pub mode: &'static str,
    /// Why so much.
    pub mode_reason: String,
    /// What agent and probes may cost together, in cores; null without a limit.
    pub budget_ratio: Option<f64>,
    /// What hits cost on this machine; null where no probes are wanted.
    pub cost_of_hits: Option<CostOfHits>,
    /// How the probes are attached.
    pub mechanism: &'static str,
    /// The probes, as `event function+offset`.
    pub probes: Vec<String>,
    /// The database that remembers; null without one.
    pub history: Option<String>,
    /// Why a field is null.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: Unknown,
}

/// What a probe's hit costs the target on this machine, in seconds of processor time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CostOfHits {
    /// At an instruction that the kernel emulates.
    pub emulated_seconds: f64,
    /// At one that it steps over out of line.
    pub stepped_seconds: f64,
    /// Of a hit that is turned away, because there are too many.
    pub refused_seconds: f64,
    /// Of a goroutine's creation and end together.
    pub goroutine_seconds: f64,
    /// What each probe adds when the target's first thread leaves a processor and comes back.
    pub switch_seconds: f64,
}

/// `mode`.
#[derive(Clone, Debug, Serialize)]
pub struct ModeChange {
    /// What is watched now: `full`, `lifetimes`, `focused` or `census`.
    pub mode: &'static str,
    /// What was watched before.
    pub previous: &'static str,
    /// Why that changed.
    pub reason: String,
    /// As in `status`.
    pub coverage: f64,
    /// How many probes are attached now.
    pub probes: usize,
}

/// What watching costs.
#[derive(Clone, Debug, Serialize)]
pub struct Overhead {
    /// CPU time of the agent since the last status, in cores; null in the first second.
    pub agent_cpu_ratio: Option<f64>,
    /// CPU time of the probes in the target since then, in cores: hits times what they cost here.
    pub target_cpu_ratio: Option<f64>,
    /// Both together.
    pub total_ratio: Option<f64>,
    /// Both together since attaching.
    pub average_ratio: Option<f64>,
    /// What they may be in the long run, in cores; null without a limit.
    pub budget_ratio: Option<f64>,
    /// How well the probes' part is known: hits are counted, what one costs is estimated.
    pub accuracy: &'static str,
    /// How often a probe was hit.
    pub probe_hits: u64,
    /// Of those, how many were turned away because they cost too much.
    pub refused_hits: u64,
    /// Memory of the agent and of the kernel's maps; null where it cannot be read.
    pub memory_bytes: Option<u64>,
    /// What that may be.
    pub memory_budget_bytes: u64,
    /// Why a figure is null.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: Unknown,
}

/// `status`.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// `full`, `lifetimes`, `focused` or `census`.
    pub mode: &'static str,
    /// Share of the creations since attaching whose goroutine is tracked, or was seen.
    pub coverage: f64,
    /// What watching costs.
    pub overhead: Overhead,
    /// Goroutines alive, those older than the agent included.
    pub goroutines: Option<u64>,
    /// All sites, those with the most living goroutines first.
    pub sites: Vec<SiteCounts>,
    /// Time between the last two looks at all goroutines; it stretches to what the budget allows.
    pub observed_every_seconds: Option<f64>,
    /// What the kernel side could not keep.
    pub drops: BTreeMap<&'static str, u64>,
    /// How far probes and census are apart; null before both have looked, and without probes.
    pub disagreement: Option<Disagreement>,
    /// How many probes are attached.
    pub probes: usize,
    /// What the process uses of memory and processors.
    pub process: Box<ProcessUse>,
    /// The open leaks, those that take most memory first.
    pub leaks: Vec<OpenLeak>,
    /// Why a figure is null.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: Unknown,
}

/// The probes' counts against what the census finds alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// Goroutines by which they disagreed when they were last compared.
    pub goroutines: u64,
    /// Goroutines by which the counts have been put right since attaching, of all sites.
    pub repaired: u64,
}

/// A creation site's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SiteName {
    /// Stable for one build of the program: address of the `go` statement as linked.
    pub id: String,
    /// The `go` statement.
    pub created_at: Place,
    /// The function it starts.
    pub start: Place,
}

/// One site's counts.
#[derive(Clone, Debug, Serialize)]
pub struct SiteCounts {
    /// Which site.
    pub site: SiteName,
    /// Goroutines created since attaching and alive.
    pub live: u64,
    /// Goroutines created since attaching.
    pub created: u64,
    /// Of those created, the ended.
    pub exited: u64,
    /// Goroutines that ended and were older than the agent.
    pub exited_older: u64,
    /// Goroutines alive that are older than gostray, at least; null before the first census.
    pub older: Option<u64>,
    /// `exact`; `repaired` when events were lost and a census put the counts right; `estimated`
    /// when they were lost; `sampled` when there were no probes for some of the time, and those that
    /// lived and died between two censuses then were not seen.
    pub accuracy: &'static str,
    /// Of the ended ones; null before the first.
    pub lifetime_seconds: Option<Lifetime>,
    /// The histogram behind these quantiles, by powers of two; buckets without a count are left out.
    #[serde(skip)]
    pub lifetimes: Vec<BucketCount>,
    /// Age of the oldest living one created since attaching.
    pub oldest_seconds: Option<f64>,
    /// Parks for each wait reason; null unless they are watched.
    pub parks: Option<Vec<Parks>>,
    /// It belongs to the Go runtime.
    pub system: bool,
    /// Survivors growing at the moment, as the detection rule sees them.
    #[serde(skip)]
    pub growing: bool,
}

/// Parks of a site for one reason.
#[derive(Clone, Debug, Serialize)]
pub struct Parks {
    /// The runtime's word for it.
    pub wait_reason: String,
    /// How often.
    pub count: u64,
}

/// Quantiles of lifetimes in seconds, right within a factor of two; `max` as exact as the kernel
/// side could keep it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Lifetime {
    /// Half lived no longer.
    pub p50: f64,
    /// Nine in ten lived no longer.
    pub p90: f64,
    /// 99 in 100 lived no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// Goroutines of a site from some age on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Aged {
    /// The age.
    pub older_than_seconds: f64,
    /// How many live that are older.
    pub count: u64,
}

/// `leak`.
#[derive(Clone, Debug, Serialize)]
pub struct Leak {
    /// How sure.
    #[serde(serialize_with = "verdict")]
    pub verdict: Verdict,
    /// The rule that found it.
    pub rule: &'static str,
    /// Where.
    pub site: SiteName,
    /// Goroutines created since attaching and alive.
    pub live: u64,
    /// Goroutines of the site alive that are older than gostray, at least; null when not known.
    pub older: Option<u64>,
    /// Goroutines created since attaching.
    pub created: u64,
    /// Of those created, the ended.
    pub exited: u64,
    /// How well these counts are known, as in `status`.
    pub accuracy: &'static str,
    /// Lost for each minute.
    pub growth_per_minute: f64,
    /// What most of the lost ones looked at wait for.
    pub wait_reason: Option<String>,
    /// The program's own line they wait at.
    pub blocked_at: Option<Place>,
    /// The parked stack most of them share, innermost first.
    pub stack: Option<Vec<Place>>,
    /// The stack a goroutine of this site was created on, innermost first.
    pub created_by: Option<Vec<Place>>,
    /// Recognised pattern.
    pub pattern: Option<String>,
    /// Why this is a leak.
    pub evidence: Vec<String>,
    /// What to change.
    pub advice: Option<String>,
    /// Go code that does it.
    pub example: Option<String>,
    /// What the lost ones looked at wait on: at most ten things, those that most wait on first.
    pub waits_on: Vec<WaitsOn>,
    /// Stack memory of the living goroutines, extrapolated from the ones looked at.
    pub stack_bytes: Option<u64>,
    /// Heap memory that only the proven ones lead to; null before there is a proof.
    pub retained_bytes: Option<u64>,
    /// How many objects that is.
    pub retained_objects: Option<u64>,
    /// Age of the oldest.
    pub oldest_seconds: Option<f64>,
    /// As in `status`.
    pub coverage: f64,
    /// How many are older than some ages, those older than gostray always.
    pub older_than: Vec<Aged>,
    /// The pprof labels of one of them.
    pub labels: BTreeMap<String, String>,
    /// Why it is known and left alone; null where it is not.
    pub suppressed: Option<String>,
    /// What is known of it from runs before; null without a database.
    pub history: Option<LeakHistory>,
    /// Some of the goroutines, by their ids.
    pub goids: Vec<u64>,
    /// What it does to the process.
    pub impact: Impact,
    /// Why a field is null.
    pub unknown: Unknown,
}

/// `resolved`.
#[derive(Clone, Debug, Serialize)]
pub struct Resolved {
    /// Where.
    pub site: SiteName,
    /// Goroutines alive now.
    pub live: u64,
    /// Why it counts as resolved.
    pub evidence: Vec<String>,
    /// `resolved`, or `verified` where this build was shown to be without the leak of another.
    pub state: &'static str,
}

/// Why watching ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DetachReason {
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// `--duration` is over.
    Duration,
    /// The process ended.
    Exited,
    /// The process became another program.
    Exec,
    /// Nobody reads the output any more.
    OutputClosed,
    /// The stop file is there.
    StopFile,
}

/// `detached`.
#[derive(Clone, Debug, Serialize)]
pub struct Detached {
    /// Why.
    pub reason: DetachReason,
    /// Whether the kernel confirmed in time that the probes are gone.
    pub clean: bool,
    /// How long it was watched.
    pub watched_seconds: f64,
    /// Leaks reported.
    pub leaks: usize,
    /// Of those, how many are known and left alone.
    pub suppressed: usize,
}

pub(super) fn verdict<S: serde::Serializer>(
    verdict: &Verdict,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(verdict.as_str())
}
