//! Rules that turn series into verdicts with evidence. No I/O, no clock.

mod accumulation;
mod incidents;
pub mod pattern;
mod standing;

use std::time::Duration;

use crate::track::Site;

pub use accumulation::Accumulation;
pub use incidents::{Change, Incidents};
pub use standing::Standing;

/// How sure a verdict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Something is unusual, though nothing grows yet.
    Suspect,
    /// Survivors accumulate while the load does not rise.
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
    /// Why, in sentences for people.
    pub evidence: Vec<String>,
}

/// A detection rule. Stateless towards its caller: what it knows is in the site's series.
pub trait Rule {
    /// A short name, for reports and logs.
    fn name(&self) -> &'static str;

    /// Judges `site` after an observation.
    fn judge(&self, site: &Site) -> Judgement;
}

/// What the rules say together: the surest finding, and which rule made it.
#[must_use]
pub fn judge(rules: &[Box<dyn Rule>], site: &Site) -> (Judgement, Option<&'static str>) {
    let mut result = (Judgement::Fine, None);
    for rule in rules {
        let judgement = rule.judge(site);
        let better = match (&judgement, &result.0) {
            (Judgement::Leak(new), Judgement::Leak(known)) => new.verdict > known.verdict,
            (Judgement::Leak(_), _) | (Judgement::Recheck, Judgement::Fine) => true,
            _ => false,
        };
        if better {
            result = (judgement, Some(rule.name()));
        }
    }
    result
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
