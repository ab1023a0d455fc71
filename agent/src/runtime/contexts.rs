//! Which channels tell that a context is done.
//!
//! Nothing in a channel leads to the context that made it, but who waits for a context mostly still
//! has it, or something that leads to it, on the stack. A context counts only if it holds the very
//! channel that is waited on.

use std::{collections::HashSet, ops::Range};

use super::{Goroutine, layout::GoroutineLayout};
use crate::{
    binary::{RuntimeAddress, bytes::words},
    memory::{Extent, MemoryReader},
};

/// Bytes of the stack that are looked through, from its top on.
const STACK: u64 = 2048;
/// Words of a struct that are looked at.
const WORDS: usize = 8;
/// Where `context.cancelCtx` keeps its channel, in words: an `atomic.Value`, so the type of what it
/// holds and then the channel. It has been there in every release from 1.18 to 1.27.
const DONE: usize = 3;
/// Steps from the stack: to what a closure captured, from there to a context with values, from
/// there to the one with the channel.
const STEPS: usize = 4;
/// Structs that are looked at for one goroutine.
const MAX_STRUCTS: usize = 4096;

/// Those of `channels` that are the `Done` of a context that the stack of `goroutine` leads to.
/// `types` is where the program's type descriptors are. What cannot be read leads nowhere.
pub fn done_channels(
    memory: &impl MemoryReader,
    layout: &GoroutineLayout,
    types: &Range<u64>,
    goroutine: &Goroutine,
    channels: &[RuntimeAddress],
) -> Vec<RuntimeAddress> {
    let mut done = Vec::new();
    let Some(stack) = stack(memory, layout, goroutine) else {
        return done;
    };
    let mut known = HashSet::new();
    let mut next: Vec<u64> = words(&stack).filter(|word| is_heap(*word)).collect();
    for _ in 0..STEPS {
        next.retain(|address| known.len() < MAX_STRUCTS && known.insert(*address));
        let addresses = next.iter().copied().map(RuntimeAddress);
        let extents = Extent::each(addresses, WORDS * 8);
        let mut found = Vec::new();
        memory.read_extents(&extents, &mut |_, bytes| {
            let words: Vec<u64> = bytes
                .map(|bytes| words(bytes).collect())
                .unwrap_or_default();
            if let [kind, channel, ..] = words.get(DONE..).unwrap_or_default()
                && types.contains(kind)
                && channels.contains(&RuntimeAddress(*channel))
            {
                done.push(RuntimeAddress(*channel));
            }
            found.extend(words.into_iter().filter(|word| is_heap(*word)));
        });
        next = found;
    }
    done.sort_unstable();
    done.dedup();
    done
}

/// The top of the stack of a goroutine that waits.
fn stack(
    memory: &impl MemoryReader,
    layout: &GoroutineLayout,
    goroutine: &Goroutine,
) -> Option<Vec<u8>> {
    let word = |offset: u32| {
        let address = goroutine.address.checked_add(offset.into())?;
        memory.read_u64(address).ok()
    };
    let (sp, high) = (word(layout.sched_sp)?, word(layout.stack_hi)?);
    let length = high.checked_sub(sp)?.min(STACK);
    let mut stack = vec![0; usize::try_from(length).ok()?];
    memory.read(RuntimeAddress(sp), &mut stack).ok()?;
    Some(stack)
}

/// Whether a word may lead to an object.
fn is_heap(word: u64) -> bool {
    word.is_multiple_of(8) && (0x1_0000..1 << 56).contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake::{Runtime, WAITING};

    const TYPES: Range<u64> = 0x48_0000..0x49_0000;
    const CHANNEL: u64 = 0xc000_0000_a000;

    /// Whether the channel is found from a stack with `word` on it.
    fn found(runtime: &Runtime, word: u64) -> bool {
        let g = runtime.goroutine(WAITING);
        let sp = runtime.stack(g, &[0, 0, 5]);
        runtime.set(sp, 8, word);
        let (_, all) = runtime.census(None);
        let goroutine = all.into_values().find(|found| found.address.0 == g);
        let goroutine = goroutine.expect("in the census");
        let channels = [RuntimeAddress(CHANNEL)];
        !done_channels(runtime, &runtime.g, &TYPES, &goroutine, &channels).is_empty()
    }

    #[test]
    fn a_context_holds_the_channel() {
        let runtime = Runtime::new(25);
        let context = runtime.words(&[1, 2, 0, TYPES.start + 64, CHANNEL, 0, 0, 0]);
        assert!(found(&runtime, context));
        // A context with values, in what a closure captured.
        let values = runtime.words(&[0x50_0000, context, 3, 4, 5, 6, 7, 8]);
        let closure = runtime.words(&[0x40_0000, 0x50_0000, values, 0, 0, 0, 0, 0]);
        assert!(found(&runtime, closure));
    }

    #[test]
    fn what_only_looks_like_one_does_not_count() {
        let runtime = Runtime::new(25);
        let other = runtime.words(&[1, 2, 0, TYPES.start + 64, CHANNEL + 96, 0, 0, 0]);
        let own_struct = runtime.words(&[1, 2, 0, 0xc000_0000_0000, CHANNEL, 0, 0, 0]);
        let itself = runtime.words(&[0; 8]);
        runtime.set(itself, 0, itself);
        for word in [other, own_struct, itself, 0xdead_0000] {
            assert!(!found(&runtime, word), "{word:#x}");
        }
    }
}
