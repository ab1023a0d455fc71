//! pprof labels: a sorted list from Go 1.24 on, a map of strings before.

use std::collections::BTreeMap;

use super::{
    layout::{LayoutError, Layouts},
    slices::string,
};
use crate::{
    binary::RuntimeAddress,
    memory::{MemoryError, MemoryReader, bounded},
};

/// Labels of one goroutine; people set a handful.
const MAX_LABELS: u64 = 256;
/// Bytes of one key or value.
const MAX_TEXT: u64 = 4096;
/// `bucketCnt` of `src/runtime/map.go`: entries of a bucket, which begins with a byte for each and
/// ends with a pointer to the next.
const BUCKET: usize = 8;
const BUCKET_WORDS: usize = 1 + BUCKET * 2 * STRING_WORDS + 1;
/// Pointer and length.
const STRING_WORDS: usize = 2;
/// `minTopHash` of `src/runtime/map.go`: smaller ones mark entries that are not there.
const MIN_TOP_HASH: u8 = 5;

/// Keys and their values.
pub type Labels = BTreeMap<String, String>;

/// How a release keeps labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelsLayout {
    /// `[]struct{ key, value string }`.
    List,
    /// `map[string]string`, byte offsets in `runtime.hmap`.
    Map {
        /// `B`, one byte: log₂ of the number of buckets.
        b: u32,
        /// `buckets`.
        buckets: u32,
        /// `oldbuckets`, half as many, while the map grows.
        oldbuckets: u32,
    },
}

impl LabelsLayout {
    /// How Go 1.`minor` does it.
    ///
    /// # Errors
    /// A map's layout is not known.
    pub fn new(layouts: &Layouts, minor: u16) -> Result<Self, LayoutError> {
        if minor >= 24 {
            return Ok(Self::List);
        }
        Ok(Self::Map {
            b: layouts.offset_of_size("runtime.hmap", "B", 1)?,
            buckets: layouts.offset_of_size("runtime.hmap", "buckets", 8)?,
            oldbuckets: layouts.offset_of_size("runtime.hmap", "oldbuckets", 8)?,
        })
    }

    /// The labels at `address`, which a goroutine has in `g.labels`. They are never changed once a
    /// goroutine has them.
    ///
    /// # Errors
    /// Not readable, or no labels.
    pub fn read(
        &self,
        memory: &impl MemoryReader,
        address: RuntimeAddress,
    ) -> Result<Labels, MemoryError> {
        match *self {
            Self::List => list(memory, address),
            Self::Map {
                b,
                buckets,
                oldbuckets,
            } => {
                // What is a pointer in `g` leads to a map variable, which is a pointer as well.
                let map = RuntimeAddress(memory.read_u64(address)?);
                if map.0 == 0 {
                    return Ok(Labels::new());
                }
                let field = |offset: u32| map.plus(offset.into());
                let [log] = memory.read_array::<1>(field(b)?)?;
                let now = RuntimeAddress(memory.read_u64(field(buckets)?)?);
                let old = RuntimeAddress(memory.read_u64(field(oldbuckets)?)?);
                let mut labels = Labels::new();
                let count = 1_u64.checked_shl(log.into()).unwrap_or(u64::MAX);
                bounded("a map of labels", map, count, MAX_LABELS)?;
                table(memory, now, count, &mut labels)?;
                if old.0 != 0 {
                    table(memory, old, (count / 2).max(1), &mut labels)?;
                }
                bounded("a map of labels", map, labels.len() as u64, MAX_LABELS)?;
                Ok(labels)
            }
        }
    }
}

fn list(memory: &impl MemoryReader, address: RuntimeAddress) -> Result<Labels, MemoryError> {
    let [pointer, count] = memory.read_words(address)?;
    bounded("a list of labels", address, count, MAX_LABELS)?;
    (0..count)
        .map(|n| {
            let label = RuntimeAddress(pointer).plus(n * 2 * STRING_WORDS as u64 * 8)?;
            let [key, key_length, value, value_length] = memory.read_words(label)?;
            let key = text(memory, [key, key_length])?;
            Ok((key, text(memory, [value, value_length])?))
        })
        .collect()
}

/// The entries of `count` buckets at `buckets`, and of those that overflowed.
fn table(
    memory: &impl MemoryReader,
    buckets: RuntimeAddress,
    count: u64,
    labels: &mut Labels,
) -> Result<(), MemoryError> {
    // Behind all buckets together there are not more than all labels need: a ring would end here.
    let mut overflows = 0;
    for n in 0..count {
        let mut bucket = buckets.plus(n * BUCKET_WORDS as u64 * 8)?;
        while bucket.0 != 0 {
            let [hashes, strings @ .., next] = memory.read_words::<BUCKET_WORDS>(bucket)?;
            let (strings, _) = strings.as_chunks::<STRING_WORDS>();
            let (keys, values) = strings.split_at(BUCKET);
            for (hash, (key, value)) in hashes.to_le_bytes().iter().zip(keys.iter().zip(values)) {
                if *hash >= MIN_TOP_HASH {
                    labels.insert(text(memory, *key)?, text(memory, *value)?);
                }
            }
            bucket = RuntimeAddress(next);
            if bucket.0 != 0 {
                overflows += 1;
                bounded("a map of labels", buckets, overflows, MAX_LABELS)?;
            }
        }
    }
    Ok(())
}

/// The string whose header is `header`; what is not UTF-8 is replaced.
fn text(memory: &impl MemoryReader, header: [u64; STRING_WORDS]) -> Result<String, MemoryError> {
    let bytes = string(memory, "a label", header, MAX_TEXT)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::BytesMemory;

    /// Words, then text at 0x800.
    fn memory(words: &[(u64, u64)], text: &str) -> BytesMemory {
        let mut bytes = vec![0; 0x800];
        for (at, word) in words {
            let at = usize::try_from(*at).expect("small");
            bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(text.as_bytes());
        BytesMemory { base: 0, bytes }
    }

    const MAP: LabelsLayout = LabelsLayout::Map {
        b: 9,
        buckets: 16,
        oldbuckets: 24,
    };

    #[test]
    fn a_list() {
        let memory = memory(
            &[
                (8, 0x100),
                (16, 1),
                (0x100, 0x800),
                (0x108, 3),
                (0x110, 0x803),
                (0x118, 5),
            ],
            "keyvalue",
        );
        let labels = LabelsLayout::List
            .read(&memory, RuntimeAddress(8))
            .expect("a list");
        assert_eq!(labels, Labels::from([("key".into(), "value".into())]));
    }

    #[test]
    fn a_map_that_grows() {
        // g.labels → 0x10 → the map at 0x40: one bucket of now at 0x100, one of before at 0x300,
        // where the first entry has moved and the second has not.
        let entry = |bucket: u64, n: u64, key: u64, value: u64| {
            let (keys, values) = (bucket + 8 + 16 * n, bucket + 8 + 128 + 16 * n);
            [(keys, key), (keys + 8, 1), (values, value), (values + 8, 1)]
        };
        let mut words = vec![(0x10, 0x40), (0x50, 0x100), (0x58, 0x300)];
        words.extend(entry(0x100, 2, 0x800, 0x801));
        words.extend(entry(0x300, 0, 0x800, 0x802));
        words.extend(entry(0x300, 1, 0x802, 0x803));
        words.push((0x100, 0x20_0000));
        words.push((0x300, 0x2002));
        let read = MAP.read(&memory(&words, "abcd"), RuntimeAddress(0x10));
        let expected = [("a".into(), "b".into()), ("c".into(), "d".into())];
        assert_eq!(read.expect("a map"), Labels::from(expected));
    }

    #[test]
    fn what_cannot_be_labels_is_an_error() {
        let absurd_list = memory(&[(8, 0x100), (16, u64::MAX)], "");
        let absurd_map = memory(&[(8, 0x40), (0x48, 0xff00), (0x50, 0x100)], "");
        let nowhere = memory(&[(8, u64::MAX), (16, 1)], "");
        // Its bucket overflows into itself.
        let ring = memory(&[(8, 0x40), (0x50, 0x100), (0x208, 0x100)], "");
        for (layout, memory) in [
            (LabelsLayout::List, absurd_list),
            (MAP, absurd_map),
            (MAP, ring),
            (LabelsLayout::List, nowhere),
        ] {
            assert!(layout.read(&memory, RuntimeAddress(8)).is_err());
        }
    }
}
