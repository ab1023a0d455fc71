//! What the last pass and those before it say of each goroutine that waits for another.

use super::{candidates, prover::Done};
use crate::{
    memory::MemoryReader,
    proof::{Doing, Sign},
    report::{Doubt, Ground},
    runtime::{GoroutineState, Roster},
};

/// Proven, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Leaked(Ground),
    Unproven(Doubt),
}

/// The verdicts of all that wait for others, by their places in the roster.
pub(super) fn verdicts<M: MemoryReader>(done: &Done<'_, '_, M>) -> Vec<(u32, Verdict)> {
    let roster = done.roots.roster();
    let mut alive = vec![None; roster.goroutines.len()];
    for (member, sign) in done.pass.candidates.alive() {
        alive[*member as usize] = Some(*sign);
    }
    let mut is_left = vec![false; roster.goroutines.len()];
    for member in done.pass.candidates.left() {
        is_left[member as usize] = true;
    }
    let mut verdicts = Vec::new();
    for (place, member) in (0..).zip(&roster.goroutines) {
        if !done.prover.waits_for_others(member)
            || candidates::is_main_without_cases(member, done.prover.reasons)
        {
            continue;
        }
        let is_lost = || done.agreement.is_lost(&done.roots.rest(place));
        let verdict = match alive[place as usize] {
            _ if member.state == GoroutineState::Leaked => Verdict::Leaked(Ground::Runtime),
            Some(Sign::Moved) => Verdict::Unproven(Doubt::Ran),
            Some(Sign::Reached(_) | Sign::Outside(_)) => Verdict::Unproven(Doubt::Reachable),
            None if is_left[place as usize] && is_lost() => Verdict::Leaked(ground(done, place)),
            // An earlier pass has reached it, or it came, or moved, since the first one.
            None if is_left[place as usize] => Verdict::Unproven(Doubt::Ran),
            None => Verdict::Unproven(doubt(roster, place)),
        };
        verdicts.push((place, verdict));
    }
    verdicts
}

fn ground<M: MemoryReader>(done: &Done<'_, '_, M>, place: u32) -> Ground {
    match done.roots.doing_of(place) {
        Doing::Stuck => Ground::NilChannel,
        Doing::Lives | Doing::On(_) => Ground::Unreachable,
    }
}

/// Of one that was no candidate.
fn doubt(roster: &Roster, place: u32) -> Doubt {
    match &roster.goroutines[place as usize] {
        member if !member.rests => Doubt::Ran,
        // The channel of a timer that is set.
        member if member.waits_are_complete => Doubt::Reachable,
        _ => Doubt::Unclear,
    }
}

/// A doubt in words.
pub(super) fn sentence(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Reachable => "something that lives leads to what they wait on",
        Doubt::Ran => "they ran, or were found alive by one of the passes",
        Doubt::Unclear => "what they wait on could not all be made out",
    }
}
