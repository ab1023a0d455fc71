//! Which bytes are copied to serve many small reads: neighbours are taken together, because a
//! range costs the kernel more than the few hundred bytes between two goroutines do.

use std::ops::Range;

use super::Extent;
use crate::binary::RuntimeAddress;

/// Bytes between two extents that are copied along. Found by `cargo xtask bench census`.
const MAX_GAP: u64 = 2048;
/// Bytes of one piece, unless a single extent is longer.
const MAX_PIECE: u64 = 64 << 10;

/// Neighbouring extents and the bytes that hold them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// What is read.
    pub(super) extent: Extent,
    /// Whom it serves: places in the order that [`pieces`] was given.
    pub(super) members: Range<usize>,
}

/// The pieces that cover `extents`, of which `order` gives the indices by rising address.
pub(super) fn pieces(extents: &[Extent], order: &[usize]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (place, index) in order.iter().enumerate() {
        let next = extents[*index];
        let end = next.address.0.saturating_add(next.length as u64);
        if let Some(piece) = pieces.last_mut() {
            let begin = piece.extent.address.0;
            let covered = begin.saturating_add(piece.extent.length as u64);
            let joined = end.max(covered) - begin;
            if next.address.0 <= covered.saturating_add(MAX_GAP)
                && let Ok(length) = usize::try_from(joined)
                && joined <= MAX_PIECE
            {
                piece.extent.length = length;
                piece.members.end = place + 1;
                continue;
            }
        }
        pieces.push(Piece {
            extent: next,
            members: place..place + 1,
        });
    }
    pieces
}

/// The bytes of `extent` within those of `piece`.
pub(super) fn within(extent: Extent, piece: Extent, bytes: &[u8]) -> Option<&[u8]> {
    let RuntimeAddress(begin) = piece.address;
    let offset = usize::try_from(extent.address.0.checked_sub(begin)?).ok()?;
    bytes.get(offset..)?.get(..extent.length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn extent(address: u64, length: usize) -> Extent {
        Extent {
            address: RuntimeAddress(address),
            length,
        }
    }

    fn by_address(extents: &[Extent]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..extents.len()).collect();
        order.sort_unstable_by_key(|index| extents[*index].address);
        order
    }

    #[test]
    fn neighbours_are_taken_together_and_strangers_apart() {
        let extents = [extent(5000, 8), extent(0, 8), extent(100, 8)];
        let pieces = pieces(&extents, &by_address(&extents));
        let read: Vec<Extent> = pieces.iter().map(|piece| piece.extent).collect();
        assert_eq!(read, [extent(0, 108), extent(5000, 8)]);
        assert_eq!(pieces[0].members, 0..2);
    }

    proptest! {
        #[test]
        fn every_extent_is_inside_of_its_piece(
            extents in prop::collection::vec((any::<u64>(), 0_usize..5000), 0..50),
            near in prop::collection::vec((0_u64..200_000, 0_usize..5000), 0..50),
        ) {
            let extents: Vec<Extent> = extents
                .into_iter()
                .chain(near)
                .map(|(address, length)| extent(address.min(u64::MAX - 5000), length))
                .collect();
            let order = by_address(&extents);
            let mut served = 0;
            for piece in pieces(&extents, &order) {
                prop_assert!(piece.extent.length as u64 <= MAX_PIECE);
                let bytes = vec![0; piece.extent.length];
                for index in &order[piece.members] {
                    let inside = within(extents[*index], piece.extent, &bytes);
                    prop_assert_eq!(inside.map(<[u8]>::len), Some(extents[*index].length));
                    served += 1;
                }
            }
            prop_assert_eq!(served, extents.len());
        }
    }
}
