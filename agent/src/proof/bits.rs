//! One bit for each of many things.

/// An array of bits. Its length never changes; what lies beyond is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// None of `64 * words` set.
    #[must_use]
    pub(super) fn zeroes(words: usize) -> Self {
        Self {
            words: vec![0; words],
        }
    }

    /// Those that are set in `words`.
    pub(super) fn of(words: &[u64]) -> Self {
        Self {
            words: words.to_vec(),
        }
    }

    /// None of at least `count` set.
    #[must_use]
    pub(super) fn for_count(count: usize) -> Self {
        Self::zeroes(count.div_ceil(64))
    }

    /// Whether it is set.
    #[inline]
    #[must_use]
    pub(super) fn has(&self, bit: usize) -> bool {
        self.word(bit / 64) & (1 << (bit % 64)) != 0
    }

    /// Sets it. Whether it was not set before.
    #[inline]
    pub(super) fn set(&mut self, bit: usize) -> bool {
        let mask = 1 << (bit % 64);
        match self.words.get_mut(bit / 64) {
            Some(word) if *word & mask == 0 => {
                *word |= mask;
                true
            }
            _ => false,
        }
    }

    /// Takes it back.
    #[inline]
    pub(super) fn clear(&mut self, bit: usize) {
        if let Some(word) = self.words.get_mut(bit / 64) {
            *word &= !(1 << (bit % 64));
        }
    }

    /// Sixty-four of them, the first one lowest.
    #[inline]
    #[must_use]
    pub(super) fn word(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or(0)
    }

    /// Sets all that are set in `bits`, the word at `index`.
    #[inline]
    pub(super) fn set_word(&mut self, index: usize, bits: u64) {
        if let Some(word) = self.words.get_mut(index) {
            *word |= bits;
        }
    }
}

/// The places of the bits set in `word`, the lowest first.
#[inline]
pub(super) fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = word.trailing_zeros() as usize;
        word &= word.wrapping_sub(1);
        (place < 64).then_some(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_is_set_once() {
        let mut bits = Bits::for_count(70);
        assert!(bits.set(69));
        assert!(!bits.set(69));
        assert!(bits.has(69) && !bits.has(68));
        assert_eq!(ones(bits.word(1)).collect::<Vec<_>>(), [5]);
        bits.clear(69);
        assert_eq!(bits, Bits::for_count(70));
    }

    #[test]
    fn beyond_the_end_nothing_is_set() {
        let mut bits = Bits::for_count(64);
        assert!(!bits.set(64) && !bits.has(64));
    }

    #[test]
    fn ones_are_told_from_the_lowest() {
        assert_eq!(ones(1 | 1 << 7 | 1 << 63).collect::<Vec<_>>(), [0, 7, 63]);
        assert_eq!(ones(0).count(), 0);
    }
}
