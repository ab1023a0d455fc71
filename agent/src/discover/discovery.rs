//! Go programs as they are started, and those that run already.

use std::{
    collections::{HashMap, HashSet},
    fs, mem,
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};

use super::{
    events::Events,
    go::{Answer, GoFiles},
    proc_files,
};
use crate::{memory::FileIdentity, target::ProcessIdentity};

/// How often events are taken.
const DRAIN: Duration = Duration::from_millis(100);
/// How often all processes are gone through with events, which miss only what is forked and not executed.
const SCAN: Duration = Duration::from_secs(30);
/// The same without events.
const SCAN_ALONE: Duration = Duration::from_secs(1);
/// Processes that are looked at again with the next poll; more have to wait for the next scan.
const MAX_AGAIN: usize = 1024;

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
    /// Processes whose program is being found out, and when they began to run it, if that is known.
    again: HashMap<i32, Option<u64>>,
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
        for (pid, executed) in mem::take(&mut self.again) {
            self.look(pid, executed, &mut seen);
        }
        let waiting = self.again.len();
        for event in self.events.take() {
            if let Ok(pid) = i32::try_from(event.pid) {
                self.look(pid, Some(event.at_ns), &mut seen);
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
            self.look(*pid, None, seen);
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

    fn look(&mut self, pid: i32, executed: Option<u64>, seen: &mut Vec<Seen>) {
        let looked = monotonic();
        let program = self.machine.look(pid);
        if program != Look::Unknown {
            self.unknown.remove(&pid);
        }
        match program {
            Look::Unknown => self.errors += u64::from(self.unknown.insert(pid)),
            Look::Pending if self.again.len() < MAX_AGAIN => {
                let known = self.again.entry(pid).or_default();
                *known = executed.max(*known);
            }
            _ => {}
        }
        seen.extend(self.told.news(pid, executed, looked, program));
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

/// `CLOCK_MONOTONIC`, as in events, in nanoseconds.
fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// One look at a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// It runs a Go program.
    Go(Program),
    /// It runs another program.
    Other,
    /// It is gone, or has no program.
    Nothing,
    /// It is being found out.
    Pending,
    /// Could not be found out.
    Unknown,
}

/// A process with its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Program {
    identity: ProcessIdentity,
    file: FileIdentity,
    /// Where its stack begins, another address after each `execve` with address space randomisation; 0 if that is
    /// not told.
    stack: u64,
}

/// What is asked of the machine.
#[derive(Debug, Default)]
struct Machine {
    files: GoFiles,
}

impl Machine {
    fn processes(&self) -> std::io::Result<Vec<i32>> {
        let own = i32::try_from(std::process::id()).ok();
        let mut pids = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let pid = name.to_str().and_then(|name| name.parse().ok());
            pids.extend(pid.filter(|pid| Some(*pid) != own));
        }
        Ok(pids)
    }

    fn look(&self, pid: i32) -> Look {
        /// A process may go to another program, or its pid to another process, while it is looked at.
        const ATTEMPTS: usize = 3;
        let mut answer = self.files.ask(pid);
        for _ in 0..ATTEMPTS {
            let file = match answer {
                Answer::Go(file) => file,
                Answer::Other => return Look::Other,
                Answer::Nothing => return Look::Nothing,
                Answer::Pending => return Look::Pending,
                Answer::Unknown => return Look::Unknown,
            };
            let Some((start_time, stack)) = start_and_stack(pid) else {
                return Look::Nothing;
            };
            answer = self.files.ask(pid);
            if answer == Answer::Go(file) {
                return Look::Go(Program {
                    identity: ProcessIdentity { pid, start_time },
                    file,
                    stack,
                });
            }
        }
        Look::Unknown
    }
}

/// Start time and beginning of the stack from `/proc/PID/stat`; `None` if it has ended.
fn start_and_stack(pid: i32) -> Option<(u64, u64)> {
    /// `proc(5)` counts from 1 and begins with pid and name; after the name comes field 3.
    const STATE: usize = 0;
    const START_TIME: usize = 22 - 3;
    const STACK: usize = 28 - 3;
    let contents = proc_files::read(pid, "stat", 4096).ok()?;
    let text = String::from_utf8_lossy(&contents.bytes);
    // A name may hold anything, parentheses too.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let has_ended = matches!(fields.get(STATE), Some(&("Z" | "X" | "x")) | None);
    let number = |index: usize| fields.get(index)?.parse().ok();
    if has_ended {
        return None;
    }
    Some((number(START_TIME)?, number(STACK).unwrap_or(0)))
}

/// The programs that were told of, by pid.
#[derive(Debug, Default)]
struct Told(HashMap<i32, Last>);

/// The last that was told of a process.
#[derive(Clone, Copy, Debug)]
struct Last {
    program: Program,
    /// Whether it still runs that, or another that is no Go program.
    is_running: bool,
    /// When it was looked at.
    looked: u64,
}

impl Told {
    /// What is new if this is what was found, beginning at `looked`; `executed` is when the kernel said that it
    /// ran a new program.
    fn news(&mut self, pid: i32, executed: Option<u64>, looked: u64, found: Look) -> Option<Seen> {
        let program = match found {
            Look::Go(program) => program,
            Look::Other => {
                if let Some(last) = self.0.get_mut(&pid) {
                    last.is_running = false;
                }
                return None;
            }
            Look::Nothing => {
                self.0.remove(&pid);
                return None;
            }
            Look::Pending | Look::Unknown => return None,
        };
        let last = Last {
            program,
            is_running: true,
            looked,
        };
        let before = self.0.insert(pid, last);
        let before = before.filter(|before| before.program.identity == program.identity);
        let is_replaced = before.is_some();
        let is_new = before.is_none_or(|before| {
            let moved = ![0, before.program.stack].contains(&program.stack);
            !before.is_running
                || before.program.file != program.file
                || moved && before.program.stack != 0
                // What was looked at later than that is the program the event is about.
                || executed.is_some_and(|executed| executed > before.looked)
        });
        is_new.then_some(Seen {
            process: program.identity,
            is_replaced,
        })
    }

    /// Forgets all but these.
    fn keep(&mut self, pids: &HashSet<i32>) {
        self.0.retain(|pid, _| pids.contains(pid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(inode: u64) -> FileIdentity {
        FileIdentity {
            device: 1,
            inode,
            size: 1,
            mtime: 1,
        }
    }

    fn go(start_time: u64, inode: u64, stack: u64) -> Look {
        Look::Go(Program {
            identity: ProcessIdentity { pid: 7, start_time },
            file: file(inode),
            stack,
        })
    }

    fn seen(start_time: u64, is_replaced: bool) -> Option<Seen> {
        Some(Seen {
            process: ProcessIdentity { pid: 7, start_time },
            is_replaced,
        })
    }

    #[test]
    fn each_program_is_told_once() {
        let mut told = Told::default();
        assert_eq!(told.news(7, Some(10), 20, go(1, 1, 500)), seen(1, false));
        assert_eq!(told.news(7, None, 30, go(1, 1, 500)), None);
        // A scan was quicker than the event.
        assert_eq!(told.news(7, Some(25), 40, go(1, 1, 500)), None);
    }

    #[test]
    fn a_process_that_becomes_another_program() {
        let mut told = Told::default();
        assert_eq!(told.news(7, Some(10), 20, go(1, 1, 500)), seen(1, false));
        assert_eq!(told.news(7, Some(25), 30, go(1, 2, 600)), seen(1, true));
        // The same file again: by the event, or by its stack where there is none.
        assert_eq!(told.news(7, Some(35), 40, go(1, 2, 600)), seen(1, true));
        assert_eq!(told.news(7, None, 50, go(1, 2, 700)), seen(1, true));
        assert_eq!(told.news(7, None, 60, go(1, 2, 700)), None);
        // Where the stack is, is not told to everybody.
        assert_eq!(told.news(7, None, 70, go(1, 2, 0)), None);
        assert_eq!(told.news(7, None, 80, go(1, 2, 700)), None);
    }

    #[test]
    fn another_language_in_between() {
        let mut told = Told::default();
        assert_eq!(told.news(7, Some(1), 2, Look::Other), None);
        assert_eq!(told.news(7, Some(3), 4, go(1, 1, 500)), seen(1, false));
        assert_eq!(told.news(7, Some(5), 6, Look::Other), None);
        assert_eq!(told.news(7, None, 8, go(1, 1, 500)), seen(1, true));
    }

    #[test]
    fn another_process_with_the_pid() {
        let mut told = Told::default();
        assert_eq!(told.news(7, Some(1), 2, go(1, 1, 500)), seen(1, false));
        assert_eq!(told.news(7, Some(3), 4, go(2, 1, 600)), seen(2, false));
        assert_eq!(told.news(7, None, 6, Look::Nothing), None);
        assert_eq!(told.news(7, Some(7), 8, go(2, 1, 600)), seen(2, false));
        assert_eq!(told.news(7, None, 9, Look::Unknown), None);
        assert_eq!(told.news(7, None, 10, go(2, 1, 600)), None);
        told.keep(&HashSet::new());
        assert_eq!(told.0.len(), 0);
    }

    #[test]
    fn own_start_time_and_stack() {
        let pid = std::process::id().try_into().expect("a pid");
        let (start, stack) = start_and_stack(pid).expect("it runs");
        let own = crate::target::Process::open(pid).expect("it runs");
        assert_eq!(start, own.identity.start_time);
        assert_ne!(stack, 0);
        assert_eq!(start_and_stack(i32::MAX), None);
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
