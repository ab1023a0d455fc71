//! How often a process's threads are switched.

use procfs::process::Process as ProcfsProcess;

use super::TargetError;

/// How often the first thread of process `pid` was taken up by a processor. Probes that belong to a
/// process make switches of this thread slower, and of no other: perf events are a task's.
///
/// # Errors
/// The process is gone, or the kernel does not tell.
pub fn first_threads_switches(pid: i32) -> Result<u64, TargetError> {
    ProcfsProcess::new(pid)
        .and_then(|process| process.schedstat())
        .map(|stat| stat.pcount)
        .map_err(|e| TargetError::from_procfs(pid, "reading its scheduling counters", e))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thread_that_sleeps_is_taken_up_again() {
        let pid = i32::try_from(std::process::id()).expect("a pid");
        let before = super::first_threads_switches(pid).expect("readable");
        assert!(before > 0, "it runs");
        assert!(super::first_threads_switches(i32::MAX).is_err());
    }
}
