//! Finalizers and cleanups that wait to be run: blocks outside of the heap, whose words are roots
//! (`markroot`, `runtime/mgcmark.go`).
//!
//! The blocks of a list are never freed and only added at its head, so the list can be followed while
//! the program runs. All words of a block are taken, though only the first so many may be in use.

use super::{Heap, HeapError, HeapLayout, Spans};
use crate::{
    binary::{
        GoBinary, LoadBias, RuntimeAddress,
        bytes::{u32_at, u64_at, words},
    },
    memory::{MemoryError, MemoryReader, bounded},
    runtime::globals::Global,
};

/// Blocks that are believed: of finalizers they have 256 MiB, with 6.6 million of them.
const MAX_BLOCKS: u64 = 1 << 16;

/// `runtime.allfin`: the list of all blocks of finalizers.
const FINALIZERS: Global<2> = Global {
    symbol: "runtime.allfin",
    users: ["runtime.queuefinalizer", "runtime.markroot"],
    inside: 0,
};
/// `runtime.gcCleanups`, from Go 1.25 on. Functions that call its methods.
const CLEANUPS: Global<4> = Global {
    symbol: "runtime.gcCleanups",
    users: [
        "runtime.sweepone",
        "runtime.freeSpecial",
        "runtime.findRunnable",
        "runtime.runCleanups",
    ],
    inside: 0,
};

/// Where the queues are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Queues {
    pub(super) finalizers: Places,
    pub(super) cleanups: Places,
}

/// Words that may be the heads of a list. Without symbols it is not known which of them is, and all
/// are followed: roots too many only lose proofs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) heads: Vec<RuntimeAddress>,
    /// There is only one, and it is the list.
    pub(super) certain: bool,
}

/// What the blocks of a list look like, in bytes.
struct Block {
    what: &'static str,
    size: usize,
    /// Where `alllink` is, the next block.
    next: u64,
    /// Where the number of entries in use is, four bytes.
    count: u64,
    /// Where the entries begin.
    entries: usize,
    /// Entries it has room for, at most.
    room: u32,
}

/// `finblock` (`runtime/mfinal.go`), the same in all releases; an entry has five words.
const FINALIZER_BLOCK: Block = Block {
    what: "the list of finalizers to be run",
    size: 4096,
    next: 0,
    count: 16,
    entries: 24,
    room: 101,
};
/// `cleanupBlock` (`runtime/mcleanup.go`); an entry has one word in Go 1.25, three from 1.26 on.
const CLEANUP_BLOCK: Block = Block {
    what: "the list of cleanups to be run",
    size: 512,
    next: 16,
    count: 24,
    entries: 32,
    room: 60,
};

impl Queues {
    /// Finds them in a program that runs `binary`.
    pub(super) fn find(
        binary: &GoBinary,
        bias: LoadBias,
        layout: &HeapLayout,
    ) -> Result<Self, HeapError> {
        let places = |heads: Vec<_>, inside: u32, certain, what| {
            let heads = heads.into_iter().map(|head| bias.to_runtime(head));
            let heads = heads.filter_map(|head| head.checked_add(inside.into()));
            let heads: Vec<RuntimeAddress> = heads.collect();
            if heads.is_empty() {
                return Err(HeapError::NotFound { what });
            }
            Ok(Places { heads, certain })
        };
        let known = |symbol| binary.elf().symbol(symbol).is_some();
        let cleanups = match layout.all_cleanups {
            Some(inside) => places(
                CLEANUPS.candidates(binary),
                inside,
                known(CLEANUPS.symbol),
                "gcCleanups",
            )?,
            None => Places::default(),
        };
        Ok(Self {
            finalizers: places(
                FINALIZERS.candidates(binary),
                0,
                known(FINALIZERS.symbol),
                "allfin",
            )?,
            cleanups,
        })
    }
}

impl Heap {
    /// Adds what is queued to `roots`.
    pub(super) fn queued(
        &self,
        memory: &impl MemoryReader,
        spans: &Spans,
        roots: &mut Vec<u64>,
    ) -> Result<(), HeapError> {
        let queues = &self.queues;
        for (places, block) in [
            (&queues.finalizers, &FINALIZER_BLOCK),
            (&queues.cleanups, &CLEANUP_BLOCK),
        ] {
            for head in &places.heads {
                let before = roots.len();
                match follow(memory, *head, block, spans, roots) {
                    // It is another variable.
                    Err(MemoryError::Unmapped { .. } | MemoryError::Implausible { .. })
                        if !places.certain =>
                    {
                        roots.truncate(before);
                    }
                    done => done?,
                }
            }
        }
        Ok(())
    }
}

fn follow(
    memory: &impl MemoryReader,
    head: RuntimeAddress,
    block: &Block,
    spans: &Spans,
    roots: &mut Vec<u64>,
) -> Result<(), MemoryError> {
    let mut at = RuntimeAddress(memory.read_u64(head)?);
    let mut bytes = vec![0; block.size];
    let mut blocks = 0;
    while at != RuntimeAddress(0) {
        blocks += 1;
        bounded(block.what, at, blocks, MAX_BLOCKS)?;
        memory.read(at, &mut bytes)?;
        let count = u32_at(&bytes, block.count).unwrap_or(u32::MAX);
        bounded(block.what, at, count.into(), block.room.into())?;
        let entries = words(&bytes[block.entries..]);
        roots.extend(entries.filter(|word| spans.may_hold(*word)));
        at = RuntimeAddress(u64_at(&bytes, block.next).unwrap_or(0));
    }
    Ok(())
}
