//! Threads that take executables apart, for all who watch.
//!
//! That takes memory for a moment, a hundred megabytes for a large program. The allocator keeps what a
//! thread has freed for that thread, so that a hundred threads which do it once each would hold a hundred
//! times as much as a few that do it again and again.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use crate::{
    binary::BinaryCache,
    session::{Inspected, SessionError},
};

/// Executables that are taken apart at a time.
const THREADS: usize = 2;
/// Requests that may wait; whoever asks one more waits, which he does anyway.
const CAPACITY: usize = 64;

struct Request {
    pid: i32,
    answer: SyncSender<Result<Inspected, SessionError>>,
}

/// Asks the threads, which end when this is dropped.
#[derive(Debug)]
pub(super) struct Inspectors {
    requests: SyncSender<Request>,
}

impl Inspectors {
    /// Begins, with what has been taken apart kept in `binaries`.
    ///
    /// # Errors
    /// The operating system has no thread for it.
    pub(super) fn start(binaries: Arc<BinaryCache>) -> std::io::Result<Self> {
        Self::with(Arc::new(move |pid| Inspected::new(pid, &binaries)))
    }

    fn with<L>(look: Arc<L>) -> std::io::Result<Self>
    where
        L: Fn(i32) -> Result<Inspected, SessionError> + Send + Sync + 'static,
    {
        let (requests, wanted) = sync_channel(CAPACITY);
        let wanted = Arc::new(Mutex::new(wanted));
        for _ in 0..THREADS {
            let (wanted, look) = (Arc::clone(&wanted), Arc::clone(&look));
            thread::Builder::new()
                .name("inspect".into())
                .spawn(move || while inspect_one(&wanted, &*look).is_some() {})?;
        }
        Ok(Self { requests })
    }

    /// Looks at process `pid`. `None` where that panicked, which only a bug of ours brings about.
    pub(super) fn inspect(&self, pid: i32) -> Option<Result<Inspected, SessionError>> {
        let (answer, answered) = sync_channel(1);
        self.requests.send(Request { pid, answer }).ok()?;
        answered.recv().ok()
    }
}

/// Serves the next request; `None` when there will be no more.
fn inspect_one(
    wanted: &Mutex<Receiver<Request>>,
    look: &impl Fn(i32) -> Result<Inspected, SessionError>,
) -> Option<()> {
    let next = wanted.lock().unwrap_or_else(PoisonError::into_inner).recv();
    let Request { pid, answer } = next.ok()?;
    // The threads serve everybody: two executables that bring out a bug must not be the end of them. What
    // is kept of them all is consistent between any two statements.
    if let Ok(inspected) = catch_unwind(AssertUnwindSafe(|| look(pid))) {
        // Nobody may want it any more.
        let _ = answer.send(inspected);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_gets_his_answer() {
        let inspectors = Inspectors::start(Arc::default()).expect("threads");
        let own = i32::try_from(std::process::id()).expect("a pid");
        thread::scope(|scope| {
            for pid in [own, i32::MAX, own, i32::MAX, own] {
                let inspectors = &inspectors;
                scope.spawn(move || {
                    let error = inspectors
                        .inspect(pid)
                        .expect("answered")
                        .expect_err("no Go");
                    let is_missing = matches!(error, SessionError::Target(_));
                    assert_eq!(is_missing, pid == i32::MAX, "{error}");
                });
            }
        });
    }

    #[test]
    fn a_panic_is_the_end_of_one_request_only() {
        let look = |pid| {
            assert!(pid != 1, "a panic as it should be");
            Err(SessionError::Ended { pid })
        };
        let inspectors = Inspectors::with(Arc::new(look)).expect("threads");
        for _ in 0..2 * THREADS {
            assert!(inspectors.inspect(1).is_none());
        }
        let answer = inspectors.inspect(2).expect("answered");
        assert!(matches!(answer, Err(SessionError::Ended { pid: 2 })));
    }
}
