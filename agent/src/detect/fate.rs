//! What becomes of an incident over restarts and builds. No I/O, no clock.
//!
//! A leak is a site in a program, not a process: when the process ends nothing is resolved, and what
//! its successor does is added to what is known. A new build may mend it, but that it is silent says
//! nothing until it has done what would have shown the leak in the old one.

/// A mended build has to do so many times what it took to find the leak.
const MARGIN: f64 = 2.0;
/// At the old rate so many would have been lost by now: with fewer, none may be chance.
const EXPECTED: f64 = 10.0;
/// Of which at most this share may have been.
const LEFT: f64 = 0.1;

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It leaks, as far as is known.
    Open,
    /// What was lost has ended, or it stopped growing, while it was watched.
    Resolved,
    /// A build without the leak has shown that it is without it.
    Verified,
    /// It had been resolved, or its fix verified, and leaks again.
    Returned,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::Resolved, Self::Verified, Self::Returned];

    /// The word for it in reports and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Verified => "verified",
            Self::Returned => "returned",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether it leaks, as far as is known.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Returned)
    }

    /// After the site was found to leak.
    #[must_use]
    pub fn leaks(self) -> Self {
        match self {
            Self::Open => Self::Open,
            Self::Resolved | Self::Verified | Self::Returned => Self::Returned,
        }
    }

    /// After it stopped while it was watched.
    #[must_use]
    pub fn stops(self) -> Self {
        match self {
            Self::Open | Self::Returned => Self::Resolved,
            Self::Resolved | Self::Verified => self,
        }
    }
}

/// What one build has done at the site, all its runs together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BuildRecord {
    /// How long it was watched, in seconds.
    pub watched_seconds: f64,
    /// Goroutines the site created meanwhile.
    pub created: u64,
    /// By how many its survivors grew meanwhile.
    pub lost: u64,
    /// What it took to find the leak in it; `None` where none was found.
    pub found_after: Option<Taken>,
}

/// What it took to find a leak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taken {
    /// Watched for so many seconds.
    pub seconds: f64,
    /// Goroutines created meanwhile.
    pub created: u64,
}

impl Taken {
    /// The more of both.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            seconds: self.seconds.max(other.seconds),
            created: self.created.max(other.created),
        }
    }
}

impl BuildRecord {
    /// Goroutines lost a minute; `None` before it was watched.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        (self.watched_seconds > 0.0).then(|| self.lost as f64 * 60.0 / self.watched_seconds)
    }

    /// Share of those created that were lost: the rate without the load. `None` before any was.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.created > 0).then(|| (self.lost as f64 / self.created as f64).min(1.0))
    }
}

/// What a build that has not leaked says of the fix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Proof {
    /// It leaks.
    Leaks,
    /// It is mended: at the old rate so many would have been lost by now.
    Verified {
        /// Goroutines.
        expected: f64,
    },
    /// It was not watched long enough, or has not done enough, yet.
    NotYet(Missing),
    /// It can't be said: the leak was only suspected, or never grew while it was watched.
    NeverGrew,
}

/// What is missing before a fix counts as verified.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Missing {
    /// Seconds to watch.
    pub seconds: f64,
    /// Goroutines to create.
    pub created: u64,
    /// It still loses too many of them, though fewer than before.
    pub still_loses: bool,
}

/// Whether `now`, a build in which the leak was not found, is without it; `before` are the builds
/// that had it.
#[must_use]
pub fn prove(before: &[BuildRecord], now: &BuildRecord) -> Proof {
    if now.found_after.is_some() {
        return Proof::Leaks;
    }
    let leaking = || before.iter().filter(|build| build.found_after.is_some());
    let taken = leaking().filter_map(|build| build.found_after);
    let Some(taken) = taken.reduce(Taken::max) else {
        return Proof::NeverGrew;
    };
    // The smallest share is the hardest to see.
    let shares = leaking().filter_map(BuildRecord::share);
    let Some(share) = shares.filter(|share| *share > 0.0).reduce(f64::min) else {
        return Proof::NeverGrew;
    };
    let seconds = taken.seconds * MARGIN;
    let created = (taken.created as f64 * MARGIN).max(EXPECTED / share);
    let expected = now.created as f64 * share;
    let still_loses = now.lost as f64 > expected * LEFT;
    if now.watched_seconds >= seconds && now.created as f64 >= created && !still_loses {
        return Proof::Verified { expected };
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "not negative, and it saturates"
    )]
    let created = created.ceil() as u64;
    Proof::NotYet(Missing {
        seconds: (seconds - now.watched_seconds).max(0.0),
        created: created.saturating_sub(now.created),
        still_loses,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lost one in ten of 600, and was found after 15 s and 150.
    fn leaky() -> BuildRecord {
        BuildRecord {
            watched_seconds: 60.0,
            created: 600,
            lost: 60,
            found_after: Some(Taken {
                seconds: 15.0,
                created: 150,
            }),
        }
    }

    fn clean(watched_seconds: f64, created: u64, lost: u64) -> BuildRecord {
        BuildRecord {
            watched_seconds,
            created,
            lost,
            found_after: None,
        }
    }

    #[test]
    fn a_fix_is_verified_when_a_comparable_load_has_run_long_enough() {
        let proof = |now| prove(&[leaky()], &now);
        assert_eq!(
            proof(clean(30.0, 300, 0)),
            Proof::Verified { expected: 30.0 }
        );
        let missing = |seconds, created| Missing {
            seconds,
            created,
            still_loses: false,
        };
        assert_eq!(
            proof(clean(20.0, 3000, 0)),
            Proof::NotYet(missing(10.0, 0)),
            "too short"
        );
        assert_eq!(
            proof(clean(1e6, 299, 0)),
            Proof::NotYet(missing(0.0, 1)),
            "an idle program proves nothing"
        );
        assert!(
            matches!(proof(clean(1e6, 3000, 31)), Proof::NotYet(m) if m.still_loses),
            "a tenth of the leak is one"
        );
        assert_eq!(proof(leaky()), Proof::Leaks);
    }

    #[test]
    fn a_rare_loss_needs_more_creations() {
        let rare = BuildRecord { lost: 6, ..leaky() };
        assert_eq!(
            prove(&[rare], &clean(60.0, 999, 0)),
            Proof::NotYet(Missing {
                seconds: 0.0,
                created: 1,
                still_loses: false,
            })
        );
        assert!(matches!(
            prove(&[rare, leaky()], &clean(60.0, 1000, 0)),
            Proof::Verified { .. }
        ));
    }

    #[test]
    fn what_never_grew_cannot_be_verified() {
        let standing = BuildRecord {
            created: 0,
            lost: 0,
            ..leaky()
        };
        assert_eq!(
            prove(&[standing], &clean(1e6, 1 << 40, 0)),
            Proof::NeverGrew
        );
        assert_eq!(prove(&[], &clean(1e6, 1 << 40, 0)), Proof::NeverGrew);
    }

    #[test]
    fn runs_of_a_minute_add_up() {
        let mut sum = clean(0.0, 0, 0);
        let mut runs = 0;
        while !matches!(prove(&[leaky()], &sum), Proof::Verified { .. }) {
            runs += 1;
            sum.watched_seconds += 8.0;
            sum.created += 80;
        }
        assert_eq!(runs, 4);
    }

    #[test]
    fn states_follow_what_is_seen() {
        use State::{Open, Resolved, Returned, Verified};
        assert_eq!(Open.leaks(), Open, "a restart resolves nothing");
        assert_eq!(Open.stops(), Resolved);
        assert_eq!(Resolved.leaks(), Returned);
        assert_eq!(Verified.leaks(), Returned);
        assert_eq!(Verified.stops(), Verified);
        assert_eq!(Returned.leaks(), Returned);
        assert_eq!(Returned.stops(), Resolved);
        for state in State::ALL {
            assert_eq!(State::named(state.as_str()), Some(state));
        }
        assert_eq!(State::named("mended"), None);
    }

    proptest! {
        /// More of the same without a loss never takes a proof back, and a build that does less than
        /// it took to find the leak is never proven.
        #[test]
        fn proofs_only_grow(
            seconds in 1.0_f64..1e5, created in 1_u64..1_000_000, one_in in 1_u64..1000,
            watched in 0.0_f64..1e6, now in 0_u64..10_000_000, more in 0_u64..1_000_000,
        ) {
            let lost = created.div_ceil(one_in);
            let found_after = Some(Taken { seconds, created });
            let before = BuildRecord { watched_seconds: seconds, created, lost, found_after };
            let verified = |build: &BuildRecord| matches!(prove(&[before], build), Proof::Verified { .. });
            let build = clean(watched, now, 0);
            if verified(&build) {
                prop_assert!(verified(&clean(watched + 1.0, now + more, 0)));
                prop_assert!(watched >= seconds && now >= created);
            }
        }
    }
}
