//! The governor: how much watching may cost, what it does cost, and how much is watched therefore.
//!
//! Numbers in, decisions out: no clock, no kernel. `probes` enforces (`Bucket`), `session` measures
//! and carries the decisions out.

mod account;
mod bucket;
mod budget;
mod choice;
mod costs;
mod load;
mod mode;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod words;

pub use account::Account;
pub use bucket::Bucket;
pub use budget::{Budget, BudgetError, MemoryBudget, bytes_of};
pub use choice::{Change, Governor, Tick};
pub use costs::{HitCosts, Hits, KindHits};
pub use load::{Load, Loads};
pub use mode::Mode;
pub use words::in_words;
