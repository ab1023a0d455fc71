//! What a process uses of memory and processors, as the kernel counts it.

use std::time::Duration;

use procfs::{Current as _, Meminfo, process::Process as ProcfsProcess};

use super::TargetError;

/// A process whose use is read again and again. It holds the process's directory: who gets the pid
/// next is not taken for it.
#[derive(Debug)]
pub struct Usage {
    pid: i32,
    process: ProcfsProcess,
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// In physical memory: RSS.
    pub resident: u64,
    /// Of that, what no file is behind: heap and stacks, and not code; `RssAnon`.
    pub anonymous: u64,
}

/// Memory of the machine, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostMemory {
    /// All.
    pub total: u64,
    /// What programs could still get without swapping.
    pub available: u64,
}

impl Usage {
    /// Of process `pid`.
    ///
    /// # Errors
    /// There is none.
    pub fn of(pid: i32) -> Result<Self, TargetError> {
        let process =
            ProcfsProcess::new(pid).map_err(|e| TargetError::from_procfs(pid, "finding it", e))?;
        Ok(Self { pid, process })
    }

    /// The memory it uses now.
    ///
    /// # Errors
    /// It has ended, or we may not look.
    pub fn memory(&self) -> Result<MemoryUse, TargetError> {
        let failed = |e| TargetError::from_procfs(self.pid, "reading its memory use", e);
        let pages = self.process.statm().map_err(failed)?;
        // One that has ended and was not reaped has no memory left, which is not the same as using none.
        if pages.size == 0 {
            return Err(TargetError::Zombie { pid: self.pid });
        }
        let bytes = |pages: u64| pages.saturating_mul(procfs::page_size());
        Ok(MemoryUse {
            resident: bytes(pages.resident),
            anonymous: bytes(pages.resident.saturating_sub(pages.shared)),
        })
    }

    /// Processor time of all its threads since it began, exact to a tick of the kernel.
    ///
    /// # Errors
    /// It has ended, or we may not look.
    pub fn processor_time(&self) -> Result<Duration, TargetError> {
        let what = "reading its processor time";
        let stat = self.process.stat();
        let stat = stat.map_err(|e| TargetError::from_procfs(self.pid, what, e))?;
        let ticks = stat.utime.saturating_add(stat.stime) as f64;
        Ok(Duration::from_secs_f64(
            ticks / procfs::ticks_per_second().max(1) as f64,
        ))
    }
}

impl HostMemory {
    /// Of this machine.
    ///
    /// # Errors
    /// The kernel does not tell; `MemAvailable` has been there since Linux 3.14.
    pub fn now() -> Result<Self, HostMemoryError> {
        let info = Meminfo::current()?;
        let available = info.mem_available.ok_or(HostMemoryError::NotTold)?;
        Ok(Self {
            total: info.mem_total,
            available,
        })
    }
}

/// Why the machine's memory is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostMemoryError {
    /// It cannot be read.
    #[error("the machine's memory cannot be read: {0}")]
    Read(#[from] procfs::ProcError),
    /// An old kernel.
    #[error("this kernel does not tell how much memory is available (Linux 3.14 and later do)")]
    NotTold,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Usage {
        Usage::of(i32::try_from(std::process::id()).expect("a pid")).expect("it runs")
    }

    #[test]
    fn memory_that_is_touched_is_resident() {
        let usage = own();
        let before = usage.memory().expect("readable");
        let size: u64 = 64 << 20;
        let touched = vec![1_u8; 64 << 20];
        let after = usage.memory().expect("readable");
        assert!(std::hint::black_box(&touched).len() as u64 == size);
        assert!(after.resident >= before.resident + size / 2, "{after:?}");
        assert!(after.anonymous >= before.anonymous + size / 2, "{after:?}");
        assert!(after.anonymous < after.resident, "the code is a file's");
        let host = HostMemory::now().expect("readable");
        assert!(host.available < host.total);
        assert!(host.total > after.resident);
    }

    #[test]
    fn processor_time_passes_with_work() {
        let usage = own();
        let before = usage.processor_time().expect("readable");
        let began = std::time::Instant::now();
        while began.elapsed() < Duration::from_secs(10)
            && usage.processor_time().expect("readable") <= before
        {
            std::hint::black_box((0..100_000_u64).sum::<u64>());
        }
        assert!(usage.processor_time().expect("readable") > before);
        assert!(Usage::of(i32::MAX).is_err());
    }
}
