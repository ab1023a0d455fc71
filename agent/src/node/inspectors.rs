//! Threads that take executables apart, for all who watch.
//!
//! That takes memory for a moment, a hundred megabytes for a large program. The allocator keeps what a
//! thread has freed for that thread, so that a hundred threads which do it once each would hold a hundred
//! times as much as a few that do it again and again.

use std::{
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
    pub(super) fn start(binaries: &Arc<BinaryCache>) -> std::io::Result<Self> {
        let (requests, wanted) = sync_channel(CAPACITY);
        let wanted = Arc::new(Mutex::new(wanted));
        for _ in 0..THREADS {
            let (wanted, binaries) = (Arc::clone(&wanted), Arc::clone(binaries));
            let name = "inspect".into();
            thread::Builder::new()
                .name(name)
                .spawn(move || while inspect_one(&wanted, &binaries).is_some() {})?;
        }
        Ok(Self { requests })
    }

    /// Looks at process `pid`. `None` where no thread is left that could, which only a bug of ours brings
    /// about.
    pub(super) fn inspect(&self, pid: i32) -> Option<Result<Inspected, SessionError>> {
        let (answer, answered) = sync_channel(1);
        self.requests.send(Request { pid, answer }).ok()?;
        answered.recv().ok()
    }
}

/// Serves the next request; `None` when there will be no more.
fn inspect_one(wanted: &Mutex<Receiver<Request>>, binaries: &BinaryCache) -> Option<()> {
    let next = wanted.lock().unwrap_or_else(PoisonError::into_inner).recv();
    let Request { pid, answer } = next.ok()?;
    // Nobody may want it any more.
    let _ = answer.send(Inspected::new(pid, binaries));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_gets_his_answer() {
        let inspectors = Inspectors::start(&Arc::default()).expect("threads");
        let own = i32::try_from(std::process::id()).expect("a pid");
        thread::scope(|scope| {
            for pid in [own, i32::MAX, own, i32::MAX, own] {
                let inspectors = &inspectors;
                scope.spawn(move || {
                    let error = inspectors.inspect(pid).expect("answered").expect_err("no Go");
                    let is_missing = matches!(error, SessionError::Target(_));
                    assert_eq!(is_missing, pid == i32::MAX, "{error}");
                });
            }
        });
    }
}
