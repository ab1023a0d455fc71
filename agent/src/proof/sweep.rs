//! The order in which spans are read: up through the heap and down again, as a lift goes.
//!
//! Lists are usually built so that all their pointers lead one way. Whoever always goes up reads a list
//! whose pointers lead down again and again, a link at a time.

use super::bits::Bits;

/// Where the lift is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sweep {
    /// The next span, on the way up; the one before it, on the way down.
    at: usize,
    goes_down: bool,
}

impl Sweep {
    /// The next of `spans` on the way; `None` at the end of the way, from where on it goes back.
    pub(super) fn next(&mut self, spans: &Bits) -> Option<u32> {
        let next = match self.goes_down {
            false => spans.next_from(self.at),
            true => spans.last_before(self.at),
        };
        match next {
            Some(span) => self.at = span + usize::from(!self.goes_down),
            None => self.goes_down = !self.goes_down,
        }
        u32::try_from(next?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_up_and_down_again() {
        let mut waiting = Bits::for_count(300);
        for span in [2, 64, 299] {
            waiting.set(span);
        }
        let mut sweep = Sweep::default();
        let mut order = Vec::new();
        for _ in 0..8 {
            let next = sweep.next(&waiting);
            order.push(next);
            if let Some(span) = next {
                waiting.clear(span as usize);
            }
            if next == Some(64) {
                waiting.set(70);
                waiting.set(3);
            }
        }
        let some = [2, 64, 70, 299].map(Some);
        assert_eq!(order[..4], some);
        assert_eq!(order[4..], [None, Some(3), None, None]);
    }
}
