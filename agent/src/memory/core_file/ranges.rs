//! Ranges of memory in the order of their addresses.

use crate::binary::RuntimeAddress;

/// What has a first byte in memory.
pub(super) trait Starts {
    fn start(&self) -> RuntimeAddress;
}

/// The last of `ranges` that begins at `address` or before, and how far behind its beginning that
/// is: it may end earlier.
pub(super) fn last_at<T: Starts>(ranges: &[T], address: RuntimeAddress) -> Option<(&T, u64)> {
    let behind = ranges.partition_point(|range| range.start() <= address);
    let range = ranges.get(behind.checked_sub(1)?)?;
    Some((range, address.0 - range.start().0))
}

/// How long each of `ranges` can be. No two mappings share an address; of a damaged file the later
/// is believed.
pub(super) fn rooms<T: Starts>(ranges: &[T]) -> Vec<u64> {
    let starts = ranges.iter().map(|range| range.start().0);
    let ends = starts.clone().skip(1).chain([u64::MAX]);
    starts.zip(ends).map(|(start, end)| end - start).collect()
}
