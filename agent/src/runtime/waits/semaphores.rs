//! Who waits on which semaphore, from the semaphores' side.
//!
//! `runtime.semtable` is a hash table of 251 treaps. A node is the first waiter on an address;
//! `waitlink` leads to the others on the same one. From Go 1.26 on `g.waiting` leads to the same
//! sudogs, and the table is not needed.

use std::collections::{HashMap, HashSet};

use super::{WaitLayout, is_pointer, word};
use crate::{
    binary::{Architecture, GoBinary, LoadBias, RuntimeAddress},
    memory::{CachedPages, MemoryError, MemoryReader},
    runtime::globals::Global,
};

/// `semTabSize` of `src/runtime/sema.go`.
const ROOTS: usize = 251;
/// Both load the table's address in all releases.
const USERS: [&str; 2] = ["runtime.semacquire1", "runtime.semrelease1"];
/// Sudogs followed, so that a table that is changed into rings meanwhile ends.
const MAX_SUDOGS: usize = 1 << 22;

/// Where a program keeps its semaphores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SemaphoreTable {
    address: RuntimeAddress,
    stride: usize,
    /// Of the treap in a root.
    treap: u32,
}

impl SemaphoreTable {
    /// The table at `address`, of a program for `architecture`: each root fills a cache line, as
    /// long as the runtime takes one to be, and has its `treap` at that offset.
    #[must_use]
    pub fn at(address: RuntimeAddress, architecture: Architecture, treap: u32) -> Self {
        let stride = match architecture {
            Architecture::X86_64 => 64,
            Architecture::Aarch64 => 128,
        };
        Self {
            address,
            stride,
            treap,
        }
    }

    /// Finds it in a program that runs `binary`.
    #[must_use]
    pub fn find(
        binary: &GoBinary,
        memory: &impl MemoryReader,
        bias: LoadBias,
        layout: &WaitLayout,
    ) -> Option<Self> {
        let treap = layout.treap?;
        let at = |address| Self::at(bias.to_runtime(address), binary.architecture(), treap);
        let (begin, end) = binary.module_data().bss;
        let table = Global {
            symbol: "runtime.semtable",
            users: USERS,
            inside: 0,
        };
        let found = table.find(binary, |address| {
            // It begins as zeroes, and it holds pointers.
            let room = end.0.saturating_sub(address.0);
            begin <= address
                && room >= (ROOTS * at(address).stride) as u64
                && at(address).is_plausible(memory, layout).unwrap_or(false)
        });
        found.map(at)
    }

    /// The `g`s that wait on a semaphore, and the sudog of each.
    ///
    /// # Errors
    /// The table is not readable. Waiters that are not are left out.
    pub(super) fn waiters(
        &self,
        memory: &impl MemoryReader,
        layout: &WaitLayout,
    ) -> Result<HashMap<RuntimeAddress, RuntimeAddress>, MemoryError> {
        let memory = CachedPages::new(memory);
        let mut waiters = HashMap::new();
        let mut seen = HashSet::new();
        let mut next = self.treaps(&memory)?;
        let mut bytes = vec![0; layout.sudog.size as usize];
        while let Some(sudog) = next.pop() {
            let known = !is_pointer(sudog) || seen.len() >= MAX_SUDOGS || !seen.insert(sudog);
            if known || memory.read(RuntimeAddress(sudog), &mut bytes).is_err() {
                continue;
            }
            let g = RuntimeAddress(word(&bytes, layout.sudog.g));
            waiters.insert(g, RuntimeAddress(sudog));
            let sudog = layout.sudog;
            next.extend([sudog.prev, sudog.next, sudog.waitlink].map(|at| word(&bytes, at)));
        }
        Ok(waiters)
    }

    /// The first node of each treap, in order; 0 of an empty one.
    fn treaps(&self, memory: &impl MemoryReader) -> Result<Vec<u64>, MemoryError> {
        let mut table = vec![0; ROOTS * self.stride];
        memory.read(self.address, &mut table)?;
        let treaps = table.chunks_exact(self.stride);
        Ok(treaps.map(|root| word(root, self.treap)).collect())
    }

    /// Whether what the roots point to belongs into this table, each into its own place.
    fn is_plausible(
        &self,
        memory: &impl MemoryReader,
        layout: &WaitLayout,
    ) -> Result<bool, MemoryError> {
        let mut sudog = vec![0; layout.sudog.size as usize];
        for (place, treap) in (0_u64..).zip(self.treaps(memory)?) {
            if treap == 0 {
                continue;
            }
            memory.read(RuntimeAddress(treap), &mut sudog)?;
            // `semTable.rootFor`.
            let semaphore = word(&sudog, layout.sudog.elem);
            if (semaphore >> 3) % ROOTS as u64 != place {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
