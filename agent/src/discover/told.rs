//! What has been told already.

use std::collections::{HashMap, HashSet};

use super::{
    Seen,
    machine::{Look, Program},
};

/// The programs that were told of, by pid.
#[derive(Debug, Default)]
pub(super) struct Told(HashMap<i32, Last>);

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
    pub(super) fn news(
        &mut self,
        pid: i32,
        executed: Option<u64>,
        looked: u64,
        found: Look,
    ) -> Option<Seen> {
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
    pub(super) fn keep(&mut self, pids: &HashSet<i32>) {
        self.0.retain(|pid, _| pids.contains(pid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{memory::FileIdentity, target::ProcessIdentity};

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
}
