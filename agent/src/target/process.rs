//! Opening a process: is there one, and is it the kind one can look at?

use std::{path::PathBuf, time::Duration};

use procfs::process::{ProcState, Process as ProcfsProcess};

use super::TargetError;
use crate::discover;

/// What tells this process from any other, before or after it, with the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessIdentity {
    /// The process id in the agent's pid namespace.
    pub pid: i32,
    /// Start time in clock ticks since boot (`/proc/PID/stat`, field 22).
    pub start_time: u64,
}

/// A user process that was alive when it was opened.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its identity.
    pub identity: ProcessIdentity,
    /// Where its executable was when it was started, as the kernel spells it: with ` (deleted)`
    /// behind it when the name is gone. For people; open [`Self::exe_link`].
    pub exe: PathBuf,
    /// The container it runs in, as far as its cgroup's path tells.
    pub container_id: Option<String>,
}

impl Process {
    /// Looks at `pid`.
    ///
    /// # Errors
    /// There is none, it is a thread, a kernel thread, or has ended; or we may not look.
    pub fn open(pid: i32) -> Result<Self, TargetError> {
        let process =
            ProcfsProcess::new(pid).map_err(|e| TargetError::from_procfs(pid, "finding it", e))?;
        // /proc/TID exists for every thread, though it is not listed.
        let status = process
            .status()
            .map_err(|e| TargetError::from_procfs(pid, "reading its status", e))?;
        if status.tgid != pid {
            return Err(TargetError::ThreadId {
                tid: pid,
                pid: status.tgid,
            });
        }
        let stat = process
            .stat()
            .map_err(|e| TargetError::from_procfs(pid, "reading its state", e))?;
        if matches!(stat.state(), Ok(ProcState::Zombie | ProcState::Dead)) {
            return Err(TargetError::Zombie { pid });
        }
        let exe = match process.exe() {
            Ok(exe) => exe,
            Err(error) => {
                // Only kernel threads, which have no memory of their own, have no executable.
                return Err(if status.vmsize.is_none() {
                    TargetError::KernelThread { pid }
                } else {
                    TargetError::from_procfs(pid, "finding its executable", error)
                });
            }
        };
        Ok(Self {
            identity: ProcessIdentity {
                pid,
                start_time: stat.starttime,
            },
            exe,
            container_id: discover::container_id(pid),
        })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.identity.pid
    }

    /// When it was started, since boot (`CLOCK_BOOTTIME`); `None` on a machine without such a
    /// clock's ticks.
    #[must_use]
    pub fn started(&self) -> Option<Duration> {
        let ticks = u32::try_from(procfs::ticks_per_second()).ok()?;
        Duration::from_secs(self.identity.start_time).checked_div(ticks)
    }

    /// A path that opens the very file the process runs, even when it was deleted or replaced,
    /// or lies in another mount namespace.
    #[must_use]
    pub fn exe_link(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/exe", self.identity.pid))
    }
}
