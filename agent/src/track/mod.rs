//! Lifetimes and series for each creation site. No I/O, no clock: moments come in as numbers.

mod census;
mod ledger;
mod lifetimes;
mod rest;
mod series;
mod site;
mod tracker;

pub use census::{CensusObservation, Counted, Goids};
pub use ledger::Ledger;
pub use lifetimes::Lifetimes;
pub use rest::{Rest, SAMPLE, Sample, Sampled};
pub use series::{AGES, DISTANCES, POINTS, Point, Series};
pub use site::{Accuracy, Counts, Older, Site};
pub use tracker::{Living, Observation, Seen, Tracker};
