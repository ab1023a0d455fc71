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

    /// The first that is set from `bit` on.
    pub(super) fn next_from(&self, bit: usize) -> Option<usize> {
        let first = bit / 64;
        let masked = self.words.get(first)? & (u64::MAX << (bit % 64));
        let rest = self.words.iter().skip(first + 1).copied();
        let mut words = (first..).zip(std::iter::once(masked).chain(rest));
        let (index, word) = words.find(|(_, word)| *word != 0)?;
        Some(index * 64 + word.trailing_zeros() as usize)
    }

    /// The last that is set before `bit`.
    pub(super) fn last_before(&self, bit: usize) -> Option<usize> {
        let behind = bit.min(self.words.len() * 64);
        let last = behind.checked_sub(1)? / 64;
        let masked = self.words[last] & (u64::MAX >> (63 - (behind - 1) % 64));
        let rest = self.words[..last].iter().copied().rev();
        let mut words = (0..=last).rev().zip(std::iter::once(masked).chain(rest));
        let (index, word) = words.find(|(_, word)| *word != 0)?;
        Some(index * 64 + 63 - word.leading_zeros() as usize)
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
    fn neighbours_are_found_both_ways() {
        let mut bits = Bits::for_count(200);
        for bit in [0, 63, 64, 130] {
            bits.set(bit);
        }
        let up: Vec<_> = [0, 1, 64, 65, 131, 500]
            .map(|bit| bits.next_from(bit))
            .into();
        assert_eq!(up, [Some(0), Some(63), Some(64), Some(130), None, None]);
        let down: Vec<_> = [0, 1, 64, 65, 131, 500]
            .map(|bit| bits.last_before(bit))
            .into();
        assert_eq!(
            down,
            [None, Some(0), Some(63), Some(64), Some(130), Some(130)]
        );
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
