//! Which mode, and why.

use std::time::Duration;

use gostray_common::ProbeKind;

use super::{
    Account, Budget, HitCosts, Load, Loads, Mode,
    words::{in_words, percent},
};

/// A richer mode has to fit so much of the budget: what is predicted is not what comes.
const MARGIN: f64 = 0.7;
/// The part of the budget that looking at goroutines may take.
const OBSERVING: f64 = 0.4;
/// What is left of that in debt.
const OBSERVING_IN_DEBT: f64 = 0.25;
/// Probes that cost less than this part of all are not what has to go.
const WORTH_DETACHING: f64 = 0.25;
/// How long a load has to be low before more is watched, at least.
const HOLD: Duration = Duration::from_secs(10);
/// It doubles each time that this was too soon, up to here.
const LONGEST_HOLD: Duration = Loads::PAST;
/// For how long nothing has to be suspected before probes at single statements go.
const UNSUSPECTED: Duration = Duration::from_secs(30);
/// What the agent costs is averaged over about so long.
const AVERAGED: f64 = 10.0;
/// What is left after a second.
const FORGETTING: f64 = 0.99;

/// What was seen since the last one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tick {
    /// Since watching began.
    pub at: Duration,
    /// What the program does.
    pub load: Load,
    /// Processor time of the agent, in seconds.
    pub agent: f64,
    /// Processor time of the probes in the target, in seconds.
    pub target: f64,
    /// The probes have been taken away already, for this reason.
    pub tripped: Option<String>,
    /// Parks a second that probes saw; 0 where there is none for them.
    pub parks: f64,
    /// Creations a second at the sites under suspicion, as far as known; `None` if there are none.
    pub suspects: Option<f64>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// How much was watched.
    pub previous: Mode,
    /// How much is to be watched.
    pub mode: Mode,
    /// A sentence for people.
    pub reason: String,
}

/// Chooses how much is watched.
#[derive(Clone, Debug)]
pub struct Governor {
    budget: Budget,
    ceiling: Mode,
    costs: HitCosts,
    mode: Mode,
    account: Account,
    loads: Loads,
    /// Averages, in cores.
    agent: f64,
    target: f64,
    /// Creations a second that are worth a probe.
    least_creations: f64,
    /// It was not worth a probe at first, and has not been since.
    waits_for_work: bool,
    /// Parks for each time that a goroutine was scheduled, as far as seen.
    parks_each: f64,
    changed: Duration,
    /// To a richer mode.
    rose: bool,
    hold: Duration,
    /// When `hold` was changed last.
    held: Duration,
    suspected: Duration,
    ticked: Duration,
}

impl Governor {
    /// Nothing richer than `ceiling` is ever chosen.
    #[must_use]
    pub fn new(budget: Budget, ceiling: Mode, costs: HitCosts) -> Self {
        Self {
            budget,
            ceiling,
            costs,
            mode: Mode::Census,
            account: Account::new(budget),
            loads: Loads::default(),
            agent: 0.0,
            target: 0.0,
            least_creations: 0.0,
            waits_for_work: false,
            parks_each: 1.0,
            changed: Duration::ZERO,
            rose: false,
            hold: HOLD,
            held: Duration::ZERO,
            suspected: Duration::ZERO,
            ticked: Duration::ZERO,
        }
    }

    /// What is to be watched.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What hits cost.
    #[must_use]
    pub fn costs(&self) -> &HitCosts {
        &self.costs
    }

    /// What it is bound by.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// What it would take, in cores, to look with `looking` cores' worth of work as often as possible, and to
    /// probe as much as is wanted.
    #[must_use]
    pub fn wish(&self, looking: f64) -> f64 {
        let peak = self.loads.peak(self.ticked.saturating_sub(self.hold));
        let probing = self.predicted(self.ceiling, peak, None) - self.agent;
        looking / OBSERVING + probing.max(0.0) / MARGIN
    }

    /// Programs that create fewer goroutines a second are not worth a probe.
    pub fn set_least_creations(&mut self, least: f64) {
        self.least_creations = least;
    }

    /// From now on it is bound by that.
    pub fn set_budget(&mut self, budget: Budget) {
        self.account.set_budget(budget);
        self.budget = budget;
    }

    /// The part of the time that looking at goroutines may take.
    #[must_use]
    pub fn observing(&self) -> f64 {
        let all = match self.budget.is_limited() {
            true => self.budget.cores(),
            false => Budget::DEFAULT.cores(),
        };
        match self.account.is_in_debt() {
            true => all * OBSERVING * OBSERVING_IN_DEBT,
            false => all * OBSERVING,
        }
    }

    /// The first mode, before there is any probe. Why, in a sentence.
    pub fn first(&mut self, load: Load) -> String {
        self.loads.push(Duration::ZERO, load);
        self.mode = Mode::RICHEST_FIRST
            .into_iter()
            .filter(|mode| *mode <= self.ceiling && *mode != Mode::Focused)
            .find(|mode| self.fits(*mode, load, None))
            .unwrap_or(Mode::Census);
        self.waits_for_work = !self.is_worth_probing(load);
        match self.richer().find(|mode| *mode != Mode::Focused) {
            None if self.mode == Mode::Census => "no probes are wanted".into(),
            None => self.affordable(self.mode, load),
            Some(_) if !self.is_worth_probing(load) => {
                format!("{}: not worth a probe", self.rates(Mode::Lifetimes, load))
            }
            Some(richer) => self.too_dear(richer, load),
        }
    }

    /// Takes in what was seen, and decides.
    pub fn tick(&mut self, tick: &Tick) -> Option<Change> {
        let passed = tick.at.saturating_sub(self.ticked);
        self.ticked = tick.at;
        self.account.settle(passed, tick.agent + tick.target);
        self.average(passed, tick);
        self.loads.push(tick.at, tick.load);
        if tick.suspects.is_some() {
            self.suspected = tick.at;
        }
        if let Some(reason) = &tick.tripped {
            return Some(self.step_down(tick.at, Mode::Census, reason.clone()));
        }
        let peak = self.loads.peak(tick.at.saturating_sub(self.hold));
        let probes_matter = self.target > WORTH_DETACHING * (self.agent + self.target);
        if self.account.is_in_debt() && self.mode > Mode::Census && probes_matter {
            let last = (tick.agent + tick.target) / passed.as_secs_f64().max(1e-3);
            let reason = format!(
                "watching cost {} of late; the budget is {}",
                percent(last.max(self.agent + self.target)),
                self.budget
            );
            let poorer = Mode::RICHEST_FIRST
                .into_iter()
                .filter(|mode| *mode < self.mode && self.is_possible(*mode, tick))
                .find(|mode| self.fits(*mode, peak, tick.suspects));
            return Some(self.step_down(tick.at, poorer.unwrap_or(Mode::Census), reason));
        }
        if self.mode == Mode::Focused && self.suspected + UNSUSPECTED < tick.at {
            let reason = "no site is suspected any more".into();
            return Some(self.change(tick.at, Mode::Census, reason));
        }
        self.calm_down(tick.at);
        self.step_up(tick, peak)
    }

    /// There can be no probes from `at` on, whatever was chosen. Later others may be tried.
    pub fn give_up(&mut self, at: Duration, reason: String) -> Change {
        self.step_down(at, Mode::Census, reason)
    }

    fn step_up(&mut self, tick: &Tick, peak: Load) -> Option<Change> {
        // Who has not been probed yet only because there was nothing to see is not made to wait.
        let is_held = tick.at < self.changed + self.hold && !self.waits_for_work;
        if !self.account.is_at_ease() || is_held {
            return None;
        }
        let mode = self
            .richer()
            .filter(|mode| self.is_possible(*mode, tick))
            .find(|mode| self.fits(*mode, peak, tick.suspects))?;
        let reason = match mode {
            Mode::Focused => "to count the creations of the sites under suspicion".into(),
            _ => self.affordable(mode, peak),
        };
        Some(self.change(tick.at, mode, reason))
    }

    /// Modes richer than this one that are allowed, the richest first.
    fn richer(&self) -> impl Iterator<Item = Mode> + use<> {
        let (mode, ceiling) = (self.mode, self.ceiling);
        let modes = Mode::RICHEST_FIRST.into_iter();
        modes.filter(move |richer| *richer > mode && *richer <= ceiling)
    }

    fn is_possible(&self, mode: Mode, tick: &Tick) -> bool {
        mode != Mode::Focused || tick.suspects.is_some()
    }

    fn fits(&self, mode: Mode, load: Load, suspects: Option<f64>) -> bool {
        let price = MARGIN * self.budget.cores();
        mode == Mode::Census
            || self.is_worth_probing(load) && self.predicted(mode, load, suspects) <= price
    }

    fn is_worth_probing(&self, load: Load) -> bool {
        let rate = load.creations;
        rate.is_none_or(|rate| rate >= self.least_creations)
    }

    /// What `mode` would cost under `load`, in cores. What is not known costs nothing: it is tried, and
    /// the guard in the kernel sees to it that the trial is short.
    fn predicted(&self, mode: Mode, load: Load, suspects: Option<f64>) -> f64 {
        let creations = load.creations.unwrap_or(0.0) * self.costs.goroutine();
        let parks = load.schedules.unwrap_or(0.0) * self.parks_each;
        let parks = parks * self.costs.of(ProbeKind::Park);
        let target = match mode {
            Mode::Census => 0.0,
            Mode::Focused => suspects.unwrap_or(0.0) * self.costs.of(ProbeKind::Statement),
            Mode::Lifetimes => creations,
            Mode::Full => creations + parks,
        };
        let switches = load.switches.unwrap_or(0.0);
        let switching = self.costs.switching(switches, mode.probes());
        self.agent + target * self.costs.crowded(target) + switching
    }

    fn step_down(&mut self, at: Duration, mode: Mode, reason: String) -> Change {
        self.hold = (self.hold * 2).min(LONGEST_HOLD);
        self.held = at;
        self.change(at, mode, reason)
    }

    fn change(&mut self, at: Duration, mode: Mode, reason: String) -> Change {
        let previous = std::mem::replace(&mut self.mode, mode);
        self.waits_for_work = false;
        self.rose = mode > previous;
        self.changed = at;
        Change {
            previous,
            mode,
            reason,
        }
    }

    /// A richer mode that has been kept for long was not chosen too soon.
    fn calm_down(&mut self, at: Duration) {
        if self.rose && at.saturating_sub(self.held.max(self.changed)) > 4 * self.hold {
            self.hold = (self.hold / 2).max(HOLD);
            self.held = at;
        }
    }

    fn average(&mut self, passed: Duration, tick: &Tick) {
        let passed = passed.as_secs_f64();
        if passed <= 0.0 {
            return;
        }
        // The first tick is all there is to go by.
        let weight = match self.agent == 0.0 {
            true => 1.0,
            false => (passed / AVERAGED).min(1.0),
        };
        // One that is readied by the one that parks inherits its time and is not counted as scheduled,
        // so there may be a lot more parks. What was seen once is forgotten slowly.
        let schedules = tick.load.schedules.unwrap_or(0.0).max(1.0);
        let forgotten = FORGETTING.powf(passed) * self.parks_each;
        self.parks_each = forgotten.max(tick.parks / schedules).max(1.0);
        self.agent += weight * (tick.agent / passed - self.agent);
        self.target += weight * (tick.target / passed - self.target);
    }

    fn affordable(&self, mode: Mode, load: Load) -> String {
        if !self.budget.is_limited() {
            return "the budget is unlimited".into();
        }
        if load.creations.is_none() {
            return "how many goroutines it creates is not known beforehand".into();
        }
        format!(
            "{} cost about {}, within the budget of {}",
            self.rates(mode, load),
            percent(self.predicted(mode, load, None)),
            self.budget
        )
    }

    fn too_dear(&self, mode: Mode, load: Load) -> String {
        format!(
            "{} would cost about {}, too much for the budget of {}",
            self.rates(mode, load),
            percent(self.predicted(mode, load, None)),
            self.budget
        )
    }

    fn rates(&self, mode: Mode, load: Load) -> String {
        let creations = load.creations.unwrap_or(0.0);
        let creations = format!("{} creations a second", in_words(creations));
        match (mode, load.schedules) {
            (Mode::Full, Some(parks)) => {
                format!("{creations} and {} parks a second or more", in_words(parks))
            }
            _ => creations,
        }
    }
}
