//! Work on what belongs to a target, under a time limit.
//!
//! A file may lie in a file system that a process serves (FUSE), and a page of a process's memory may be
//! one that another of its threads has to fill in (userfaultfd). Who owns them decides when a
//! read of them ends, if ever. So what reads them runs in a thread of its own, which is left behind if it does not
//! return in time. Of such threads there are never more than a few.

use std::{
    io,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use thiserror::Error;

/// Threads at work or left behind, at most.
const MAX_THREADS: usize = 16;

static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Why work was not done.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(super) enum Impatience {
    /// It has not ended in time.
    #[error(
        "it took longer than {} ms; its files may lie in a file system that does not answer",
        .0.as_millis()
    )]
    TookTooLong(Duration),
    /// Too much of what was begun before has not ended.
    #[error("{MAX_THREADS} earlier attempts to read files of other processes have not ended yet")]
    TooManyWaiting,
    /// No thread to be had.
    #[error("no thread can be started for it: {0}")]
    NoThread(#[from] io::Error),
}

/// What `work` gives, if it does within `limit`.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Impatience> {
    let place = Place::take().ok_or(Impatience::TooManyWaiting)?;
    let (done, answer) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("files".to_owned())
        .spawn(move || {
            let _place = place;
            // Nobody waits any more if it took too long.
            let _: Result<(), _> = done.send(work());
        })?;
    answer
        .recv_timeout(limit)
        .map_err(|_| Impatience::TookTooLong(limit))
}

/// One of the threads there may be.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let more = |taken: usize| (taken < MAX_THREADS).then_some(taken + 1);
        let taken = THREADS.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        taken.is_ok().then_some(Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        THREADS.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_left_behind() {
        let long = Duration::from_secs(60);
        assert!(matches!(within(long, || 7), Ok(7)));
        let (_hold, held) = mpsc::channel::<()>();
        let stuck = within(Duration::from_millis(10), move || held.recv().is_ok());
        assert!(matches!(stuck, Err(Impatience::TookTooLong(_))));
    }
}
