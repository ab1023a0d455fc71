//! From a goroutine that waits for the network poller to its file descriptor.
//!
//! Nothing in the `g` leads to the `pollDesc`, but the functions that park hold it in their frames,
//! and it holds the `g`: `rg` while somebody waits to read, `wg` to write.

use std::collections::{HashMap, HashSet};

use super::{Found, Kind, Wait, Waiter, layout::PollDescriptor, word};
use crate::{
    binary::RuntimeAddress,
    memory::{Extent, MemoryReader},
};

/// `pollBlockSize` of `src/runtime/netpoll.go`: descriptors are allocated in such blocks.
const BLOCK: u64 = 4096;

/// What has been learnt of the poller in this pass.
#[derive(Debug, Default)]
pub(super) struct Poll {
    /// Blocks in which there are descriptors: most words of a stack lead elsewhere.
    blocks: HashSet<u64>,
}

impl Poll {
    /// Tells the descriptors of those that wait for the poller.
    pub(super) fn resolve(
        &mut self,
        memory: &impl MemoryReader,
        poll: PollDescriptor,
        waiters: &[Waiter],
        found: &mut impl FnMut(usize, Found),
    ) {
        let mut missing: Vec<&Waiter> = waiters.iter().filter(|w| w.kind == Kind::Poller).collect();
        for known_blocks_only in [true, false] {
            let blocks = &self.blocks;
            let candidates: Vec<(&Waiter, RuntimeAddress)> = missing
                .iter()
                .flat_map(|waiter| waiter.words.iter().map(|word| (*waiter, *word)))
                .filter(|(_, word)| !known_blocks_only || blocks.contains(&(word / BLOCK)))
                .map(|(waiter, word)| (waiter, RuntimeAddress(word)))
                .collect();
            let told = read(memory, poll, &candidates, found);
            self.blocks.extend(told.values().map(|at| at.0 / BLOCK));
            missing.retain(|waiter| !told.contains_key(&waiter.subject));
        }
    }
}

/// Reads what may be descriptors; which one it was for whom.
fn read(
    memory: &impl MemoryReader,
    poll: PollDescriptor,
    candidates: &[(&Waiter, RuntimeAddress)],
    found: &mut impl FnMut(usize, Found),
) -> HashMap<usize, RuntimeAddress> {
    let (read_until, write_until) = poll.deadlines.unwrap_or_default();
    let last = [poll.fd, poll.rg, poll.wg, read_until, write_until];
    let length = last.into_iter().max().unwrap_or(0) as usize + 8;
    let extents = Extent::each(candidates.iter().map(|(_, address)| *address), length);
    let mut fitting = Vec::new();
    memory.read_extents(&extents, &mut |index, bytes| {
        let ((waiter, address), Ok(bytes)) = (candidates[index], bytes) else {
            return;
        };
        let waits = [poll.rg, poll.wg].map(|at| word(bytes, at));
        let fd = word(bytes, poll.fd);
        // The kernel's limit for descriptors (`NR_OPEN` of include/uapi/linux/fs.h can be raised,
        // to this at most).
        if waits.contains(&waiter.g.0) && fd < 1 << 31 {
            // 0 is none; one that has passed is negative.
            let deadline = if waits[0] == waiter.g.0 {
                read_until
            } else {
                write_until
            };
            let has_deadline = poll.deadlines.map(|_| word(bytes, deadline) != 0);
            fitting.push((waiter.subject, address, fd, has_deadline));
        }
    });
    // A word may lead into a descriptor, a field behind its beginning, and `wg` look like `rg` there.
    // Each holds its own address.
    let own = fitting.iter().map(|(_, address, _, _)| {
        let own = address.0.checked_add(poll.own.into());
        own.map_or(*address, RuntimeAddress)
    });
    let mut told = HashMap::new();
    memory.read_extents(&Extent::each(own, 8), &mut |index, bytes| {
        let (subject, address, fd, has_deadline) = fitting[index];
        let is_one = bytes.is_ok_and(|bytes| word(bytes, 0) == address.0);
        if is_one && !told.contains_key(&subject) {
            told.insert(subject, address);
            found(subject, Found::Wait(Wait::Descriptor { fd, has_deadline }));
        }
    });
    told
}
