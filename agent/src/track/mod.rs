//! Lifetimes and series for each creation site. No I/O, no clock: moments come in as numbers.

mod lifetimes;
mod series;
mod site;

pub use lifetimes::Lifetimes;
pub use series::{POINTS, Point, SCALES, Series};
pub use site::{Counts, Living, Observation, Site, Tracker};
