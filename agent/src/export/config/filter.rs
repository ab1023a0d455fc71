//! Which events a sink wants.

use serde::Deserialize;

use crate::{
    detect::Verdict,
    report::{Event, EventKind},
};

/// The events of a sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Events {
    /// Leaks, and those that are resolved.
    #[default]
    Leaks,
    /// Those, and when a process is attached to, watched in another way, or let go.
    All,
    /// None.
    None,
}

impl Events {
    /// Whether `event` is among them. A status never is: it comes with the samples.
    #[must_use]
    pub fn has(self, event: &Event) -> bool {
        match (&event.kind, self) {
            (EventKind::Status(_), _) | (_, Self::None) => false,
            (EventKind::Leak(_) | EventKind::Resolved(_), _) => true,
            (_, wanted) => wanted == Self::All,
        }
    }
}

/// How sure one has to be of a leak, for it to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WantedVerdict {
    /// Suspect.
    Suspect,
    /// Likely.
    Likely,
    /// Proven.
    Proven,
}

impl WantedVerdict {
    /// Whether it is `verdict`.
    #[must_use]
    pub fn is(self, verdict: Verdict) -> bool {
        let wanted = match self {
            Self::Suspect => Verdict::Suspect,
            Self::Likely => Verdict::Likely,
            Self::Proven => Verdict::Proven,
        };
        wanted == verdict
    }
}
