//! How fast this machine copies a program's memory: what anybody who looks at all of it pays at least.

use anyhow::{Context, Result, ensure};
use gostray::binary::RuntimeAddress;
use gostray::memory::{LiveMemory, MemoryReader as _};

use crate::usage;

/// As much as is copied at once.
const BATCH: usize = 1 << 20;

/// Copies the program's anonymous memory once; MB for each second of processor time.
///
/// # Errors
/// The program is gone, or has no memory to speak of.
pub(super) fn speed(pid: u32) -> Result<f64> {
    let memory = LiveMemory::new(i32::try_from(pid)?);
    let mut buffer = vec![0; BATCH];
    let mut copied = 0_u64;
    let before = usage::of_thread()?;
    for (from, to) in resident(pid)? {
        let mut at = from;
        while at < to {
            let length = usize::try_from(to - at)?.min(BATCH);
            let read = memory.read(RuntimeAddress(at), &mut buffer[..length]);
            copied += if read.is_ok() { length as u64 } else { 0 };
            at += length as u64;
        }
    }
    let took = usage::of_thread()?.saturating_sub(before);
    ensure!(copied > BATCH as u64, "only {copied} bytes could be copied");
    Ok(copied as f64 / 1e6 / took.as_secs_f64())
}

/// Where the program can write, without a file behind it, and where most of it is in memory: what was
/// never touched costs nobody anything.
fn resident(pid: u32) -> Result<Vec<(u64, u64)>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps"))?;
    let mut found = Vec::new();
    let mut mapping = None;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let first = words.next().unwrap_or("");
        if let Some((from, to)) = first.split_once('-') {
            let is_wanted = words.next() == Some("rw-p") && words.nth(2) == Some("0");
            let address = |text| u64::from_str_radix(text, 16).context("no address");
            mapping = is_wanted.then_some((address(from)?, address(to)?));
        } else if first == "Rss:"
            && let Some((from, to)) = mapping
        {
            let bytes = words.next().context("no size")?.parse::<u64>()? * 1024;
            if bytes > (to - from) / 2 {
                found.push((from, to));
            }
        }
    }
    Ok(found)
}
