//! Probes: where to attach, loading, attaching, reading the kernel's maps.
//!
//! Nothing outside knows aya. A `Probes` is attached to one process; dropping it detaches, in
//! the background, because the kernel takes its time.

mod batch;
mod calibration;
mod error;
mod exec_events;
mod guards;
mod leaving;
mod limits;
mod loader;
mod mechanism;
mod object;
mod plan;
mod programs;
mod readout;
mod stop_file;
mod watchdog;
/// Probe sites, found by decoding.
pub mod site;

pub use calibration::Calibration;
pub use error::ProbeError;
pub use exec_events::ExecEvents;
pub use leaving::wait_for_detaching;
pub use limits::Limits;
pub use mechanism::{AttachPoint, Attachment, Mechanism, PerfUprobes};
pub use object::{exec_object_bytes, object_bytes};
pub use plan::{Plan, PlannedProbe, ProbeKind, SiteChoice};
pub use programs::Probes;
pub use readout::{Births, Readout};
pub use stop_file::StopFile;
pub use watchdog::{Limit, Spent, Trip};
