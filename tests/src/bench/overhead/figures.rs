//! From windows to what the tables say.

use super::loads::Pace;
use super::windows::{Round, Window};
use crate::bench::Spread;

/// A promise: so much of the throughput is left.
const THROUGHPUT: f64 = 0.99;
/// A promise: what the agent says it costs, in cores.
const BUDGET: f64 = 0.01;
/// A promise: by how much the agent may be wrong about its cost.
const HONEST: f64 = 1.5;

/// A figure with the agent to that without it, and the same of two windows without.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ratio {
    /// With it to without.
    pub(super) with: Spread,
    /// Without to without.
    pub(super) without: Spread,
    /// How far the latter was from 1 at most.
    noise: f64,
}

impl Ratio {
    fn of(rounds: &[Round], figure: impl Fn(Window) -> f64) -> Self {
        let ratios =
            |ratio: &dyn Fn(&Round) -> f64| -> Vec<f64> { rounds.iter().map(ratio).collect() };
        let without = ratios(&|round| figure(round.second) / figure(round.first));
        let with = ratios(&|round| figure(round.with) / figure(round.without()));
        Self {
            with: Spread::of(&with),
            without: Spread::of(&without),
            noise: furthest(without.iter().map(|ratio| ratio - 1.0)),
        }
    }

    /// Whether, but for the noise, enough is left.
    pub(super) fn keeps_throughput(&self) -> bool {
        self.with.median + self.noise >= THROUGHPUT
    }

    /// Whether requests are no later than the noise explains.
    pub(super) fn keeps_latency(&self) -> bool {
        self.with.median <= 1.0 + self.noise
    }
}

/// What watching costs, in cores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// The agent's processor time.
    pub(super) agent: Spread,
    /// What the program takes more than without.
    pub(super) target: Spread,
    /// Both together.
    pub(super) measured: Spread,
    /// What the program seems to take more in one window without the agent than in another, at most.
    pub(super) noise: f64,
    /// All of it, as the agent says.
    pub(super) stated: Spread,
}

impl Cost {
    /// Of at least one round.
    pub(super) fn of(pace: Pace, rounds: &[Round]) -> Self {
        let spread = |figure: &dyn Fn(&Round) -> f64| {
            Spread::of(&rounds.iter().map(figure).collect::<Vec<_>>())
        };
        let target = |round: &Round| added(pace, round.without(), round.with);
        Self {
            agent: spread(&|round| round.watched.cores),
            target: spread(&target),
            measured: spread(&|round| round.watched.cores + target(round)),
            noise: furthest(
                rounds
                    .iter()
                    .map(|round| added(pace, round.first, round.second)),
            ),
            stated: spread(&|round| round.watched.stated()),
        }
    }

    /// Stated to measured, where the latter is more than noise.
    pub(super) fn honesty(&self) -> Option<f64> {
        (self.measured.median > 2.0 * self.noise).then(|| self.stated.median / self.measured.median)
    }

    /// Whether what is stated is near to what was measured, or nobody can tell.
    pub(super) fn is_honest(&self) -> bool {
        self.honesty()
            .is_none_or(|ratio| (HONEST.recip()..=HONEST).contains(&ratio))
    }

    /// Whether the agent says that it stays within its budget.
    pub(super) fn keeps_budget(&self) -> bool {
        self.stated.median <= BUDGET
    }
}

/// The cores that `after` takes more than `before` for the same work.
pub(super) fn added(pace: Pace, before: Window, after: Window) -> f64 {
    match pace {
        Pace::Nothing | Pace::Fixed => after.cores - before.cores,
        // Cores are all taken in both; what is done with them differs.
        Pace::Greatest => {
            let done = |window: Window| window.operations / window.cores;
            (1.0 - done(after) / done(before)) * after.cores
        }
    }
}

/// Operations a second, of a program that does any.
pub(super) fn throughput(pace: Pace, rounds: &[Round]) -> Option<Ratio> {
    (pace != Pace::Nothing).then(|| Ratio::of(rounds, |window| window.operations))
}

/// The 99th percentile of the latencies, of a program that has them.
pub(super) fn latency(rounds: &[Round]) -> Option<Ratio> {
    let all_have = rounds
        .iter()
        .all(|round| round.without().late.and(round.with.late).is_some());
    all_have.then(|| Ratio::of(rounds, |window| window.late.unwrap_or(f64::NAN)))
}

/// Without the agent, all rounds together.
pub(super) fn without(rounds: &[Round]) -> Window {
    let median = |figure: &dyn Fn(Window) -> f64| {
        let values: Vec<_> = rounds.iter().map(|round| figure(round.without())).collect();
        Spread::of(&values).median
    };
    Window {
        operations: median(&|window| window.operations),
        cores: median(&|window| window.cores),
        late: rounds[0]
            .without()
            .late
            .map(|_| median(&|window| window.late.unwrap_or(f64::NAN))),
    }
}

/// What was watched, each mode once.
pub(super) fn modes(rounds: &[Round]) -> String {
    let mut modes: Vec<&str> = Vec::new();
    for mode in rounds.iter().flat_map(|round| &round.watched.modes) {
        if !modes.contains(&mode.as_str()) {
            modes.push(mode);
        }
    }
    modes.join(", ")
}

fn furthest(values: impl Iterator<Item = f64>) -> f64 {
    values.map(f64::abs).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::overhead::windows::Watched;

    fn window(operations: f64, cores: f64) -> Window {
        Window {
            operations,
            cores,
            late: Some(2.0),
        }
    }

    fn round(first: Window, second: Window, with: Window, stated: f64) -> Round {
        Round {
            first,
            second,
            with,
            watched: Watched {
                cores: 0.002,
                stated_agent: 0.002,
                stated_target: stated - 0.002,
                modes: vec!["lifetimes".to_owned()],
            },
        }
    }

    #[test]
    fn what_a_busy_program_pays_is_what_it_does_less() {
        // A tenth less done with the same core is a tenth of a core.
        let cost = added(Pace::Greatest, window(1000.0, 1.0), window(900.0, 1.0));
        assert!((cost - 0.1).abs() < 1e-9, "{cost}");
        // Half of the time, half done: nothing was paid, somebody else had the processor.
        let cost = added(Pace::Greatest, window(1000.0, 1.0), window(500.0, 0.5));
        assert!(cost.abs() < 1e-9, "{cost}");
        let cost = added(Pace::Fixed, window(1000.0, 0.1), window(1000.0, 0.3));
        assert!((cost - 0.2).abs() < 1e-9, "{cost}");
    }

    #[test]
    fn a_loss_beyond_the_noise_is_one() {
        let (even, less) = (window(1000.0, 1.0), window(950.0, 1.0));
        let quiet = throughput(Pace::Greatest, &[round(even, even, less, 0.05)]);
        assert!(!quiet.expect("there is work").keeps_throughput());
        let noisy = throughput(Pace::Greatest, &[round(even, less, less, 0.05)]);
        assert!(noisy.expect("there is work").keeps_throughput());
        assert!(throughput(Pace::Nothing, &[round(even, even, less, 0.0)]).is_none());
    }

    #[test]
    fn a_cost_is_compared_where_it_can_be_told() {
        let (even, more) = (window(1000.0, 0.100), window(1000.0, 0.106));
        let told = Cost::of(Pace::Fixed, &[round(even, even, more, 0.004)]);
        assert!((told.measured.median - 0.008).abs() < 1e-9);
        assert!(!told.is_honest() && told.keeps_budget());
        let lost = Cost::of(Pace::Fixed, &[round(even, more, more, 0.020)]);
        assert_eq!(lost.honesty(), None);
        assert!(lost.is_honest() && !lost.keeps_budget());
    }
}
