//! The thread that watches one process: the same session as that of `attach`, under a budget that
//! changes, with the daemon for a reader.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    control::Control,
    inspectors::Inspectors,
    message::{Message, Outcome, Sender, What},
    rounds::Rounds,
};
use crate::{
    binary::{BinaryCache, BinaryError},
    detect::Suppression,
    discover::{Decision, Pods, Rules, identify},
    governor::{Budget, MemoryBudget},
    probes::{Limits, StopFile},
    report::{DetachReason, ProcessInfo, node::Identity},
    session::{Accounting, Options, Session, SessionError},
    target::{Process, ProcessIdentity, TargetError},
};

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

    /// Whether one that has been left alone would now be watched, or has to be looked into to know.
    pub(super) fn may_want(&self, identity: &Identity) -> bool {
        let decision = match identity.process.is_unexamined() {
            true => self.decide_unexamined(identity),
            false => Some(self.decide(identity)),
        };
        !matches!(decision, Some(Decision::LeaveAlone { .. }))
    }

    /// `None` where its executable has to be looked into first.
    pub(super) fn decide_unexamined(&self, identity: &Identity) -> Option<Decision> {
        let rules = self.rules.read();
        rules
            .unwrap_or_else(PoisonError::into_inner)
            .decide_unexamined(identity)
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

    /// One without a thread.
    #[cfg(test)]
    pub(super) fn idle(number: u64) -> Self {
        let control = Control::new(Budget::part(0.01)).expect("an eventfd");
        Self {
            number,
            control: Arc::new(control),
            thread: None,
        }
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
    let before = match Process::open(process.pid) {
        Ok(before) if before.identity == process => before,
        Ok(_) => return Outcome::Gone,
        Err(error) => return refused("inspect", &error.into()),
    };
    let exe = before.exe.display().to_string();
    let info = ProcessInfo::unexamined(exe, before.container_id.clone());
    let identity = identify(&before, info, common.pods.as_deref());
    // Others' programs are none of our business, and cost next to nothing.
    if let Some(Decision::LeaveAlone { rule }) = common.decide_unexamined(&identity) {
        let identity = Arc::new(identity);
        return Outcome::LeftAlone { identity, rule };
    }
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
    let identity = match inspected.process.exe == before.exe {
        true => identity.examined(inspected.info()),
        // It has become another meanwhile.
        false => identify(&inspected.process, inspected.info(), common.pods.as_deref()),
    };
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
    Rounds::new(session, identity, control, common, tell).all()
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
