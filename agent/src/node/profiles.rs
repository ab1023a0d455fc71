//! What profiles cost: processor time that is in no process's account, since somebody has asked for it.
//!
//! It is not taken from what is shared among the watched processes: a proof that keeps a processor busy for
//! two seconds is a hundred seconds' budget of a node, and none of these would be watched well meanwhile,
//! and for some minutes more, for every step down has to be earned again. It is counted, and told.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nix::unistd::{Pid, gettid};
use procfs::process::Process;

use super::meter;

/// Of all profiles so far, those that are being taken included.
#[derive(Debug, Default)]
pub(super) struct ProfileCost {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    done: Duration,
    /// Threads that take one, and what they had used when they began.
    running: Vec<(Pid, Duration)>,
}

/// One that is being taken; counted as done when dropped.
struct Running<'c> {
    cost: &'c ProfileCost,
    thread: Pid,
}

impl ProfileCost {
    /// Takes a profile, in this thread.
    pub(super) fn of<R>(&self, profile: impl FnOnce() -> R) -> R {
        let thread = gettid();
        self.state().running.push((thread, meter::own_time()));
        let _running = Running { cost: self, thread };
        profile()
    }

    /// Processor time, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        let state = self.state();
        let running = state.running.iter().map(|(thread, began)| {
            // A thread that cannot be read is counted when it is done.
            time_of(*thread).map_or(Duration::ZERO, |time| time.saturating_sub(*began))
        });
        (state.done + running.sum::<Duration>()).as_secs_f64()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.cost.state();
        let running = state.running.iter();
        let place = running
            .enumerate()
            .find_map(|(place, (thread, _))| (*thread == self.thread).then_some(place));
        if let Some(place) = place {
            let (_, began) = state.running.swap_remove(place);
            state.done += meter::own_time().saturating_sub(began);
        }
    }
}

/// Of another thread of this process, in whole ticks: never more than its own clock says.
fn time_of(thread: Pid) -> Option<Duration> {
    let task = Process::myself().ok()?.task_from_tid(thread.as_raw());
    let stat = task.ok()?.stat().ok()?;
    let ticks = stat.utime + stat.stime;
    Some(Duration::from_secs_f64(
        ticks as f64 / procfs::ticks_per_second() as f64,
    ))
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc::channel, thread};

    use super::*;

    fn busy_for(time: Duration) {
        let began = meter::own_time();
        while meter::own_time() - began < time {}
    }

    #[test]
    fn a_profile_is_counted_while_it_is_taken_and_for_ever_after() {
        let cost = ProfileCost::default();
        let ((reached, wait), (go_on, end)) = (channel(), channel());
        thread::scope(|scope| {
            let cost = &cost;
            scope.spawn(move || {
                cost.of(|| {
                    busy_for(Duration::from_millis(60));
                    reached.send(()).unwrap();
                    end.recv().unwrap();
                });
            });
            wait.recv().unwrap();
            let seconds = cost.seconds();
            assert!((0.03..1.0).contains(&seconds), "{seconds}");
            go_on.send(()).unwrap();
        });
        let seconds = cost.seconds();
        assert!((0.06..1.0).contains(&seconds), "{seconds}");
        cost.of(|| busy_for(Duration::from_millis(20)));
        assert!(cost.seconds() >= seconds + 0.02);
    }

    #[test]
    fn one_that_fails_badly_is_counted() {
        let cost = ProfileCost::default();
        thread::scope(|scope| {
            let failing = scope.spawn(|| {
                cost.of(|| {
                    busy_for(Duration::from_millis(20));
                    panic!("meant to be");
                })
            });
            assert!(failing.join().is_err());
        });
        assert!(cost.seconds() >= 0.02);
        assert!(cost.state().running.is_empty());
    }
}
