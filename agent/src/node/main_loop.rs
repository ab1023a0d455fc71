//! The daemon's loop: hears who began and who ended, reads what the threads tell, and has the upkeep done.

use std::{
    net::SocketAddr,
    os::fd::AsFd as _,
    sync::Arc,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signalfd::{SignalFd, siginfo},
};

use super::{
    Daemon, DaemonError,
    message::{Message, Outcome, What},
    registry::{Entry, Next},
    watcher::Watcher,
};
use crate::{
    discover::{Decision, Seen},
    listen::Listener,
    target::ProcessIdentity,
};

/// Between two looks at what is spent, and two distributions of the budget.
const SHARING: Duration = Duration::from_secs(2);
/// The same when somebody has come or gone: those that do so together wait for each other.
const SHARING_SOON: Duration = Duration::from_millis(200);
/// Between two looks at processes that nobody watches.
const TIDYING: Duration = Duration::from_secs(5);
/// What a thread gets until the budget is shared anew.
const AT_FIRST: f64 = 0.25;

impl Daemon {
    /// Watches until a signal says otherwise: SIGHUP reads the configuration again, all others end it.
    /// `ready` is called once all that ran at the beginning is decided about, with the address that is
    /// listened on.
    ///
    /// # Errors
    /// The kernel does not let it wait.
    pub fn run(
        mut self,
        signals: &SignalFd,
        ready: impl FnOnce(Option<SocketAddr>),
    ) -> Result<(), DaemonError> {
        let mut ready = Some(ready);
        let mut next_tidying = Instant::now() + TIDYING;
        let mut next_sample = Instant::now();
        loop {
            let now = Instant::now();
            for seen in self.discovery.poll(now) {
                self.has_seen(seen);
            }
            for process in self.registry.due(now) {
                self.look_at(process);
            }
            self.read_messages();
            let becomes_ready = ready.is_some() && !self.registry.is_starting();
            if now >= self.next_sharing || becomes_ready {
                self.share(now);
                let sample = self.sample();
                self.view.set_sample(Arc::clone(&sample));
                if now >= next_sample
                    && let Some(interval) = self.exports.metrics_interval()
                {
                    self.exports.sample(sample);
                    next_sample = now + interval;
                }
                self.next_sharing = now + SHARING;
            }
            // Whoever asks now is told of all that ran before.
            if becomes_ready && let Some(ready) = ready.take() {
                self.view.is_ready();
                self.manager.is_ready();
                ready(self.listener.as_ref().map(Listener::address));
            }
            if now >= next_tidying {
                self.tidy();
                next_tidying = now + TIDYING;
            }
            self.view.went_round();
            self.manager.is_alive(now, || self.registry.count());
            let soon = [Some(self.discovery.next()), self.registry.next_retry()];
            let soon = soon
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(self.next_sharing);
            let wake = soon.min(self.next_sharing).min(next_tidying);
            match self.sleep_until(wake, signals)? {
                Woken::ForWork => {}
                Woken::ToReload => self.reload(),
                Woken::ToEnd => break,
            }
        }
        self.end();
        Ok(())
    }

    fn sleep_until(&self, wake: Instant, signals: &SignalFd) -> Result<Woken, DaemonError> {
        let left = wake.saturating_duration_since(Instant::now());
        // Rounded up, so as not to wake a little early and then again.
        let millis = u16::try_from(left.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
        let mut fds = [
            PollFd::new(self.mailbox.woken(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::from(millis)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => {
                return Err(DaemonError::Io {
                    what: "wait",
                    source: errno.into(),
                });
            }
        }
        // Takes the signal away, so that it is not handled again.
        Ok(match signals.read_signal() {
            Ok(Some(signal)) if is_hang_up(&signal) => Woken::ToReload,
            Ok(Some(_)) => Woken::ToEnd,
            Ok(None) | Err(_) => Woken::ForWork,
        })
    }

    /// A Go program runs that did not before.
    fn has_seen(&mut self, seen: Seen) {
        // One that is known is only told of again if it runs another program now. Whoever looked between both may
        // have taken it for ended, so what was told of it before does not matter.
        let is_known = self.registry.knows(seen.process);
        if is_known && self.registry.is_replaced(seen.process) == Next::Nothing {
            return;
        }
        self.look_at(seen.process);
    }

    pub(super) fn look_at(&mut self, process: ProcessIdentity) {
        self.watchers += 1;
        let cores = self.config.node.budget.cores().min(1.0) * AT_FIRST;
        let sender = self.sender.clone();
        match Watcher::start(process, self.watchers, &self.common, sender, cores) {
            Ok(watcher) => self.registry.begins(process, watcher),
            Err(error) => self.went_wrong("attach", &format!("process {}: {error}", process.pid)),
        }
    }

    pub(super) fn read_messages(&mut self) {
        self.mailbox.was_woken();
        while let Some(message) = self.mailbox.next() {
            self.read(message);
        }
    }

    fn read(&mut self, message: Message) {
        let Message {
            process,
            watcher,
            what,
        } = message;
        match what {
            What::Watched(identity) => {
                // The rules may have changed while it was looked at.
                let is_wanted = matches!(self.common.decide(&identity), Decision::Watch);
                self.registry.is_watched(process, watcher, identity);
                if !is_wanted
                    && let Some(watcher) =
                        self.registry.of_process(process).and_then(Entry::watcher)
                {
                    watcher.control.stop();
                }
            }
            // It has a share from now on, and is shown.
            What::Sampled => self.share_soon(),
            What::Event(event) => self.exports.event(*event),
            What::Over(outcome) => {
                tracing::debug!(pid = process.pid, ?outcome, "not watched any more");
                match &outcome {
                    Outcome::Failed { kind, error } => self.went_wrong(kind, error),
                    Outcome::LeftAlone { rule, .. } => {
                        tracing::info!("process {} is left alone: {rule}", process.pid);
                    }
                    _ => {}
                }
                let (over, next) = self
                    .registry
                    .is_over(process, watcher, outcome, Instant::now());
                if let Some(over) = over {
                    self.share_soon();
                    let (agent, probes) = over.control.spent();
                    self.gone = (self.gone.0 + agent, self.gone.1 + probes);
                    if let Some(last) = over.control.sample() {
                        self.lost += last.status.drops.values().sum::<u64>();
                    }
                    // It was its last message.
                    over.join();
                }
                if next == Next::LookAgain && !self.is_ending {
                    self.look_at(process);
                }
                self.common.binaries.forget_unused();
            }
        }
    }

    fn share_soon(&mut self) {
        self.next_sharing = self.next_sharing.min(Instant::now() + SHARING_SOON);
    }
}

/// Why a sleep ended.
enum Woken {
    ForWork,
    ToReload,
    ToEnd,
}

fn is_hang_up(signal: &siginfo) -> bool {
    i32::try_from(signal.ssi_signo) == Ok(nix::sys::signal::Signal::SIGHUP as i32)
}
