//! Carries out what the governor decides.

use std::time::{Duration, Instant};

use super::{
    Accounting, Options, Session, SessionError, judge::in_question, names, probing::Cost, spending,
};
use crate::{
    binary::RuntimeAddress,
    governor::{Change, Mode, Tick, in_words},
    probes::{Limits, ProbeKind, StopFile, Trip},
    report::{DetachReason, Event, EventKind, ModeChange},
};

/// Between two looks at what is spent and what the program does.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// The longest, where looking takes more of the budget than it may; shorter than the patience of those who
/// watch the probes.
const LONGEST_TICK: Duration = Duration::from_secs(5);
/// The shortest, where one of many does nothing.
const QUIET_TICK: Duration = Duration::from_secs(3);
/// Share of the budget that these looks may take.
const TICKING: f64 = 0.1;
/// For how long a program is looked at before the first probe.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// Other sites are not looked at more often: attaching is work.
const FOCUS: Duration = Duration::from_secs(15);

/// A site whose statement is worth a probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect {
    site: RuntimeAddress,
    /// Creations a second, as far as known.
    rate: f64,
    /// Has been reported as a leak.
    is_reported: bool,
    /// By how many its survivors have grown of late.
    growth: u64,
}

/// What came of a tick.
#[derive(Debug, Default)]
pub struct Ticked {
    /// A change of mode.
    pub event: Option<Event>,
    /// Watching has to end.
    pub end: Option<DetachReason>,
}

impl Session {
    /// Looks at what is spent and what the program does, if that is due, and changes the mode.
    ///
    /// # Errors
    /// The kernel's maps cannot be read.
    pub fn tick(&mut self) -> Result<Ticked, SessionError> {
        let now = Instant::now();
        if now < self.next_tick {
            return Ok(Ticked::default());
        }
        let before_work = spending::of_thread();
        let ticked = self.look_after(now);
        let work = (spending::of_thread() - before_work).max(0.0);
        self.next_tick = now + self.until_next_tick(work);
        ticked
    }

    /// By what the last one took. With one process only, numbers and moments have to lie close together
    /// more than they have to be cheap: ages are told by them.
    fn until_next_tick(&self, work: f64) -> Duration {
        if self.options.accounting == Accounting::Agent {
            return TICK;
        }
        // No part of an unlimited budget is ever used up.
        let pause = Duration::from_secs_f64(work / (TICKING * self.governor.budget().cores()));
        let least = if self.is_quiet() { QUIET_TICK } else { TICK };
        pause.clamp(least, LONGEST_TICK)
    }

    fn look_after(&mut self, now: Instant) -> Result<Ticked, SessionError> {
        let at = now.saturating_duration_since(self.began);
        let Cost {
            hits,
            seconds,
            trip,
        } = self.probing.cost();
        if self.options.stops() || matches!(trip, Some(Trip::StopFile(_))) {
            return Ok(Ticked {
                event: None,
                end: Some(DetachReason::StopFile),
            });
        }
        let load = self.load.measure(&self.memory);
        if let Some((passes, created)) = self.passes.as_mut().zip(self.load.created_by_now()) {
            let (counted, number) = created.counted();
            passes.created_by(counted.saturating_duration_since(self.began), number);
        }
        let passed = now.saturating_duration_since(self.ticked).as_secs_f64();
        self.ticked = now;
        let switches = load.switches.unwrap_or(0.0) * passed;
        self.switching += self
            .governor
            .costs()
            .switching(switches, self.probing.attached());
        let parks = hits.of(ProbeKind::Park).saturating_sub(self.parks);
        self.parks += parks;
        let used = self.used_by_now(seconds + self.switching);
        let spent = used.since(self.used);
        self.used = used;
        let suspects = self.suspects();
        let rate: f64 = suspects.iter().map(|suspect| suspect.rate).sum();
        let tick = Tick {
            at,
            load,
            parks: parks as f64 / passed.max(1e-3),
            agent: spent.agent,
            target: spent.target,
            tripped: trip.map(|trip| self.because_of(trip)),
            suspects: (!suspects.is_empty()).then_some(rate),
        };
        tracing::debug!(?tick, mode = self.governor.mode().as_str(), "spent");
        let change = self.governor.tick(&tick);
        let event = match change {
            Some(change) => Some(self.change_mode(at, change)?),
            None => {
                self.refocus(at)?;
                None
            }
        };
        Ok(Ticked { event, end: None })
    }

    /// Takes all probes away, and waits until they are gone. For when nobody will look after them.
    ///
    /// # Errors
    /// The kernel's maps cannot be read.
    pub fn let_go(&mut self, reason: &str) -> Result<Option<Event>, SessionError> {
        if self.governor.mode() == Mode::Census {
            return Ok(None);
        }
        let at = self.began.elapsed();
        let change = self.governor.give_up(at, reason.into());
        let event = self.change_mode(at, change)?;
        self.probing.end();
        Ok(Some(event))
    }

    fn because_of(&self, trip: Trip) -> String {
        match trip {
            Trip::Cost { hits_per_second } => format!(
                "{} probe hits a second cost more than twice the budget of {}: they were turned away \
                 at once, and the probes detached",
                in_words(hits_per_second),
                self.governor.budget()
            ),
            Trip::Unmeasured(error) => {
                format!("what the probes cost cannot be measured any more: {error}")
            }
            Trip::Stuck(time) => format!(
                "gostray was held up for {:.0} s, and so did not look after its probes",
                time.as_secs_f64()
            ),
            Trip::StopFile(path) => format!("{} is there", path.display()),
        }
    }

    fn change_mode(&mut self, at: Duration, change: Change) -> Result<Event, SessionError> {
        let Change {
            previous,
            mut mode,
            mut reason,
        } = change;
        self.close_books(previous)?;
        if let Err(error) = self.begin(at, mode) {
            let failure = format!("no probes for {}: {error}", mode.as_str());
            Change { mode, reason, .. } = self.governor.give_up(at, failure);
        }
        self.tracker.begin_stretch(mode.counts_all());
        let readout = self.probing.read()?;
        Ok(self.event(EventKind::Mode(ModeChange {
            mode: mode.as_str(),
            previous: previous.as_str(),
            reason,
            coverage: self.coverage(&readout),
            probes: self.probing.attached(),
        })))
    }

    /// The last counts of probes that go.
    fn close_books(&mut self, mode: Mode) -> Result<(), SessionError> {
        self.probing.pause();
        self.keep_creation_stacks(mode);
        if mode.counts_all() {
            let readout = self.probing.read()?;
            self.tracker.refresh(&readout.sites);
        }
        self.probing.stop();
        self.focused.clear();
        Ok(())
    }

    fn begin(&mut self, at: Duration, mode: Mode) -> Result<(), SessionError> {
        match mode {
            Mode::Census => Ok(()),
            Mode::Focused => self.focus(at),
            Mode::Lifetimes | Mode::Full => {
                let park = mode == Mode::Full;
                let limits = self.options.limits_for(self.goroutines);
                self.probing.set_limits(limits);
                self.probing
                    .count_all(&self.inspected, &self.options, &self.memory, park)
            }
        }
    }

    /// Probes the statements of the sites under suspicion.
    fn focus(&mut self, at: Duration) -> Result<(), SessionError> {
        let suspects = self.suspects();
        let sites: Vec<_> = suspects.iter().map(|suspect| suspect.site).collect();
        self.focused = sites.iter().map(|site| (site.0, 0)).collect();
        self.focused_at = at;
        self.probing.count_at(&self.inspected, &self.memory, &sites)
    }

    /// Where others are under suspicion now than those that are probed.
    fn refocus(&mut self, at: Duration) -> Result<(), SessionError> {
        if self.governor.mode() != Mode::Focused || at < self.focused_at + FOCUS {
            return Ok(());
        }
        let suspects = self.suspects();
        let mut sites = suspects.iter().map(|suspect| suspect.site.0);
        if sites.all(|site| self.focused.contains_key(&site)) {
            return Ok(());
        }
        self.close_books(Mode::Focused)?;
        if let Err(error) = self.focus(at) {
            tracing::warn!("the sites under suspicion are not probed: {error}");
        }
        Ok(())
    }

    /// The sites that are most in question, with their creations a second as far as known: those of
    /// open incidents, and those that have grown of late. Only observations change them.
    fn suspects(&mut self) -> Vec<Suspect> {
        if let Some(known) = &self.suspects {
            return known.clone();
        }
        let Self {
            tracker,
            names,
            incidents,
            ..
        } = self;
        let mut suspects: Vec<Suspect> = in_question(tracker, incidents)
            .filter_map(|site| {
                let is_reported = incidents.is_open(site.pc);
                let growth = site.series.growth();
                if !is_reported && growth < 2 {
                    return None;
                }
                let name = names.site(site.pc, site.start);
                (!names::is_system(&name.start.function)).then(|| Suspect {
                    site: site.pc,
                    rate: site.series.creations().unwrap_or(0.0),
                    is_reported,
                    growth,
                })
            })
            .collect();
        suspects.sort_by_key(|suspect| std::cmp::Reverse((suspect.is_reported, suspect.growth)));
        suspects.truncate(Mode::STATEMENTS);
        self.suspects = Some(suspects.clone());
        suspects
    }
}

impl Options {
    /// The richest mode that is wanted.
    pub(super) fn ceiling(&self) -> Mode {
        match (self.no_probes, self.park) {
            (true, _) => Mode::Census,
            (false, true) => Mode::Full,
            (false, false) => Mode::Lifetimes,
        }
    }

    /// How large the maps are of a program that has so many goroutines, if that is known: one of many is given what
    /// it needs, and one alone all that may be used.
    pub(super) fn limits_for(&self, goroutines: Option<u64>) -> Limits {
        match self.accounting {
            Accounting::Agent => self.limits,
            Accounting::Thread => self.limits.for_goroutines(goroutines.unwrap_or(0)),
        }
    }

    /// Whether the stop file is there.
    fn stops(&self) -> bool {
        let there = self.stop_file.as_ref().map(StopFile::is_there);
        there.is_some_and(|there| there.unwrap_or(false))
    }

    /// Refuses to begin while the stop file is there.
    pub(super) fn check_stop_file(&self) -> Result<(), SessionError> {
        let Some(file) = &self.stop_file else {
            return Ok(());
        };
        match file.is_there() {
            Ok(true) => Err(SessionError::StopFile {
                path: file.path().to_owned(),
            }),
            Ok(false) => Ok(()),
            Err(error) => {
                tracing::warn!("stop file {}: {error}", file.path().display());
                Ok(())
            }
        }
    }
}
