//! What a process has used: memory and processor time.

use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};

/// A line of `/proc/PID/status` that is given in kB, such as `VmRSS`, in bytes.
///
/// # Errors
/// The process is gone or has no such line.
pub fn memory(pid: u32, field: &str) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text
        .lines()
        .find_map(|l| l.strip_prefix(field)?.strip_prefix(':'));
    let kib = line
        .and_then(|l| l.trim().strip_suffix(" kB"))
        .with_context(|| format!("no {field}"))?;
    Ok(kib.trim().parse::<u64>()? * 1024)
}

/// User and system time so far, of all threads.
///
/// # Errors
/// The process is gone.
pub fn cpu(pid: u32) -> Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The command's name may hold spaces and parentheses: count from behind the last one.
    let rest = text.rsplit_once(')').context("no name in stat")?.1;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks = |i: usize| -> Result<u64> { Ok(fields.get(i).context("a short stat")?.parse()?) };
    let per_second =
        nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.context("no clock tick")?;
    let total = ticks(11)? + ticks(12)?;
    Ok(Duration::from_millis(
        total * 1000 / u64::try_from(per_second)?,
    ))
}

/// Processor time of this thread so far.
///
/// # Errors
/// The kernel has no such clock.
pub fn of_thread() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

#[cfg(test)]
mod tests {
    #[test]
    fn own_process_uses_memory() {
        let me = std::process::id();
        assert!(super::memory(me, "VmHWM").unwrap() >= super::memory(me, "VmRSS").unwrap() / 2);
        super::cpu(me).unwrap();
    }
}
