//! Whole stacks, word for word, in bounded memory.

use super::StackWord;
use crate::{
    binary::{RuntimeAddress, bytes::words},
    memory::{Extent, MemoryError, MemoryReader},
};

/// Bytes of stacks that are held at once.
pub(super) const BATCH_BYTES: usize = 4 << 20;
/// Bytes of one stack read together; a longer one is read in several pieces.
const PIECE: u64 = 256 << 10;

/// Tells all words of the stacks, each from its first address (aligned to a word) to before its
/// second one, with the place of the stack in `stacks`; in any order. Their frames are not known.
/// Returns for each whether it was read whole; of one that was not, some words may have been told.
pub fn scan_whole(
    memory: &impl MemoryReader,
    stacks: &[(RuntimeAddress, RuntimeAddress)],
    told: &mut impl FnMut(usize, StackWord),
) -> Vec<Result<(), MemoryError>> {
    let mut results: Vec<Result<(), MemoryError>> = stacks.iter().map(|_| Ok(())).collect();
    let mut owners = Vec::new();
    let mut extents = Vec::new();
    let mut bytes = 0;
    for (index, (low, high)) in stacks.iter().enumerate() {
        let mut low = low.0;
        while low < high.0 {
            let length = (high.0 - low).min(PIECE) as usize;
            owners.push(index);
            extents.push(Extent {
                address: RuntimeAddress(low),
                length,
            });
            low += length as u64;
            bytes += length;
            if bytes >= BATCH_BYTES {
                read(memory, &owners, &extents, &mut results, told);
                owners.clear();
                extents.clear();
                bytes = 0;
            }
        }
    }
    read(memory, &owners, &extents, &mut results, told);
    results
}

fn read(
    memory: &impl MemoryReader,
    owners: &[usize],
    extents: &[Extent],
    results: &mut [Result<(), MemoryError>],
    told: &mut impl FnMut(usize, StackWord),
) {
    memory.read_extents(extents, &mut |at, bytes| {
        let (owner, begin) = (owners[at], extents[at].address.0);
        match bytes {
            Ok(bytes) => {
                for (slot, value) in (begin..).step_by(8).zip(words(bytes)) {
                    if value != 0 {
                        let slot = RuntimeAddress(slot);
                        let pc = RuntimeAddress(0);
                        told(owner, StackWord { value, slot, pc });
                    }
                }
            }
            Err(error) => results[owner] = Err(error),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::BytesMemory;

    #[test]
    fn stacks_of_any_size_are_told_in_pieces() {
        let length = 3 * PIECE + 24;
        let bytes = (1..=length / 8).flat_map(u64::to_le_bytes).collect();
        let memory = BytesMemory {
            base: 0x1000,
            bytes,
        };
        let at = RuntimeAddress;
        let stacks = [
            (at(0x1000), at(0x1000 + length)),
            (at(0x1008), at(0x1010)),
            (at(0x1000), at(0x1000)),
            (at(0x1000), at(0x1000 + length + 8)),
            (at(0x2000), at(0x1000)),
        ];
        let mut count = [0_u64; 5];
        let results = scan_whole(&memory, &stacks, &mut |place, word| {
            assert_eq!(word.slot.0, 0x1000 + (word.value - 1) * 8);
            count[place] += 1;
        });
        let read: Vec<bool> = results.iter().map(Result::is_ok).collect();
        assert_eq!(read, [true, true, true, false, true]);
        assert_eq!(count[..3], [length / 8, 1, 0]);
        assert_eq!(count[4], 0);
    }
}
