//! What waits for one sink: bounded, and everything that leaves it is counted.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, watch};

use super::delivery::Failure;
use crate::report::node::SinkSample;

/// A queue with one reader, who takes batches and says what became of them.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    pushed: Notify,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    /// Taken, and nobody knows yet what becomes of them.
    under_way: VecDeque<T>,
    closed: bool,
    counts: SinkSample,
}

/// How a batch is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batching {
    /// Of at most so many.
    pub(super) most: usize,
    /// How long the first waits for others.
    pub(super) linger: Duration,
}

impl<T: Clone> Queue<T> {
    /// Of at most `capacity` that wait.
    pub(super) fn new(name: String, capacity: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                under_way: VecDeque::new(),
                closed: false,
                counts: SinkSample {
                    name,
                    capacity: capacity as u64,
                    ..SinkSample::default()
                },
            }),
            pushed: Notify::new(),
        }
    }

    /// Adds `item`. Where there is no room, the oldest that waits goes, and is counted.
    pub(super) fn push(&self, item: T) {
        let mut state = self.state();
        if state.closed {
            state.counts.dropped += 1;
            return;
        }
        state.waiting.push_back(item);
        state.shrink();
        drop(state);
        self.pushed.notify_one();
    }

    /// From now on at most `capacity` wait.
    pub(super) fn resize(&self, capacity: usize) {
        let mut state = self.state();
        state.counts.capacity = capacity as u64;
        state.shrink();
    }

    /// The next batch, as soon as there is one; `None` when no more is to come and all are gone.
    pub(super) async fn next(
        &self,
        batching: Batching,
        finishing: &mut watch::Receiver<bool>,
    ) -> Option<Vec<T>> {
        loop {
            // Not in the match: the lock would be held while it waits.
            let waiting = self.state().waiting.len();
            match waiting {
                0 if *finishing.borrow() => return None,
                0 => tokio::select! {
                    () = self.pushed.notified() => {}
                    () = told(finishing) => {}
                },
                _ => break,
            }
        }
        if !batching.linger.is_zero() {
            let full = async {
                while self.state().waiting.len() < batching.most {
                    self.pushed.notified().await;
                }
            };
            tokio::select! {
                () = full => {}
                () = told(finishing) => {}
                () = tokio::time::sleep(batching.linger) => {}
            }
        }
        let mut state = self.state();
        let count = batching.most.min(state.waiting.len());
        let batch: Vec<T> = state.waiting.drain(..count).collect();
        state.under_way.extend(batch.iter().cloned());
        Some(batch)
    }

    /// The first `delivered + dropped` under way are done with.
    pub(super) fn settle(&self, delivered: u64, dropped: u64) {
        let mut state = self.state();
        let count = usize::try_from(delivered + dropped).unwrap_or(usize::MAX);
        let count = count.min(state.under_way.len());
        state.under_way.drain(..count);
        state.counts.sent += delivered;
        state.counts.dropped += dropped;
    }

    /// An attempt was right.
    pub(super) fn succeeded(&self) {
        self.state().counts.last_error = None;
    }

    /// An attempt failed. Whether that is news: the one before did not.
    pub(super) fn failed(&self, failure: &Failure) -> bool {
        let mut state = self.state();
        *state
            .counts
            .errors
            .entry(failure.kind.as_str())
            .or_default() += 1;
        let said = state.counts.last_error.replace(failure.message.clone());
        said.is_none()
    }

    /// What is under way waits again, before all others: nobody delivers it any more.
    pub(super) fn take_back(&self) {
        let mut state = self.state();
        let State {
            waiting, under_way, ..
        } = &mut *state;
        for item in under_way.drain(..).rev() {
            waiting.push_front(item);
        }
        state.shrink();
    }

    /// Nobody delivers any more: all that is left, and all that comes, is counted as dropped.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let left = state.waiting.len() + state.under_way.len();
        state.counts.dropped += left as u64;
        state.waiting.clear();
        state.under_way.clear();
    }

    /// Whether others wait.
    pub(super) fn has_more(&self) -> bool {
        !self.state().waiting.is_empty()
    }

    /// Its name.
    pub(super) fn name(&self) -> String {
        self.state().counts.name.clone()
    }

    /// What became of all so far.
    pub(super) fn sample(&self) -> SinkSample {
        let state = self.state();
        SinkSample {
            queued: (state.waiting.len() + state.under_way.len()) as u64,
            ..state.counts.clone()
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Whoever panicked in between has left counts that are right: each change is one statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn shrink(&mut self) {
        while self.waiting.len() as u64 > self.counts.capacity {
            self.waiting.pop_front();
            self.counts.dropped += 1;
        }
    }
}

/// Returns when it is time to come to an end.
pub(super) async fn told(finishing: &mut watch::Receiver<bool>) {
    // An error means that nobody is there to tell: the runtime ends with them.
    let _ = finishing.wait_for(|finishing| *finishing).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_BY_ONE: Batching = Batching {
        most: 2,
        linger: Duration::ZERO,
    };

    fn next(queue: &Queue<u32>) -> Option<Vec<u32>> {
        let (_, mut finishing) = watch::channel(true);
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime
            .expect("a runtime")
            .block_on(queue.next(ONE_BY_ONE, &mut finishing))
    }

    fn counts(queue: &Queue<u32>) -> (u64, u64, u64) {
        let sample = queue.sample();
        (sample.queued, sample.sent, sample.dropped)
    }

    #[test]
    fn the_oldest_makes_room() {
        let queue = Queue::new("q".into(), 3);
        (1..=5).for_each(|item| queue.push(item));
        assert_eq!(counts(&queue), (3, 0, 2));
        assert_eq!(next(&queue), Some(vec![3, 4]));
        assert_eq!(counts(&queue), (3, 0, 2), "under way is not delivered");
        queue.settle(1, 1);
        assert_eq!(counts(&queue), (1, 1, 3));
        queue.resize(0);
        assert_eq!(counts(&queue), (0, 1, 4));
    }

    #[test]
    fn what_was_under_way_is_first_again() {
        let queue = Queue::new("q".into(), 10);
        (1..=3).for_each(|item| queue.push(item));
        assert_eq!(next(&queue), Some(vec![1, 2]));
        queue.settle(1, 0);
        queue.take_back();
        assert_eq!(next(&queue), Some(vec![2, 3]));
        queue.close();
        queue.push(4);
        assert_eq!(counts(&queue), (0, 1, 3));
        assert_eq!(next(&queue), None);
    }
}
