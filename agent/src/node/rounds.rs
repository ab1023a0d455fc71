//! The rounds of one session: works, tells, sleeps, until the process ends or the daemon says so.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::{
    Wish,
    control::Control,
    growth::Growth,
    message::{Outcome, What},
    meter,
    watcher::Common,
};
use crate::{
    detect::Verdict,
    governor::Budget,
    report::{
        DetachReason, Event, EventKind,
        node::{Identity, TargetEvent, TargetSample},
    },
    session::{Session, SessionError},
    target::Vitality,
};

/// Where the budget does not do for all, a process with leaks counts for so many without, and one whose
/// goroutines become more for so many that rest.
const LEAKING: f64 = 4.0;
const GROWING: f64 = 4.0;
/// What samples may take of a process's budget; they become rarer where that does not do.
const SAMPLING: f64 = 1.0 / 3.0;
/// So many times the configured interval at most: what is shown must not be of another day.
const RAREST: u32 = 6;

/// A session under way, and what the daemon has to know of it.
pub(super) struct Rounds<'a> {
    session: Session,
    identity: Arc<Identity>,
    control: &'a Control,
    common: &'a Common,
    tell: &'a dyn Fn(What),
    began: SystemTime,
    leaks_told: [u64; 3],
    budget: Budget,
    growth: Growth,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(
        session: Session,
        identity: Arc<Identity>,
        control: &'a Control,
        common: &'a Common,
        tell: &'a dyn Fn(What),
    ) -> Self {
        Self {
            session,
            identity,
            control,
            common,
            tell,
            began: SystemTime::now(),
            leaks_told: [0; 3],
            budget: control.budget(),
            growth: Growth::new(Instant::now()),
        }
    }

    /// Until watching ends, and why it did.
    pub(super) fn all(mut self) -> Outcome {
        let attached = self.session.attached();
        self.event(attached);
        let ended = self.until_the_end();
        let (reason, outcome) = match ended {
            Ok(reason) => (reason, Outcome::Ended(reason)),
            Err(error) => {
                let kind = "watch";
                (DetachReason::Interrupted, Outcome::Failed { kind, error })
            }
        };
        let last = self.session.detach(reason);
        (self.tell)(What::Event(Box::new(TargetEvent {
            target: self.identity,
            event: last,
        })));
        outcome
    }

    fn until_the_end(&mut self) -> Result<DetachReason, String> {
        let text = |error: SessionError| error.to_string();
        let mut next_sample = Instant::now();
        let mut is_first = true;
        loop {
            self.take_orders();
            let work = self.session.work().map_err(text)?;
            for event in work.events {
                self.event(event);
            }
            self.control.tell(self.session.spent(), self.wish());
            if let Some(reason) = work.end {
                return self.end(reason);
            }
            let now = Instant::now();
            if now >= next_sample {
                let before = meter::own_time();
                self.sample()?;
                if std::mem::take(&mut is_first) {
                    (self.tell)(What::Sampled);
                }
                let interval = self.common.settings().interval;
                next_sample = now + pause(interval, meter::own_time() - before, self.budget);
            }
            let vitality = self
                .sleep_until(next_sample.min(self.session.next()))
                .map_err(|errno| format!("waiting for the process: {errno}"))?;
            match vitality {
                Vitality::Ended => return self.end(DetachReason::Exited),
                Vitality::Replaced => return self.end(DetachReason::Exec),
                Vitality::Alive if self.control.stops() => {
                    return self.end(DetachReason::Interrupted);
                }
                Vitality::Alive => {}
            }
        }
    }

    fn wish(&mut self) -> Wish {
        if let Some(goroutines) = self.session.goroutines() {
            self.growth.push(Instant::now(), goroutines);
        }
        let weight = match (self.session.has_leaks(), self.growth.grows()) {
            (true, _) => LEAKING,
            (false, true) => GROWING,
            (false, false) => 1.0,
        };
        Wish {
            cores: self.session.wish(),
            weight,
        }
    }

    fn take_orders(&mut self) {
        let budget = self.control.budget();
        if budget != self.budget {
            self.budget = budget;
            self.session.set_budget(budget);
        }
        if let Some(suppressions) = self.control.take_suppressions() {
            self.session.set_suppressions(suppressions);
        }
        if let Some(identity) = self.control.identity() {
            self.identity = identity;
        }
    }

    /// What happened since the last sample, and what is still to be said.
    fn end(&mut self, reason: DetachReason) -> Result<DetachReason, String> {
        let words = self
            .session
            .last_words()
            .map_err(|error| error.to_string())?;
        for event in words {
            self.event(event);
        }
        self.control.tell(
            self.session.spent(),
            Wish {
                cores: 0.0,
                weight: 0.0,
            },
        );
        Ok(reason)
    }

    /// Status lines become samples; all else is handed on.
    fn event(&mut self, event: Event) {
        match &event.kind {
            EventKind::Status(_) => return,
            EventKind::Leak(leak) => {
                let place = match leak.verdict {
                    Verdict::Suspect => 0,
                    Verdict::Likely => 1,
                    Verdict::Proven => 2,
                };
                self.leaks_told[place] += 1;
            }
            _ => {}
        }
        (self.tell)(What::Event(Box::new(TargetEvent {
            target: Arc::clone(&self.identity),
            event,
        })));
    }

    fn sample(&mut self) -> Result<(), String> {
        let status = self.session.status().map_err(|error| error.to_string())?;
        let EventKind::Status(status) = status.kind else {
            return Ok(());
        };
        self.control.set_sample(TargetSample {
            target: Arc::clone(&self.identity),
            began: self.began,
            taken: SystemTime::now(),
            status,
            goroutines: self.session.goroutines_by_state(),
            leaks_told: self.leaks_told,
            runtime: self.session.runtime_metrics(),
        });
        Ok(())
    }

    fn sleep_until(&self, wake: Instant) -> nix::Result<Vitality> {
        let lifetime = &self.session.inspected().lifetime;
        let left = wake.saturating_duration_since(Instant::now());
        // Rounded up, so as not to wake a little early and then again.
        let millis = u16::try_from(left.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
        let mut fds = [
            PollFd::new(lifetime.ended(), PollFlags::POLLIN),
            PollFd::new(self.control.woken(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::from(millis)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        self.control.was_woken();
        Ok(lifetime.vitality())
    }
}

/// Until the next sample behind one that took `cost`.
fn pause(interval: Duration, cost: Duration, budget: Budget) -> Duration {
    let within_budget = cost.as_secs_f64() / (budget.cores() * SAMPLING);
    Duration::try_from_secs_f64(within_budget)
        .unwrap_or(Duration::MAX)
        .clamp(interval, interval.saturating_mul(RAREST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_become_rarer_where_the_budget_is_small() {
        let pause = |cost, cores| {
            let cost = Duration::from_micros(cost);
            pause(Duration::from_secs(1), cost, Budget::part(cores)).as_secs_f64()
        };
        assert!((pause(400, 0.01) - 1.0).abs() < 1e-9);
        assert!((pause(400, 0.0005) - 2.4).abs() < 1e-6);
        assert!((pause(400, 0.000_001) - 6.0).abs() < 1e-9);
        assert!((pause(400, f64::INFINITY) - 1.0).abs() < 1e-9);
    }
}
