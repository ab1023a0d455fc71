//! Which program a process runs, from `/proc`.

use std::fs;

use super::{
    go::{Answer, GoFiles},
    proc_files,
};
use crate::{memory::FileIdentity, target::ProcessIdentity};

/// One look at a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
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
pub(super) struct Program {
    pub(super) identity: ProcessIdentity,
    pub(super) file: FileIdentity,
    /// Where its stack begins, another address after each `execve` with address space randomisation; 0 if that is
    /// not told.
    pub(super) stack: u64,
}

/// What is asked of the machine.
#[derive(Debug, Default)]
pub(super) struct Machine {
    files: GoFiles,
}

impl Machine {
    /// All there are, but for the agent itself.
    pub(super) fn processes(&self) -> std::io::Result<Vec<i32>> {
        let own = i32::try_from(std::process::id()).ok();
        let mut pids = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let pid = name.to_str().and_then(|name| name.parse().ok());
            pids.extend(pid.filter(|pid| Some(*pid) != own));
        }
        Ok(pids)
    }

    pub(super) fn look(&self, pid: i32) -> Look {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_start_time_and_stack() {
        let pid = std::process::id().try_into().expect("a pid");
        let (start, stack) = start_and_stack(pid).expect("it runs");
        let own = crate::target::Process::open(pid).expect("it runs");
        assert_eq!(start, own.identity.start_time);
        assert_ne!(stack, 0);
        assert_eq!(start_and_stack(i32::MAX), None);
    }
}
