//! When something that failed is tried again.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    time::Duration,
};

/// However long a receiver asks us to wait, we ask again after this.
const LONGEST_TOLD: Duration = Duration::from_secs(600);

/// Growing pauses with chance in them, so that a thousand nodes do not all come back at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    /// The first pause.
    pub(super) first: Duration,
    /// No pause is longer.
    pub(super) longest: Duration,
    /// No attempt later than this after the first.
    pub(super) within: Duration,
}

impl Backoff {
    /// One second first, half a minute at most.
    pub(super) fn within(within: Duration) -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            within,
        }
    }

    /// The pause after `failures` in a row, the first of them `since` ago; `None` to give up. A
    /// receiver's own word, `told`, stands above our guess.
    pub(super) fn pause(
        &self,
        failures: u32,
        since: Duration,
        told: Option<Duration>,
    ) -> Option<Duration> {
        let pause = match told {
            Some(told) => told.min(LONGEST_TOLD),
            None => self.guess(failures),
        };
        (since + pause <= self.within).then_some(pause)
    }

    fn guess(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let pause = self.first.saturating_mul(1 << doublings).min(self.longest);
        pause.mul_f64(0.5 + chance() / 2.0)
    }
}

/// From 0 to 1. The standard library seeds each hasher anew, which is chance enough for a pause.
fn chance() -> f64 {
    let number = RandomState::new().build_hasher().finish();
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let backoff = Backoff::within(Duration::from_secs(3600));
        for (failures, seconds) in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (1000, 30)] {
            let pause = backoff.pause(failures, Duration::ZERO, None);
            let pause = pause.expect("there is time");
            let longest = Duration::from_secs(seconds);
            assert!(
                pause <= longest && pause >= longest / 2,
                "{pause:?} after {failures}"
            );
        }
    }

    #[test]
    fn a_receivers_word_stands_but_not_for_ever() {
        let backoff = Backoff::within(Duration::from_secs(3600));
        let told = |seconds| {
            let told = Duration::from_secs(seconds);
            backoff.pause(1, Duration::ZERO, Some(told))
        };
        assert_eq!(told(70), Some(Duration::from_secs(70)));
        assert_eq!(told(u64::MAX), Some(LONGEST_TOLD));
    }

    #[test]
    fn there_is_an_end() {
        let backoff = Backoff::within(Duration::from_secs(60));
        let late = Duration::from_secs(59);
        assert_eq!(backoff.pause(9, late, None), None);
        let told = Some(Duration::from_secs(1));
        assert_eq!(backoff.pause(9, late, told), told);
    }
}
