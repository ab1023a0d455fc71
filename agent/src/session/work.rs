//! One round of a session's work, and what it would take to do more of it.

use super::{Accounting, Session, SessionError};
use crate::{
    detect::Suppression,
    governor::Mode,
    report::{DetachReason, Event},
};

/// What came of a round.
#[derive(Debug, Default)]
pub struct Work {
    /// In the order in which they happened.
    pub events: Vec<Event>,
    /// Watching has to end.
    pub end: Option<DetachReason>,
}

/// A mean of which the latest count most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Average(Option<f64>);

impl Average {
    /// What a new value counts for.
    const WEIGHT: f64 = 0.2;

    pub(super) fn push(&mut self, value: f64) {
        let mean = self.0.unwrap_or(value);
        self.0 = Some(mean + Self::WEIGHT * (value - mean));
    }

    pub(super) fn get(self) -> Option<f64> {
        self.0
    }
}

impl Session {
    /// Does what is due: looks at what is spent, observes, judges.
    ///
    /// # Errors
    /// The kernel's maps cannot be read.
    pub fn work(&mut self) -> Result<Work, SessionError> {
        let ticked = self.tick()?;
        let mut events = Vec::from_iter(ticked.event);
        if ticked.end.is_none() {
            events.append(&mut self.observe()?);
        }
        Ok(Work {
            events,
            end: ticked.end,
        })
    }

    /// What is told behind the last round: a last status, as what happened since the one before would be
    /// lost with the kernel's maps, and what is still to be said.
    ///
    /// # Errors
    /// The kernel's maps cannot be read.
    pub fn last_words(&mut self) -> Result<Vec<Event>, SessionError> {
        let mut events = vec![self.status()?];
        events.append(&mut self.settle());
        Ok(events)
    }

    /// Cores that it would take to watch this process as closely as possible.
    #[must_use]
    pub fn wish(&self) -> f64 {
        let looking = self.work.get().unwrap_or(0.0);
        self.governor.wish(looking)
    }

    /// Processor time so far, in seconds: of the agent, as it is accounted for, and of the probes in the
    /// target.
    #[must_use]
    pub fn spent(&self) -> (f64, f64) {
        (self.used.agent, self.used.target)
    }

    /// Goroutines alive at the last pass; `None` before the first, and after one that failed.
    #[must_use]
    pub fn goroutines(&self) -> Option<u64> {
        self.goroutines
    }

    /// Whether an incident is open.
    #[must_use]
    pub fn has_leaks(&self) -> bool {
        self.incidents.open().next().is_some()
    }

    /// What is watched.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.governor.mode()
    }

    /// Leaks that are known and left alone from now on. What has been told is not taken back.
    pub fn set_suppressions(&mut self, suppressions: Vec<Suppression>) {
        self.options.suppressions = suppressions;
    }

    /// One of many that creates nothing and leaks nothing: it can wait.
    pub(super) fn is_quiet(&self) -> bool {
        self.options.accounting == Accounting::Thread
            && self.governor.mode() == Mode::Census
            && !self.has_leaks()
            && self.load.is_quiet()
    }
}
