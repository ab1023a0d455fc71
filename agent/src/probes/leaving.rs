//! Probes that the kernel is just taking away. A process that ends meanwhile interrupts that, and
//! the breakpoints stay where they are: nobody may go before the last of them.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

static LEAVING: Mutex<usize> = Mutex::new(0);
static ONE_LESS: Condvar = Condvar::new();

/// One probe that is being taken away, for as long as this lives.
pub(super) struct Leaving(());

impl Leaving {
    pub(super) fn begin() -> Self {
        *LEAVING.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(())
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        *LEAVING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ONE_LESS.notify_all();
    }
}

/// Waits until the kernel has taken away all probes that anything in this process has let go of, but
/// no longer than `patience`. How many are left.
#[must_use]
pub fn wait_for_detaching(patience: Duration) -> usize {
    let deadline = Instant::now() + patience;
    let mut leaving = LEAVING.lock().unwrap_or_else(PoisonError::into_inner);
    while *leaving > 0 {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let waited = ONE_LESS.wait_timeout(leaving, left);
        (leaving, _) = waited.unwrap_or_else(PoisonError::into_inner);
    }
    *leaving
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_goes_before_the_last_probe() {
        let leaving = Leaving::begin();
        assert_eq!(wait_for_detaching(Duration::ZERO), 1);
        let detaching = std::thread::spawn(move || drop(leaving));
        assert_eq!(wait_for_detaching(Duration::from_secs(60)), 0);
        detaching.join().unwrap_or_default();
    }
}
