//! Go programs as they are started, and those that run already.

use std::{
    collections::{HashMap, HashSet},
    mem,
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};

use super::{
    events::Events,
    machine::{Look, Machine},
    told::Told,
};
use crate::target::ProcessIdentity;

/// How often events are taken.
const DRAIN: Duration = Duration::from_millis(100);
/// How often all processes are gone through with events, which miss only what is forked and not executed.
const SCAN: Duration = Duration::from_secs(30);
/// The same without events.
const SCAN_ALONE: Duration = Duration::from_secs(1);
/// Processes that are looked at again with the next poll; more have to wait for the next scan.
const MAX_AGAIN: usize = 1024;
/// How often one is looked at again that could not be looked at: it may have been between two programs.
const RETRIES: u32 = 10;

/// A Go program that was not told of before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The process that runs it.
    pub process: ProcessIdentity,
    /// Whether that process ran another program when it was told of (`execve`), which is no longer
    /// there.
    pub is_replaced: bool,
}

/// Finds Go programs: at once through the kernel's events where there are any, and by going through
/// all processes now and then.
#[derive(Debug)]
pub struct Discovery {
    machine: Machine,
    events: Events,
    told: Told,
    /// Processes whose program is being found out.
    again: HashMap<i32, Again>,
    next_drain: Instant,
    next_scan: Instant,
    /// Events lost up to the last scan.
    missed: u64,
    /// The processes of the last scan, where there are no events.
    running: Option<HashSet<i32>>,
    found: u64,
    /// Processes that could not be looked at the last time.
    unknown: HashSet<i32>,
    errors: u64,
}

impl Discovery {
    /// Begins to listen; the first [`Self::poll`] gives what runs already. Without the privilege to listen (CAP_BPF
    /// and CAP_PERFMON), or on a kernel before 5.8, all processes are gone through once a second instead.
    #[must_use]
    pub fn start() -> Self {
        Self::with(Events::start())
    }

    fn with(events: Events) -> Self {
        let now = Instant::now();
        Self {
            machine: Machine::default(),
            events,
            told: Told::default(),
            again: HashMap::new(),
            next_drain: now,
            next_scan: now,
            missed: 0,
            running: None,
            found: 0,
            unknown: HashSet::new(),
            errors: 0,
        }
    }

    /// What is new since the last call; each program once. An executable that was not seen before may
    /// take some milliseconds, and is told of later if it takes more.
    pub fn poll(&mut self, now: Instant) -> Vec<Seen> {
        let mut seen = Vec::new();
        for (pid, again) in mem::take(&mut self.again) {
            self.look(pid, again, &mut seen);
        }
        // Of those that could not be looked at it is told once they are given up.
        let again = self.again.values();
        let waiting = again.filter(|again| again.failures == 0).count();
        for event in self.events.take() {
            if let Ok(pid) = i32::try_from(event.pid) {
                let executed = Some(event.at_ns);
                self.look(pid, Again::first(executed), &mut seen);
            }
        }
        self.next_drain = now + DRAIN;
        let dropped = self.events.dropped();
        if dropped > self.missed || now >= self.next_scan {
            self.missed = dropped;
            self.errors += u64::try_from(waiting).unwrap_or(u64::MAX);
            self.scan(&mut seen);
            let pause = match self.events.why_none() {
                Some(_) => SCAN_ALONE,
                None => SCAN,
            };
            self.next_scan = now + pause;
        }
        seen
    }

    fn scan(&mut self, seen: &mut Vec<Seen>) {
        let pids = match self.machine.processes() {
            Ok(pids) => pids,
            Err(error) => {
                tracing::warn!(%error, "/proc cannot be listed; programs may be missed");
                self.errors += 1;
                return;
            }
        };
        for pid in &pids {
            self.look(*pid, Again::first(None), seen);
        }
        let pids: HashSet<i32> = pids.into_iter().collect();
        self.told.keep(&pids);
        self.unknown.retain(|pid| pids.contains(pid));
        if self.events.why_none().is_some() {
            if let Some(before) = &self.running {
                let new = pids.difference(before).count();
                self.found += u64::try_from(new).unwrap_or(u64::MAX);
            }
            self.running = Some(pids);
        }
    }

    fn look(&mut self, pid: i32, which: Again, seen: &mut Vec<Seen>) {
        let looked = monotonic();
        let program = self.machine.look(pid);
        let again = which.after(program, self.unknown.contains(&pid));
        match again.filter(|_| self.again.len() < MAX_AGAIN) {
            Some(again) => {
                let known = self.again.entry(pid).or_default();
                known.executed = again.executed.max(known.executed);
                known.failures = again.failures.max(known.failures);
            }
            None if program == Look::Unknown => {
                self.errors += u64::from(self.unknown.insert(pid));
            }
            None => {
                self.unknown.remove(&pid);
            }
        }
        seen.extend(self.told.news(pid, which.executed, looked, program));
    }

    /// When [`Self::poll`] is due.
    #[must_use]
    pub fn next(&self) -> Instant {
        match self.events.why_none() {
            Some(_) if self.again.is_empty() => self.next_scan,
            _ => self.next_scan.min(self.next_drain),
        }
    }

    /// Events that were lost, because too many came between two polls. A scan follows at once, which
    /// finds all that have not ended by then.
    #[must_use]
    pub fn drops(&self) -> u64 {
        self.events.dropped()
    }

    /// Programs started since this was, Go or not. Without events, processes new in a scan.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.events.seen() + self.found
    }

    /// Processes whose program could not be looked at (we may not, say), each once; how often one was not known
    /// yet when all were gone through again; how often processes could not be listed.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Why there are no events; `None` if there are.
    #[must_use]
    pub fn why_scanning(&self) -> Option<&str> {
        self.events.why_none()
    }
}

/// Why and how a process is looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Again {
    /// When it began to run its program, if the kernel has said so.
    executed: Option<u64>,
    /// How often in a row it could not be looked at.
    failures: u32,
}

impl Again {
    fn first(executed: Option<u64>) -> Self {
        Self {
            executed,
            failures: 0,
        }
    }

    /// How it is looked at with the next poll, if it is; `is_given_up` if that has come to nothing before.
    fn after(self, program: Look, is_given_up: bool) -> Option<Self> {
        match program {
            Look::Pending => Some(self),
            // One that has been given up is looked at in each scan, and when it runs another program.
            Look::Unknown if self.executed.is_some() || !is_given_up => {
                let failures = self.failures + 1;
                (failures <= RETRIES).then_some(Self { failures, ..self })
            }
            Look::Unknown | Look::Go(_) | Look::Other | Look::Nothing => None,
        }
    }
}

/// `CLOCK_MONOTONIC`, as in events, in nanoseconds.
fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_looked_at_is_tried_again_some_times() {
        let tries = |first: Again, is_given_up| {
            let mut next = Some(first);
            let mut tries = 0;
            while let Some(again) = next.take() {
                tries += 1;
                next = again.after(Look::Unknown, is_given_up);
            }
            tries
        };
        assert_eq!(tries(Again::first(None), false), RETRIES + 1);
        assert_eq!(tries(Again::first(None), true), 1);
        assert_eq!(tries(Again::first(Some(9)), true), RETRIES + 1);
        let pending = Again::first(Some(9)).after(Look::Pending, true);
        assert_eq!(pending.and_then(|again| again.executed), Some(9));
        assert!(Again::first(Some(9)).after(Look::Other, false).is_none());
    }

    #[test]
    fn without_events_all_processes_are_gone_through() {
        let mut discovery = Discovery::with(Events::none("not here"));
        assert_eq!(discovery.why_scanning(), Some("not here"));
        let now = Instant::now();
        discovery.poll(now);
        // An executable that takes long to look at is asked for again, sooner than the next scan.
        while !discovery.again.is_empty() {
            assert_eq!(discovery.next(), now + DRAIN);
            std::thread::yield_now();
            discovery.poll(now);
        }
        assert_eq!(discovery.next(), now + SCAN_ALONE);
        assert_eq!((discovery.drops(), discovery.seen()), (0, 0));
        assert!(discovery.poll(now).is_empty(), "not due yet");
        let _new = super::super::running::Running::start(&[]);
        discovery.poll(now + SCAN_ALONE);
        assert!(discovery.seen() > 0);
    }
}
