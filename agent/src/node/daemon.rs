//! The daemon's loop: finds processes, has each watched by a thread of its own, hands on what they tell.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signalfd::{SignalFd, siginfo},
};

use super::{
    manager::Manager,
    message::{Mailbox, Message, Outcome, What, mailbox},
    meter::{self, Meter, Spent},
    privileges::{self, PrivilegesError},
    registry::{Entry, Next, Registry, State},
    sample, settings,
    shares::shares,
    view::View,
    watcher::{Common, Watcher},
};
use crate::{
    config::{Config, ConfigError},
    discover::{
        Decision, Discovery, Pods, Rules, Seen, identify,
        kubernetes::{Kubernetes, KubernetesError},
    },
    export::{ExportError, Exports, HostIdentity},
    listen::{ListenError, Listener},
    report::node::NodeSample,
    target::{Process, ProcessIdentity},
};

/// Between two looks at what is spent, and two distributions of the budget.
const SHARING: Duration = Duration::from_secs(2);
/// Between two looks at processes that nobody watches.
const TIDYING: Duration = Duration::from_secs(5);
/// How long the end waits for those who watch, and then for what is still to be delivered.
const STOPPING: Duration = Duration::from_secs(10);
const DELIVERING: Duration = Duration::from_secs(5);
/// Share of the node's budget that is handed out whatever the daemon itself takes.
const AT_LEAST: f64 = 0.3;
/// What a thread gets until the budget is shared anew.
const AT_FIRST: f64 = 0.25;

/// Why there is no daemon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its sinks.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Whom it asks about pods.
    #[error(transparent)]
    Kubernetes(#[from] KubernetesError),
    /// Its listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// It may not do what it is there for.
    #[error(transparent)]
    Privileges(#[from] PrivilegesError),
    /// The operating system.
    #[error("the daemon cannot {what}: {source}")]
    Io {
        /// What it cannot do.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Watches all Go programs of a node.
pub struct Daemon {
    pub(super) path: PathBuf,
    pub(super) config: Config,
    pub(super) common: Arc<Common>,
    pub(super) sender: super::message::Sender,
    pub(super) mailbox: Mailbox,
    pub(super) discovery: Discovery,
    pub(super) kubernetes: Option<Arc<Kubernetes>>,
    pub(super) registry: Registry,
    pub(super) exports: Exports,
    pub(super) listener: Option<Listener>,
    pub(super) view: Arc<View>,
    pub(super) manager: Manager,
    pub(super) meter: Meter,
    /// Of threads that have ended.
    pub(super) gone: (f64, f64),
    pub(super) watchers: u64,
    /// When the budget is shared anew.
    pub(super) next_sharing: Instant,
    /// What their kernel sides lost.
    pub(super) lost: u64,
    pub(super) errors: BTreeMap<&'static str, u64>,
    pub(super) reloads: u64,
    pub(super) started: SystemTime,
    pub(super) is_ending: bool,
}

impl Daemon {
    /// Reads the configuration at `path`, and begins to deliver and to listen.
    ///
    /// # Errors
    /// The configuration is wrong, or something of it cannot be had.
    pub fn start(path: &Path) -> Result<Self, DaemonError> {
        let config = Config::read(path)?;
        privileges::check(config.node.probes)?;
        let (sender, mailbox) = mailbox().map_err(|source| DaemonError::Io {
            what: "make a mailbox",
            source,
        })?;
        let kubernetes = Kubernetes::start(&config.kubernetes)?.map(Arc::new);
        let pods = kubernetes
            .clone()
            .map(|kubernetes| kubernetes as Arc<dyn Pods>);
        let rules = Rules::new(config.rules.clone());
        let common = Common::new(rules, pods, settings(&config, 0));
        let common = Arc::new(common.map_err(|source| DaemonError::Io {
            what: "start threads",
            source,
        })?);
        let exports = Exports::start(&config.exports, &HostIdentity::of_this_machine())?;
        let (now, started) = (Instant::now(), SystemTime::now());
        let mut daemon = Self {
            view: Arc::new(View::new(
                Arc::clone(&common),
                NodeSample {
                    targets: Vec::new(),
                    agent: sample::agent(&config, started),
                },
            )),
            path: path.to_owned(),
            common,
            sender,
            mailbox,
            discovery: Discovery::start(),
            kubernetes,
            registry: Registry::default(),
            exports,
            listener: None,
            manager: Manager::of_environment(),
            meter: Meter::new(now),
            gone: (0.0, 0.0),
            watchers: 0,
            next_sharing: now,
            lost: 0,
            errors: BTreeMap::new(),
            reloads: 0,
            started,
            is_ending: false,
            config,
        };
        let listen = daemon.config.listen.clone();
        daemon.listen(&listen)?;
        Ok(daemon)
    }
}

/// The loop.
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
            if !self.registry.is_starting()
                && let Some(ready) = ready.take()
            {
                self.view.is_ready();
                self.manager.is_ready();
                ready(self.listener.as_ref().map(Listener::address));
            }
            if now >= self.next_sharing {
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
        let is_known = self.registry.knows(seen.process);
        if is_known
            && (!seen.is_replaced || self.registry.is_replaced(seen.process) == Next::Nothing)
        {
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

    fn read_messages(&mut self) {
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
                self.next_sharing = Instant::now();
            }
            What::Event(event) => self.exports.event(*event),
            What::Over(outcome) => {
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

    /// Distributes the budget anew.
    fn share(&mut self, now: Instant) {
        let spent = self.spent();
        self.meter.update(now, spent);
        let budget = self.config.node.budget.cores();
        let own = self.meter.rate().map_or(0.0, |rate| rate.own);
        let watchers: Vec<&Watcher> = self.registry.watchers().collect();
        let wishes: Vec<_> = watchers
            .iter()
            .map(|watcher| watcher.control.wish())
            .collect();
        let left = (budget - own).max(budget * AT_LEAST);
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
    fn tidy(&mut self) {
        self.registry.tidy();
        let Some(pods) = self.common.pods.clone() else {
            return;
        };
        for entry in self.registry.entries_mut() {
            let State::Watched(watcher, identity) = &mut entry.state else {
                continue;
            };
            let is_unknown =
                |pod: &crate::report::node::Pod| pod.name.is_none() || pod.container.is_none();
            if identity.pod.as_ref().is_some_and(is_unknown)
                && let Ok(process) = Process::open(entry.process.pid)
            {
                let now = identify(&process, identity.process.clone(), Some(&*pods));
                if now.pod != identity.pod {
                    *identity = Arc::new(now);
                    watcher.control.set_identity(Arc::clone(identity));
                    if matches!(self.common.decide(identity), Decision::LeaveAlone { .. }) {
                        watcher.control.stop();
                    }
                }
            }
        }
    }

    pub(super) fn went_wrong(&mut self, kind: &'static str, error: &str) {
        *self.errors.entry(kind).or_default() += 1;
        tracing::warn!("{error}");
    }

    fn end(mut self) {
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

/// Why a sleep ended.
enum Woken {
    ForWork,
    ToReload,
    ToEnd,
}

fn is_hang_up(signal: &siginfo) -> bool {
    i32::try_from(signal.ssi_signo) == Ok(nix::sys::signal::Signal::SIGHUP as i32)
}
