//! All processes that were found to run Go, and what is done about each.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{message::Outcome, watcher::Watcher};
use crate::{
    report::{
        DetachReason,
        node::{Identity, ProcessCounts, ProcessFailure},
    },
    target::{Process, ProcessIdentity},
};

/// One that failed is tried again after so long, twice as long each time: one that has just begun may not
/// have set up its runtime yet.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(600);
/// One that is left alone is asked about again after so long, once: who starts a program may put it into its
/// cgroup a moment later.
const LATECOMER: Duration = Duration::from_secs(1);
/// What the stop file has ended is tried again after this.
const STOPPED: Duration = Duration::from_secs(5);

/// What is done about a process.
#[derive(Debug)]
pub(super) enum State {
    /// A thread looks at it, and will watch it if the rules say so.
    Starting(Watcher),
    /// It is watched.
    Watched(Watcher, Arc<Identity>),
    /// The rules leave it alone.
    LeftAlone(Arc<Identity>),
    /// It cannot be watched; it is tried again then.
    Failed { error: String, retry: Instant },
}

/// One process.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) process: ProcessIdentity,
    pub(super) state: State,
    /// How often in a row it failed.
    failures: u32,
    /// Left alone, and asked about again then.
    again: Option<Instant>,
    /// It has been asked about again.
    is_settled: bool,
    /// It has become another program since its thread began: what becomes of that may be of either.
    begins_again: bool,
}

/// What is to be done with a process whose thread has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    /// The same process may run another program now, or may be left alone from now on.
    LookAgain,
}

/// The processes by their pids.
#[derive(Debug, Default)]
pub(super) struct Registry {
    entries: BTreeMap<i32, Entry>,
}

impl Registry {
    /// Whether this process, and not an earlier one of the same pid, is known.
    pub(super) fn knows(&self, process: ProcessIdentity) -> bool {
        self.of_process(process).is_some()
    }

    /// A thread has begun to look at `process`.
    pub(super) fn begins(&mut self, process: ProcessIdentity, watcher: Watcher) {
        let known = self.of_process(process);
        let entry = Entry {
            process,
            failures: known.map_or(0, |entry| entry.failures),
            again: None,
            is_settled: known.is_some_and(|entry| entry.is_settled),
            state: State::Starting(watcher),
            begins_again: false,
        };
        self.entries.insert(process.pid, entry);
    }

    /// Every thread, with what it is about.
    pub(super) fn watchers(&self) -> impl Iterator<Item = &Watcher> {
        self.entries.values().filter_map(Entry::watcher)
    }

    /// Why some cannot be watched.
    pub(super) fn failures(&self) -> Vec<ProcessFailure> {
        let failures = self
            .entries
            .values()
            .filter_map(|entry| match &entry.state {
                State::Failed { error, .. } => Some(ProcessFailure {
                    pid: entry.process.pid,
                    error: error.clone(),
                }),
                _ => None,
            });
        failures.take(ProcessFailure::MOST).collect()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// What is done about `process`.
    pub(super) fn of_process(&self, process: ProcessIdentity) -> Option<&Entry> {
        let entry = self.entries.get(&process.pid);
        entry.filter(|entry| entry.process == process)
    }

    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.values_mut()
    }

    /// Whether some are still being looked at for the first time.
    pub(super) fn is_starting(&self) -> bool {
        let mut states = self.entries.values().map(|entry| &entry.state);
        states.any(|state| matches!(state, State::Starting(_)))
    }

    /// The thread `number` watches `process` now.
    pub(super) fn is_watched(
        &mut self,
        process: ProcessIdentity,
        number: u64,
        identity: Arc<Identity>,
    ) {
        let Some(entry) = self.of(process, number) else {
            return;
        };
        entry.failures = 0;
        let state = std::mem::replace(&mut entry.state, State::LeftAlone(Arc::clone(&identity)));
        if let State::Starting(watcher) | State::Watched(watcher, _) = state {
            entry.state = State::Watched(watcher, identity);
        }
    }

    /// Its program has been replaced by another: its thread will notice when it is woken; if it has
    /// none, it is looked at anew.
    pub(super) fn is_replaced(&mut self, process: ProcessIdentity) -> Next {
        let Some(entry) = self.entries.get_mut(&process.pid) else {
            return Next::LookAgain;
        };
        match entry.watcher() {
            Some(watcher) => {
                watcher.control.wake();
                // One that is still looking may have looked at either program; one that watched may have taken
                // the moment between both for the end of the process, and its last message be under way.
                entry.begins_again = true;
                Next::Nothing
            }
            None => Next::LookAgain,
        }
    }

    /// The thread `number` has ended. Hands it over, to be waited for, and what is to be done next.
    pub(super) fn is_over(
        &mut self,
        process: ProcessIdentity,
        number: u64,
        outcome: Outcome,
        now: Instant,
    ) -> (Option<Watcher>, Next) {
        let Some(entry) = self.of(process, number) else {
            return (None, Next::Nothing);
        };
        let failed = |error: String, after: Duration| State::Failed {
            error,
            retry: now + after,
        };
        let mut next = match entry.begins_again {
            true => Next::LookAgain,
            false => Next::Nothing,
        };
        let state = match outcome {
            Outcome::LeftAlone { identity, .. } => {
                entry.again = (!entry.is_settled).then_some(now + LATECOMER);
                entry.is_settled = true;
                Some(State::LeftAlone(identity))
            }
            Outcome::Failed { error, .. } => {
                let after = FIRST_RETRY * 2_u32.saturating_pow(entry.failures.min(16));
                entry.failures += 1;
                Some(failed(error, after.min(LONGEST_RETRY)))
            }
            Outcome::Ended(DetachReason::StopFile) => {
                Some(failed("the stop file is there".into(), STOPPED))
            }
            // It became another program, or the rules have changed: they decide anew.
            Outcome::Ended(DetachReason::Exec | DetachReason::Interrupted) => {
                next = Next::LookAgain;
                None
            }
            Outcome::Ended(_) | Outcome::Foreign | Outcome::Gone => None,
        };
        let old = match state {
            Some(state) => Some(std::mem::replace(&mut entry.state, state)),
            None => self.entries.remove(&process.pid).map(|entry| entry.state),
        };
        let watcher = match old {
            Some(State::Starting(watcher) | State::Watched(watcher, _)) => Some(watcher),
            _ => None,
        };
        (watcher, next)
    }

    /// Forgets those without a thread that have ended.
    pub(super) fn tidy(&mut self) {
        self.entries.retain(|pid, entry| {
            entry.watcher().is_some()
                || Process::open(*pid).is_ok_and(|process| process.identity == entry.process)
        });
    }

    /// When the next is to be tried again.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        let retries = self.entries.values().filter_map(Entry::retry);
        retries.min()
    }

    /// Those that are due to be tried again.
    pub(super) fn due(&self, now: Instant) -> Vec<ProcessIdentity> {
        let entries = self.entries.values();
        let due = entries.filter(|entry| entry.retry().is_some_and(|retry| retry <= now));
        due.map(|entry| entry.process).collect()
    }

    /// How many there are of each kind now.
    pub(super) fn count(&self) -> ProcessCounts {
        let mut counts = ProcessCounts::default();
        for entry in self.entries.values() {
            match entry.state {
                State::Starting(_) => {}
                State::Watched(..) => counts.watched += 1,
                State::LeftAlone(_) => counts.left_alone += 1,
                State::Failed { .. } => counts.failed += 1,
            }
        }
        counts
    }

    fn of(&mut self, process: ProcessIdentity, number: u64) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(&process.pid)?;
        let is_its = entry
            .watcher()
            .is_some_and(|watcher| watcher.number == number);
        is_its.then_some(entry)
    }
}

impl Entry {
    fn retry(&self) -> Option<Instant> {
        match self.state {
            State::Failed { retry, .. } => Some(retry),
            State::LeftAlone(_) => self.again,
            State::Starting(_) | State::Watched(..) => None,
        }
    }

    /// Its thread, if it has one.
    pub(super) fn watcher(&self) -> Option<&Watcher> {
        match &self.state {
            State::Starting(watcher) | State::Watched(watcher, _) => Some(watcher),
            State::LeftAlone(_) | State::Failed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{discover::identify, report::ProcessInfo};

    const PROCESS: ProcessIdentity = ProcessIdentity {
        pid: 7,
        start_time: 1,
    };

    fn watched() -> Registry {
        let mut registry = Registry::default();
        registry.begins(PROCESS, Watcher::idle(3));
        let own = i32::try_from(std::process::id()).expect("a pid");
        let own = Process::open(own).expect("it runs");
        let info = ProcessInfo::unexamined(String::new(), None);
        registry.is_watched(PROCESS, 3, Arc::new(identify(&own, info, None)));
        registry
    }

    #[test]
    fn one_that_became_another_program_while_its_end_was_being_told_is_looked_at_again() {
        let now = Instant::now();
        let exited = || Outcome::Ended(DetachReason::Exited);
        let mut registry = watched();
        assert_eq!(registry.is_over(PROCESS, 3, exited(), now).1, Next::Nothing);
        assert!(!registry.knows(PROCESS));

        let mut registry = watched();
        assert_eq!(registry.is_replaced(PROCESS), Next::Nothing);
        let (over, next) = registry.is_over(PROCESS, 3, exited(), now);
        assert!(over.is_some());
        assert_eq!(next, Next::LookAgain);
    }
}
