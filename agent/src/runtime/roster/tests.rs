use super::*;
use crate::runtime::{
    WaitLayout,
    fake::{RUNNABLE, RUNNING, Runtime, reasons},
};

const SCANNED: u32 = SCAN_BIT | 4;

fn take(runtime: &Runtime, all: AllGoroutines) -> Roster {
    let layout = WaitLayout::new(&runtime.layouts).expect("a layout");
    let mut waits = Waits::new(runtime, layout, &reasons(), None).expect("no table");
    Roster::take(runtime, &runtime.g, all, Some(&mut waits)).expect("a list")
}

fn moved(runtime: &Runtime, roster: &Roster, all: AllGoroutines) -> Moved {
    roster.moved(runtime, &runtime.g, all).expect("a list")
}

#[test]
fn two_hundred_thousand_take_some_thirty_megabytes() {
    assert!(size_of::<Member>() <= 152, "{}", size_of::<Member>());
}

#[test]
fn a_member_has_all_that_it_waits_on_and_its_sudogs() {
    for minor in [18, 22, 25, 26, 27] {
        let runtime = Runtime::new(minor);
        let g = runtime.parked("select");
        let channels = [runtime.channel(0, 0), runtime.channel(1, 4)];
        let sudogs = channels.map(|channel| runtime.sudog(g, channel));
        runtime.waits_on(g, &sudogs);
        let on_nil = runtime.parked("chan receive (nil chan)");
        let roster = take(&runtime, runtime.list());
        let [first, second] = &roster.goroutines[..] else {
            panic!("two goroutines");
        };
        assert_eq!((first.address.0, second.address.0), (g, on_nil));
        assert!(first.waits_are_complete && second.waits_are_complete);
        assert_eq!(roster.sudogs(first), sudogs.map(RuntimeAddress));
        let addresses: Vec<u64> = roster.waits(first).iter().map(address).collect();
        assert_eq!(addresses, channels);
        assert_eq!(roster.waits(second), [Wait::NilChannel]);
        assert_eq!(roster.sudogs(second), []);
    }
}

fn address(wait: &Wait) -> u64 {
    match wait {
        Wait::Channel { address, .. }
        | Wait::Semaphore { address }
        | Wait::Condition { address } => address.0,
        _ => 0,
    }
}

#[test]
fn what_cannot_be_followed_to_its_end_is_not_complete() {
    let runtime = Runtime::new(25);
    let unmapped = runtime.channel(0, 0);
    let good = runtime.channel(0, 0);
    // A channel that cannot be read, a sudog of another, a list that leads back, none at all.
    let unreadable = runtime.parked("select");
    let sudogs = [good, unmapped].map(|channel| runtime.sudog(unreadable, channel));
    runtime.waits_on(unreadable, &sudogs);
    let foreign = runtime.parked("select");
    let sudogs = [
        runtime.sudog(foreign, good),
        runtime.sudog(unreadable, good),
    ];
    runtime.waits_on(foreign, &sudogs);
    let ring = runtime.parked("select");
    let sudog = runtime.sudog(ring, good);
    runtime.waits_on(ring, &[sudog, sudog]);
    let nowhere = runtime.parked("chan send");
    runtime.unmap(unmapped);
    let roster = take(&runtime, runtime.list());
    for (member, g) in roster
        .goroutines
        .iter()
        .zip([unreadable, foreign, ring, nowhere])
    {
        assert_eq!(member.address.0, g);
        assert!(!member.waits_are_complete, "{member:?}");
    }
}

#[test]
fn a_condition_of_an_older_release_with_its_sudog() {
    let runtime = Runtime::new(22);
    let g = runtime.parked("sync.Cond.Wait");
    let condition = runtime.object("sync.Cond");
    let list = condition
        + u64::from(
            runtime
                .layouts
                .offset("sync.Cond", "notify")
                .expect("there"),
        );
    let sudog = runtime.sudog(g, 0);
    runtime.field(list, "runtime.notifyList", "head", sudog);
    runtime.stack(g, &[1, condition, 2]);
    let roster = take(&runtime, runtime.list());
    let member = &roster.goroutines[0];
    let address = RuntimeAddress(list);
    assert_eq!(roster.waits(member), [Wait::Condition { address }]);
    assert_eq!(roster.sudogs(member), [RuntimeAddress(sudog)]);
    assert!(member.waits_are_complete);
}

#[test]
fn who_rests_has_not_moved_and_who_runs_has() {
    let runtime = Runtime::new(27);
    let [parked, runs, runnable] = [
        runtime.parked("chan receive"),
        runtime.goroutine(RUNNING),
        runtime.goroutine(RUNNABLE),
    ];
    let all = runtime.list();
    let roster = take(&runtime, all);
    let rest: Vec<_> = roster
        .goroutines
        .iter()
        .map(|m| (m.address.0, m.rests))
        .collect();
    assert_eq!(rest, [(parked, true), (runs, false), (runnable, true)]);
    let moved = moved(&runtime, &roster, all);
    assert_eq!(moved.ended, [] as [usize; 0]);
    assert_eq!(moved.created, []);
    assert_eq!(moved.unread, []);
    let ran: Vec<usize> = moved.ran.iter().map(|(place, _)| *place).collect();
    assert_eq!(ran, [1]);
}

#[test]
fn every_trace_of_having_run_counts() {
    type Change = fn(&Runtime, u64);
    let changes: [Change; 9] = [
        |r, g| r.set(g, r.g.sched_sp, r.stack(g, &[0; 9])),
        |r, g| r.set(g, r.g.sched_pc, 77),
        |r, g| r.set(g, r.g.sched_bp, 78),
        |r, g| r.put(g + u64::from(r.g.tracking_seq), &[1]),
        |r, g| r.set(g, r.g.waiting, 79),
        |r, g| r.set(g, r.g.m, 80),
        |r, g| r.set(g, r.g.defer, 81),
        |r, g| r.set(g, r.g.waitsince, 0),
        |r, g| r.status(g, RUNNING),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let runtime = Runtime::new(25);
        let g = runtime.parked("chan receive");
        runtime.set(g, runtime.g.waitsince, 5);
        let all = runtime.list();
        let roster = take(&runtime, all);
        change(&runtime, g);
        let moved = moved(&runtime, &roster, all);
        assert_eq!(moved.ran.len(), 1, "change {number}");
    }
}

#[test]
fn being_seen_by_a_collection_is_no_move() {
    let runtime = Runtime::new(25);
    let g = runtime.parked("chan receive");
    let all = runtime.list();
    let roster = take(&runtime, all);
    runtime.set(g, runtime.g.waitsince, 5);
    assert_eq!(moved(&runtime, &roster, all).ran, []);
}

#[test]
fn those_that_ended_and_began_are_told() {
    let runtime = Runtime::new(25);
    let [ends, is_reused, becomes] = [4, 4, 6].map(|status| runtime.goroutine(status));
    let all = runtime.list();
    let roster = take(&runtime, all);
    assert_eq!(roster.goroutines.len(), 2);
    runtime.status(ends, 6);
    runtime.set(is_reused, runtime.g.goid, 100);
    runtime.status(becomes, 1);
    let new = runtime.goroutine(RUNNABLE);
    let moved = moved(&runtime, &roster, runtime.list());
    let mut ended = moved.ended.clone();
    ended.sort_unstable();
    assert_eq!(ended, [0, 1]);
    let created: Vec<u64> = moved.created.iter().map(|m| m.address.0).collect();
    assert_eq!(created, [is_reused, becomes, new]);
    assert_eq!(moved.ran, []);
}

#[test]
fn what_cannot_be_read_is_told_apart() {
    let runtime = Runtime::new(25);
    let [gone, scanned, no_stack] = [4, SCANNED, 4].map(|status| runtime.goroutine(status));
    runtime.set(no_stack, runtime.g.stack_hi, u64::MAX);
    let all = runtime.list();
    runtime.unmap(gone);
    let roster = take(&runtime, all);
    assert_eq!(roster.goroutines, []);
    assert_eq!(roster.unread, [gone, scanned, no_stack].map(RuntimeAddress));
    let moved = moved(&runtime, &roster, all);
    assert_eq!(moved.unread, roster.unread);
    assert_eq!(moved.ended, [] as [usize; 0]);
}

#[test]
fn a_stack_pointer_outside_of_the_stack_is_no_rest() {
    let runtime = Runtime::new(25);
    let g = runtime.parked("chan receive");
    for sp in [8, 0xffff_ffff_ffff_fff8, 0xc0_0000_0001] {
        runtime.set(g, runtime.g.sched_sp, sp);
        let roster = take(&runtime, runtime.list());
        assert!(!roster.goroutines[0].rests);
    }
}

/// Coroutines hand over to one another without a trace in their `g`s.
#[test]
fn a_coroutine_is_never_taken_to_rest() {
    let runtime = Runtime::new(25);
    let coroutine = runtime.parked("coroutine");
    let other = runtime.parked("chan receive");
    let all = runtime.list();
    let roster = take(&runtime, all);
    let rests = |g: u64| {
        let member = roster.goroutines.iter().find(|m| m.address.0 == g);
        member.map(|member| (member.rests, member.sp.0 != 0))
    };
    assert_eq!(rests(coroutine), Some((false, false)));
    assert_eq!(rests(other), Some((true, true)));
    let moved = moved(&runtime, &roster, all);
    let ran: Vec<u64> = moved.ran.iter().map(|(_, now)| now.address.0).collect();
    assert_eq!(ran, [coroutine]);
}

/// One that was just being created had no number when it was read first.
#[test]
fn one_that_gets_its_number_meanwhile_has_not_rested() {
    let runtime = Runtime::new(25);
    let g = runtime.goroutine(RUNNABLE);
    runtime.set(g, runtime.g.goid, 0);
    let all = runtime.list();
    let roster = take(&runtime, all);
    assert_eq!(roster.goroutines[0].goid, 0);
    runtime.set(g, runtime.g.goid, 7);
    let moved = moved(&runtime, &roster, all);
    assert_eq!(moved.ended, [0]);
    assert_eq!(moved.created.len(), 1);
}
