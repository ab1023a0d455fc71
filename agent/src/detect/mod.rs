//! Rules that turn series into verdicts with evidence. No I/O, no clock.

mod accumulation;
mod backlog;
mod combine;
pub mod impact;
mod baseline;
mod fate;
mod incidents;
mod outliving;
#[cfg(test)]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of a simulation are small"
)]
mod simulation;
pub mod pattern;
mod standing;
mod suppress;
#[cfg(test)]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of a simulation are small"
)]
mod tests;
mod trend;

use std::time::Duration;

use crate::track::Site;

pub use accumulation::Accumulation;
pub use backlog::Backlog;
pub use baseline::{Bucket, HOURS, Hour, Normal, Unusual};
pub use combine::judge;
pub use fate::{BuildRecord, Missing, Proof, State, Taken, prove};
pub use incidents::{Change, Incidents};
pub use outliving::Outliving;
pub use standing::Standing;
pub use suppress::{Subject, Suppression};

/// How sure a verdict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Something is unusual, though nothing grows yet.
    Suspect,
    /// Goroutines get old and more and more, while the load does not rise.
    Likely,
    /// What they wait for cannot come any more.
    Proven,
}

/// What a rule says about one site after an observation.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// Nothing is wrong.
    Fine,
    /// Not seen enough yet.
    Recheck,
    /// It leaks.
    Leak(Finding),
}

/// A verdict and what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How sure.
    pub verdict: Verdict,
    /// Goroutines lost for each minute.
    pub growth_per_minute: f64,
    /// Over how long that was watched.
    pub watched: Duration,
    /// What only the goroutines' pattern can clear up.
    pub doubt: Option<Doubt>,
    /// Why, in sentences for people.
    pub evidence: Vec<String>,
}

/// Why a finding may be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// They run now and then: a leak only if they do nothing but go round for ever.
    AtWork,
    /// They end, if late: a leak only if they queue for something that lets too few through.
    Served,
}

/// A detection rule. Stateless towards its caller: what it knows is in the site's series.
pub trait Rule {
    /// A short name, for reports and logs.
    fn name(&self) -> &'static str;

    /// Judges `site` after an observation.
    fn judge(&self, site: &Site) -> Judgement;
}

impl Verdict {
    /// The word for it in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suspect => "suspect",
            Self::Likely => "likely",
            Self::Proven => "proven",
        }
    }
}
