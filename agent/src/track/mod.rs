//! Lifetimes and series for each creation site. No I/O, no clock: moments come in as numbers.

mod census;
mod ledger;
mod lifetimes;
mod series;
mod site;
mod tracker;

pub use census::{CensusObservation, Counted, Goids};
pub use ledger::Ledger;
pub use lifetimes::Lifetimes;
pub use series::{POINTS, Point, SCALES, Series};
pub use site::{Accuracy, Counts, Older, Site};
pub use tracker::{Living, Observation, Seen, Tracker};
