//! `gostray prove`: its model; one file a format.

mod evidence;
mod pprof;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
mod text;
mod why;

use std::{borrow::Cow, cmp::Reverse, collections::BTreeMap};

use serde::Serialize;

pub use why::{Step, Why, WhyVerdict};

use super::{Place, ProcessInfo, Unknown, WaitsOn};

/// Goroutines that can never wake again, what they retain, and those of which that is not sure.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// The process.
    pub process: ProcessInfo,
    /// Its pid; null where a core file does not say.
    pub pid: Option<i32>,
    /// When the last pass began, RFC 3339.
    pub taken_at: String,
    /// Passes over the heap that agreed.
    pub passes: u32,
    /// Goroutines that one pass did not reach, of which a later one said that they are alive: so fast the
    /// program carries pointers from place to place. Where there are any, more passes are made.
    pub found_later: u64,
    /// Goroutines alive at the last pass, the runtime's own included.
    pub goroutines: u64,
    /// Of those, the ones that wait for another goroutine: on channels, locks, groups, conditions.
    pub candidates: u64,
    /// Proven, in groups that have everything in common; [`Proof::sort`] has the order.
    pub leaked: Vec<LeakedGroup>,
    /// What several groups of `leaked` reach, and nothing that lives.
    pub shared: Shared,
    /// Candidates that are not proven, those most in number first.
    pub unproven: Vec<UnprovenGroup>,
    /// The heap that was looked through, in the last pass.
    pub heap: HeapRead,
    /// How exactly, in the last pass.
    pub precision: Precision,
    /// From the first look to the last, the pauses included.
    pub duration_seconds: f64,
    /// Processor time of gostray meanwhile.
    pub agent_cpu_seconds: Option<f64>,
    /// What could not be read or followed, and how often.
    pub defects: BTreeMap<Cow<'static, str>, u64>,
    /// Why a field is null.
    pub unknown: Unknown,
}

/// Proven goroutines that have everything in common.
#[derive(Clone, Debug, Serialize)]
pub struct LeakedGroup {
    /// How many.
    pub count: u64,
    /// The runtime's word for what they wait for.
    pub wait_reason: Option<String>,
    /// The `go` statement; null for the main goroutine.
    pub created_at: Option<Place>,
    /// The function it starts.
    pub start: Place,
    /// Where they are, innermost first.
    pub stack: Option<Vec<Place>>,
    /// The program's own line they wait at.
    pub blocked_at: Option<Place>,
    /// What they wait on, as in a snapshot: at most ten things, those that most wait on first.
    pub waits_on: Vec<WaitsOn>,
    /// Heap objects that only they reach.
    pub retained_bytes: Option<u64>,
    /// How many objects that are.
    pub retained_objects: Option<u64>,
    /// What they reach together with other leaked groups, and nothing that lives.
    pub shared_bytes: Option<u64>,
    /// Their stacks together.
    pub stack_bytes: u64,
    /// At least so long the first of them has waited.
    pub oldest_seconds: Option<f64>,
    /// pprof labels; null when they have none.
    pub labels: Option<BTreeMap<String, String>>,
    /// All of them.
    pub goids: Vec<u64>,
    /// What the proof rests on.
    pub proof: Ground,
    /// Why a field is null.
    pub unknown: Unknown,
}

/// What a proof rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// Nothing that lives leads to what they wait on.
    Unreachable,
    /// They wait on a nil channel, or in a select without cases, which ends never.
    NilChannel,
    /// The runtime's own detector has found them (`_Gleaked`, Go 1.26 and later).
    Runtime,
}

/// What several leaked groups reach together. Counted once here, and in none of their
/// `retained_bytes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shared {
    /// Of heap objects.
    pub bytes: u64,
    /// How many objects.
    pub objects: u64,
    /// How many groups share them.
    pub groups: u64,
}

/// Goroutines that wait, of which it is not proven that they leak.
#[derive(Clone, Debug, Serialize)]
pub struct UnprovenGroup {
    /// How many.
    pub count: u64,
    /// The runtime's word for what they wait for.
    pub wait_reason: Option<String>,
    /// The `go` statement; null for the main goroutine.
    pub created_at: Option<Place>,
    /// The function it starts.
    pub start: Place,
    /// Where they are, innermost first.
    pub stack: Option<Vec<Place>>,
    /// The program's own line they wait at.
    pub blocked_at: Option<Place>,
    /// At least so long the first of them has waited.
    pub oldest_seconds: Option<f64>,
    /// All of them.
    pub goids: Vec<u64>,
    /// Why there is no proof, for programs.
    pub reason: Doubt,
    /// The same for people.
    pub sentence: String,
    /// Why a field is null.
    pub unknown: Unknown,
}

/// Why a goroutine is not proven to leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Something that lives leads to what it waits on.
    Reachable,
    /// It ran, ended or waited for another thing between two passes.
    Ran,
    /// What it waits on, or what leads there, could not be made out.
    Unclear,
}

/// The heap that was looked through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HeapRead {
    /// Of the spans in use.
    pub bytes: u64,
    /// Objects they have.
    pub objects: u64,
    /// Spans in use.
    pub spans: u64,
    /// Objects that something living leads to.
    pub reached_objects: u64,
    /// Of those, the bytes.
    pub reached_bytes: u64,
}

/// How exactly pointers were told from other words. Where they cannot be told every word counts as a
/// pointer: that can only lose proofs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Precision {
    /// Stacks of which the program's own maps tell the live pointers.
    pub precise_stacks: u64,
    /// Stacks of which some words, or all, were looked at without.
    pub conservative_stacks: u64,
    /// What was looked at word by word (stacks, objects, variables), and how many of them.
    pub conservative: BTreeMap<Cow<'static, str>, u64>,
}

impl Proof {
    /// How many goroutines are proven to leak.
    #[must_use]
    pub fn proven(&self) -> u64 {
        self.leaked.iter().map(|group| group.count).sum()
    }

    /// How many are candidates without a proof.
    #[must_use]
    pub fn not_proven(&self) -> u64 {
        self.unproven.iter().map(|group| group.count).sum()
    }

    /// Heap memory that all leaked groups retain, what they share included; `None` where it is not
    /// known of one of them.
    #[must_use]
    pub fn retained_bytes(&self) -> Option<u64> {
        let groups = self.leaked.iter().map(|group| group.retained_bytes);
        let own = groups.sum::<Option<u64>>()?;
        Some(own.saturating_add(self.shared.bytes))
    }

    /// Puts those that take most memory first, then those that are most.
    pub fn sort(&mut self) {
        let weight = |group: &LeakedGroup| {
            let retained = group.retained_bytes.unwrap_or(0);
            (retained.saturating_add(group.stack_bytes), group.count)
        };
        self.leaked
            .sort_by(|a, b| (Reverse(weight(a)), &a.goids).cmp(&(Reverse(weight(b)), &b.goids)));
        self.unproven
            .sort_by(|a, b| (Reverse(a.count), &a.goids).cmp(&(Reverse(b.count), &b.goids)));
    }
}
