//! Breakpoints left behind in a process.
//!
//! A uprobe is an `int3` in the process's own copy of a page of its executable. So whoever compares
//! executable memory with the file sees all of them, without any help from the kernel's BPF side.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::lines::PATIENCE;

/// Run-time addresses at which executable memory differs from the file it was mapped from.
///
/// # Errors
/// The process is gone or may not be read.
pub fn changed_bytes(pid: u32) -> Result<Vec<u64>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    // Through /proc, because the file may be deleted or replaced.
    let exe = File::open(format!("/proc/{pid}/exe"))?;
    let name = std::fs::read_link(format!("/proc/{pid}/exe"))?;
    let name = name.to_string_lossy();
    let mut changed = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(range), Some(mode), Some(offset)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if !mode.contains('x') || !line.ends_with(name.as_ref()) {
            continue;
        }
        let (from, to) = range
            .split_once('-')
            .with_context(|| format!("not a mapping: {line}"))?;
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        let offset = u64::from_str_radix(offset, 16)?;
        let mut inside = vec![0; usize::try_from(to - from)?];
        let mut outside = vec![0; inside.len()];
        memory.read_exact_at(&mut inside, from)?;
        // The last page of a mapping may reach past the end of the file, where memory is zero.
        let mut filled = 0;
        while filled < outside.len() {
            match exe.read_at(&mut outside[filled..], offset + filled as u64)? {
                0 => break,
                n => filled += n,
            }
        }
        let pairs = inside.iter().zip(&outside).take(filled).zip(from..);
        changed.extend(
            pairs
                .filter(|((a, b), _)| a != b)
                .map(|(_, address)| address),
        );
    }
    Ok(changed)
}

/// Waits until the kernel has removed all breakpoints of a process.
///
/// # Errors
/// They stay, or the process is gone.
pub fn wait_until_gone(pid: u32) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = changed_bytes(pid)?;
        if left.is_empty() {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "breakpoints stay at {left:x?}");
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_nobody_probes_has_none() {
        assert_eq!(
            super::changed_bytes(std::process::id()).unwrap(),
            Vec::<u64>::new()
        );
    }
}
