//! The thread that watches one process: the same session as that of `attach`, under a budget that
//! changes, with the daemon for a reader.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::{
    Wish,
    control::Control,
    inspectors::Inspectors,
    message::{Message, Outcome, Sender, What},
};
use crate::{
    binary::{BinaryCache, BinaryError},
    detect::{Suppression, Verdict},
    discover::{Decision, Pods, Rules, identify},
    governor::{Budget, MemoryBudget},
    probes::{Limits, StopFile},
    report::{
        DetachReason, Event, EventKind,
        node::{Identity, TargetEvent, TargetSample},
    },
    session::{Accounting, Options, Session, SessionError},
    target::{ProcessIdentity, TargetError, Vitality},
};

/// A process with leaks counts for so many without where the budget does not do for all.
const LEAKING: f64 = 4.0;
/// Fewer creations a second are not worth a probe: a census tells as much.
const LEAST_CREATIONS: f64 = 0.2;

/// What all threads share.
pub(super) struct Common {
    pub(super) binaries: Arc<BinaryCache>,
    pub(super) rules: RwLock<Rules>,
    pub(super) pods: Option<Arc<dyn Pods>>,
    pub(super) settings: Mutex<Settings>,
    pub(super) inspectors: Inspectors,
}

/// What a session is told at its beginning.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Between two samples.
    pub(super) interval: Duration,
    /// Of the agent.
    pub(super) memory: MemoryBudget,
    /// Sizes of the kernel's maps of one process.
    pub(super) limits: Limits,
    pub(super) stop_file: StopFile,
    pub(super) suppressions: Vec<Suppression>,
    pub(super) history: Option<std::path::PathBuf>,
    pub(super) probes: bool,
}

impl Common {
    /// # Errors
    /// The operating system has no threads for it.
    pub(super) fn new(
        rules: Rules,
        pods: Option<Arc<dyn Pods>>,
        settings: Settings,
    ) -> std::io::Result<Self> {
        let binaries = Arc::default();
        Ok(Self {
            inspectors: Inspectors::start(Arc::clone(&binaries))?,
            binaries,
            rules: RwLock::new(rules),
            pods,
            settings: Mutex::new(settings),
        })
    }

    pub(super) fn settings(&self) -> Settings {
        let settings = self.settings.lock();
        settings.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn decide(&self, identity: &Identity) -> Decision {
        let rules = self.rules.read();
        rules
            .unwrap_or_else(PoisonError::into_inner)
            .decide(identity)
    }
}

/// The daemon's end of one thread.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) number: u64,
    pub(super) control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Begins to watch `process` under a budget of `cores`. What comes of it is told by messages, the
    /// last of which is [`What::Over`].
    ///
    /// # Errors
    /// The operating system has no thread, or no file descriptor, for it.
    pub(super) fn start(
        process: ProcessIdentity,
        number: u64,
        common: &Arc<Common>,
        sender: Sender,
        cores: f64,
    ) -> std::io::Result<Self> {
        let control = Arc::new(Control::new(Budget::part(cores))?);
        let (common, of_thread) = (Arc::clone(common), Arc::clone(&control));
        let thread = thread::Builder::new()
            .name(format!("watch-{}", process.pid))
            .spawn(move || {
                let tell = |what| {
                    sender.send(Message {
                        process,
                        watcher: number,
                        what,
                    });
                };
                let outcome = watch(process, &common, &of_thread, &tell);
                tell(What::Over(outcome));
            })?;
        Ok(Self {
            number,
            control,
            thread: Some(thread),
        })
    }

    /// Waits for the thread behind its last message.
    pub(super) fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            // It can only have panicked, which has been said where it did.
            let _ = thread.join();
        }
    }
}

/// The thread.
fn watch(
    process: ProcessIdentity,
    common: &Common,
    control: &Control,
    tell: &dyn Fn(What),
) -> Outcome {
    let Some(inspected) = common.inspectors.inspect(process.pid) else {
        return Outcome::Failed {
            kind: "inspect",
            error: "looking at its executable panicked, which is a mistake of gostray's: please report it with the \
                    lines on standard error"
                .into(),
        };
    };
    let inspected = match inspected {
        Ok(inspected) if inspected.process.identity == process => inspected,
        Ok(_) => return Outcome::Gone,
        Err(error) => return refused("inspect", &error),
    };
    let identity = identify(&inspected.process, inspected.info(), common.pods.as_deref());
    let identity = Arc::new(identity);
    if let Decision::LeaveAlone { rule } = common.decide(&identity) {
        return Outcome::LeftAlone { identity, rule };
    }
    control.set_identity(Arc::clone(&identity));
    if control.stops() {
        return Outcome::Ended(DetachReason::Interrupted);
    }
    let settings = common.settings();
    let options = options(&settings, control.budget());
    let session = match Session::attach(inspected, options) {
        Ok(session) => session,
        Err(error) => return refused("attach", &error),
    };
    tell(What::Watched(Arc::clone(&identity)));
    let rounds = Rounds {
        session,
        identity,
        control,
        common,
        tell,
        began: SystemTime::now(),
        leaks_told: [0; 3],
        budget: control.budget(),
    };
    rounds.all()
}

fn options(settings: &Settings, budget: Budget) -> Options {
    Options {
        no_probes: !settings.probes,
        park: false,
        budget,
        accounting: Accounting::Thread,
        least_creations: LEAST_CREATIONS,
        memory: settings.memory,
        limits: settings.limits,
        stop_file: Some(settings.stop_file.clone()),
        suppressions: settings.suppressions.clone(),
        history: settings.history.clone(),
        ..Options::default()
    }
}

/// What an error at the beginning means.
fn refused(kind: &'static str, error: &SessionError) -> Outcome {
    match error {
        SessionError::Ended { .. }
        | SessionError::Replaced { .. }
        | SessionError::Target(TargetError::NoSuchProcess { .. } | TargetError::Zombie { .. }) => {
            Outcome::Gone
        }
        SessionError::StopFile { .. } => Outcome::Ended(DetachReason::StopFile),
        SessionError::Binary { source, .. }
            if matches!(**source, BinaryError::NotElf | BinaryError::NotGo) =>
        {
            Outcome::Foreign
        }
        _ => Outcome::Failed {
            kind,
            error: error.to_string(),
        },
    }
}

/// A session under way.
struct Rounds<'a> {
    session: Session,
    identity: Arc<Identity>,
    control: &'a Control,
    common: &'a Common,
    tell: &'a dyn Fn(What),
    began: SystemTime,
    leaks_told: [u64; 3],
    budget: Budget,
}

impl Rounds<'_> {
    fn all(mut self) -> Outcome {
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
        loop {
            self.take_orders();
            let work = self.session.work().map_err(text)?;
            for event in work.events {
                self.event(event);
            }
            let wish = Wish {
                cores: self.session.wish(),
                weight: if self.session.has_leaks() {
                    LEAKING
                } else {
                    1.0
                },
            };
            self.control.tell(self.session.spent(), wish);
            if let Some(reason) = work.end {
                return self.end(reason);
            }
            let now = Instant::now();
            if now >= next_sample {
                self.sample()?;
                next_sample = now + self.common.settings().interval;
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
