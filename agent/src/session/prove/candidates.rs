//! Which goroutines of a roster may be lost, by what they wait for.

use crate::{
    proof::{Doing, Rest},
    runtime::{GoroutineState, Member, Roster, Wait, WaitReasons},
};

/// What a goroutine's wait reason says of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It waits on things that only the program's own goroutines touch.
    OnThings,
    /// In a `select` without cases.
    NoCases,
    /// The clock, the network, the runtime may wake it; or another goroutine by ways that are not looked
    /// at: in a `testing/synctest` bubble, in a coroutine. Go's own detector does as much.
    Outside,
}

impl Kind {
    /// From the runtime's word for it.
    fn of(reason: &str) -> Self {
        match reason {
            "chan receive"
            | "chan send"
            | "chan receive (nil chan)"
            | "chan send (nil chan)"
            | "select"
            | "semacquire"
            | "sync.Mutex.Lock"
            | "sync.RWMutex.RLock"
            | "sync.RWMutex.Lock"
            | "sync.WaitGroup.Wait"
            | "sync.Cond.Wait" => Self::OnThings,
            "select (no cases)" => Self::NoCases,
            _ => Self::Outside,
        }
    }
}

/// What the goroutines of `roster` do, in its order.
pub(super) fn doing(roster: &Roster, reasons: &WaitReasons) -> Vec<Doing> {
    let members = roster.goroutines.iter();
    members
        .map(|member| {
            let kind = reasons.name(member.wait_reason).map(Kind::of);
            one(member, kind, roster.waits(member))
        })
        .collect()
}

fn one(member: &Member, kind: Option<Kind>, waits: &[Wait]) -> Doing {
    match (member.state, kind) {
        // The runtime's own detector has found that it is, in a collection cycle that is over.
        (GoroutineState::Leaked, _) => Doing::Stuck,
        (GoroutineState::Waiting, Some(Kind::NoCases)) if member.rests => Doing::Stuck,
        // If it waits on more than is known, something else may wake it.
        (GoroutineState::Waiting, Some(Kind::OnThings))
            if member.rests && member.waits_are_complete =>
        {
            on(waits)
        }
        _ => Doing::Lives,
    }
}

fn on(waits: &[Wait]) -> Doing {
    if waits.contains(&Wait::NilChannel) {
        return Doing::Stuck;
    }
    let mut things = Vec::with_capacity(waits.len());
    for wait in waits {
        match wait {
            Wait::Channel { address, .. }
            | Wait::Semaphore { address }
            | Wait::Condition { address } => things.push(address.0),
            // A channel of a timer that is set: the runtime will send.
            Wait::Timer { .. } | Wait::Descriptor { .. } | Wait::NilChannel => return Doing::Lives,
        }
    }
    match things.is_empty() {
        true => Doing::Lives,
        false => Doing::On(things.into()),
    }
}

/// Whether a member waits for another goroutine, whether or not it is known on what.
pub(super) fn waits_for_others(member: &Member, reasons: &WaitReasons) -> bool {
    let kind = reasons.name(member.wait_reason).map(Kind::of);
    match member.state {
        GoroutineState::Leaked => true,
        GoroutineState::Waiting => matches!(kind, Some(Kind::OnThings | Kind::NoCases)),
        _ => false,
    }
}

/// Whether it is the main goroutine in a `select` without cases: what it holds is lost, but that it never
/// ends is what was wanted. Go's own detector does the same (`findGoroutineLeaks` in
/// `src/runtime/mgc.go`, Go 1.26).
pub(super) fn is_main_without_cases(member: &Member, reasons: &WaitReasons) -> bool {
    let kind = reasons.name(member.wait_reason).map(Kind::of);
    member.goid == 1 && kind == Some(Kind::NoCases)
}

/// What has to stay the same of a member from pass to pass.
pub(super) fn rest(member: &Member, doing: &Doing) -> Rest {
    Rest {
        g: member.address.0,
        goid: member.goid,
        runs: member.runs,
        sp: member.sp.0,
        pc: member.pc.0,
        thing: match doing {
            Doing::On(things) => things.first().copied().unwrap_or(0),
            Doing::Lives | Doing::Stuck => 0,
        },
    }
}
