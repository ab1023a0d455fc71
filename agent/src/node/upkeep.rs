//! What the daemon does now and then: shares the budget, asks again who is unknown; and how it ends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Daemon,
    meter::{self, Spent},
    registry::State,
    shares::shares,
    watcher::Watcher,
};
use crate::{discover::identify, report::node::Pod, target::Process};

/// How long the end waits for those who watch, and then for what is still to be delivered.
const STOPPING: Duration = Duration::from_secs(10);
const DELIVERING: Duration = Duration::from_secs(5);
/// Share of the node's budget that is handed out whatever the daemon itself takes.
const AT_LEAST: f64 = 0.3;
/// Of the budget, what is aimed at: what is spent between two looks cannot be taken back.
const AIM: f64 = 0.95;

impl Daemon {
    /// Distributes the budget anew.
    pub(super) fn share(&mut self, now: Instant) {
        let spent = self.spent();
        let budget = self.config.node.budget.cores() * AIM;
        self.meter.update(now, spent, budget);
        let own = self.meter.rate().map_or(0.0, |rate| rate.own);
        let watchers: Vec<&Watcher> = self.registry.watchers().collect();
        let wishes: Vec<_> = watchers
            .iter()
            .map(|watcher| watcher.control.wish())
            .collect();
        let left = (budget - own - self.meter.repayment()).max(budget * AT_LEAST);
        let shares: Vec<f64> = match budget.is_finite() {
            true => shares(left, &wishes),
            false => vec![f64::INFINITY; wishes.len()],
        };
        for (watcher, share) in watchers.into_iter().zip(shares) {
            watcher.control.set_budget(share);
        }
    }

    pub(super) fn spent(&self) -> Spent {
        let mut spent = Spent {
            agent: meter::processor_time(),
            watching: self.gone.0,
            profiles: self.view.profiles_seconds(),
            probes: self.gone.1,
        };
        for watcher in self.registry.watchers() {
            let (agent, probes) = watcher.control.spent();
            spent.watching += agent;
            spent.probes += probes;
        }
        spent
    }

    /// What nobody else does: forgets who has ended, asks who pods are.
    pub(super) fn tidy(&mut self) {
        self.registry.tidy();
        let Some(pods) = self.common.pods.clone() else {
            return;
        };
        let mut wanted = Vec::new();
        for entry in self.registry.entries_mut() {
            let (State::Watched(_, identity) | State::LeftAlone(identity)) = &mut entry.state
            else {
                continue;
            };
            let is_unknown = |pod: &Pod| pod.name.is_none() || pod.container.is_none();
            if !identity.pod.as_ref().is_some_and(is_unknown) {
                continue;
            }
            let Ok(process) = Process::open(entry.process.pid) else {
                continue;
            };
            let now = identify(&process, identity.process.clone(), Some(&*pods));
            if now.pod == identity.pod {
                continue;
            }
            *identity = Arc::new(now);
            let may_want = self.common.may_want(identity);
            match &entry.state {
                State::Watched(watcher, identity) => {
                    watcher.control.set_identity(Arc::clone(identity));
                    if !may_want {
                        watcher.control.stop();
                    }
                }
                // What it is labelled may have been what was missing.
                _ if may_want => wanted.push(entry.process),
                _ => {}
            }
        }
        for process in wanted {
            self.look_at(process);
        }
    }

    pub(super) fn went_wrong(&mut self, kind: &'static str, error: &str) {
        *self.errors.entry(kind).or_default() += 1;
        tracing::warn!("{error}");
    }

    pub(super) fn end(mut self) {
        self.is_ending = true;
        self.manager.is_stopping();
        self.view.is_stopping();
        for watcher in self.registry.watchers() {
            watcher.control.stop();
        }
        let deadline = Instant::now() + STOPPING;
        while self.registry.watchers().next().is_some() && Instant::now() < deadline {
            self.read_messages();
            std::thread::sleep(Duration::from_millis(5));
        }
        let left = self.registry.watchers().count();
        if left > 0 {
            tracing::warn!(
                "{left} processes were still being let go after {} s",
                STOPPING.as_secs()
            );
        }
        if let Some(listener) = self.listener.take() {
            listener.stop(Duration::from_secs(1));
        }
        for sink in self.exports.finish(DELIVERING) {
            if sink.queued > 0 || sink.dropped > 0 {
                tracing::warn!(
                    "{}: {} not delivered, {} dropped",
                    sink.name,
                    sink.queued,
                    sink.dropped
                );
            }
        }
    }
}
