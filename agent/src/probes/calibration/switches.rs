//! How much slower the target's first thread is switched to and fro with probes than without: each
//! perf event of a task is taken off the processor and put on again together with it.

use std::{
    io::{PipeReader, PipeWriter, Read as _, Write as _, pipe},
    thread,
};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    time::{ClockId, clock_gettime},
    unistd::Pid,
};

const TRIPS: usize = 300;
const ROUNDS: usize = 7;

/// Seconds of processor time in which this thread is left and taken up again once, at the least, with
/// another thread in between. `None` where that cannot be tried.
pub(super) fn measure() -> Option<f64> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).ok()?;
    let one = (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu).unwrap_or(false))?;
    let mut alone = CpuSet::new();
    alone.set(one).ok()?;
    // On one processor each trip is a switch there and one back. The other thread inherits it.
    sched_setaffinity(Pid::from_raw(0), &alone).ok()?;
    let measured = on_one_processor();
    let _: nix::Result<()> = sched_setaffinity(Pid::from_raw(0), &allowed);
    measured
}

fn on_one_processor() -> Option<f64> {
    let ((there, mut to), (mut from, back)) = (pipe().ok()?, pipe().ok()?);
    thread::scope(|scope| {
        scope.spawn(move || echo(there, back));
        let rounds = (0..ROUNDS).map(|_| {
            let before = used()?;
            for _ in 0..TRIPS {
                to.write_all(&[0]).ok()?;
                from.read_exact(&mut [0]).ok()?;
            }
            Some((used()? - before) / TRIPS as f64)
        });
        let least = rounds.flatten().reduce(f64::min);
        drop(to);
        least
    })
}

/// Until the other end is closed.
fn echo(mut from: PipeReader, mut to: PipeWriter) {
    let mut byte = [0];
    while from.read_exact(&mut byte).is_ok() && to.write_all(&byte).is_ok() {}
}

/// Of both threads: processor time, so that somebody else in between does not count.
fn used() -> Option<f64> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).ok()?;
    Some(std::time::Duration::from(time).as_secs_f64())
}
