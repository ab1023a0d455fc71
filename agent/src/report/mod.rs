//! The one serializable model, and its renderers. What a program reads is fixed by the output
//! contract: fields may be added, never renamed.

mod impact;
mod history;
mod json;
mod model;
pub mod node;
mod pprof;
mod proof;
#[cfg(test)]
pub(crate) mod samples;
mod snapshot;
mod text;
mod time;
mod words;

pub use history::{History, HistoryBuild, HistoryIncident, LeakHistory};
pub use impact::{Impact, OpenLeak, ProcessUse};
pub use json::JsonLines;
pub use model::{
    Aged, Attached, CostOfHits, DetachReason, Detached, Disagreement, Event, EventKind, Leak,
    Lifetime, ModeChange, Overhead, Parks, Place, ProcessInfo, Resolved, SiteCounts, SiteName,
    Status, Unknown,
};
pub use proof::{
    Doubt, Ground, HeapRead, LeakedGroup, Precision, Proof, Shared, Step, UnprovenGroup, Why,
    WhyVerdict,
};
pub use snapshot::{
    Change, Diff, DiffError, Filter, Group, GroupBy, Moment, SavedError, Snapshot, Waited, WaitsOn,
};
pub use text::Text;
pub(crate) use time::nanoseconds;
pub use time::{timestamp, timestamp_of};
pub(crate) use words::{harmless, is_obeyed, size};

/// Writes events as they come.
pub trait Renderer {
    /// Writes one event and lets it be seen.
    ///
    /// # Errors
    /// The output's.
    fn event(&mut self, event: &Event) -> std::io::Result<()>;
}
