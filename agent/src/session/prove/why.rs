//! What keeps one goroutine alive.

use super::{
    describe::{self, Moment},
    path,
    prover::Done,
    verdicts::{Verdict, sentence, verdicts},
};
use crate::{
    memory::{MemoryError, MemoryReader},
    proof::Sign,
    report::{Doubt, Ground, ProcessInfo, Step, Why, WhyVerdict, timestamp},
    runtime::{GoroutineState, Member},
    session::Names,
};

/// The answer for goroutine `goid`; `None` where there is none of that number.
pub(super) fn explain<M: MemoryReader>(
    done: &Done<'_, '_, M>,
    process: ProcessInfo,
    moment: Moment,
    goid: u64,
) -> Result<Option<Why>, MemoryError> {
    let goroutines = &done.roots.roster().goroutines;
    let Some(place) = goroutines.iter().position(|member| member.goid == goid) else {
        return Ok(None);
    };
    let member = &goroutines[place];
    let read = describe::read(done.prover, &[(member.address, goid)])?;
    let group = describe::groups(done.prover, moment, read).pop();
    let found = verdicts(done);
    let verdict = found
        .iter()
        .find(|(member, _)| *member as usize == place)
        .map(|(_, verdict)| *verdict);
    let (verdict, sentence) = verdict.map_or_else(|| not_a_candidate(done, member), said);
    let mut path = Vec::new();
    let sign = done.pass.candidates.alive().iter();
    let sign = sign.clone().find(|(member, _)| *member as usize == place);
    if verdict == WhyVerdict::Reachable
        && let Some((_, sign)) = sign
    {
        let mut names = Names::new(
            done.prover.program.binary.clone(),
            done.prover.program.bias,
        );
        path = path::steps(done, &mut names, *sign);
        path.extend(waited(group.as_ref(), *sign));
    }
    let names = group.map(|group| {
        (
            group.created_at,
            group.start,
            group.stack,
            group.oldest_seconds,
            group.unknown,
        )
    });
    let (created_at, start, stack, oldest_seconds, unknown) = names.unwrap_or_else(|| {
        let mut unknown = crate::report::Unknown::new();
        unknown.insert("stack", "it moved, or ended, while it was looked at".into());
        (None, crate::report::Place::default(), None, None, unknown)
    });
    let waits = member.state.is_parked();
    let reason = waits.then(|| done.prover.reasons.name(member.wait_reason));
    Ok(Some(Why {
        process,
        pid: moment.pid,
        taken_at: timestamp(std::time::SystemTime::now()),
        goid,
        state: member.state.name().into(),
        wait_reason: reason.flatten().map(str::to_owned),
        created_at,
        start,
        stack,
        oldest_seconds,
        verdict,
        sentence,
        path,
        unknown,
    }))
}

/// What the goroutine waits on, by which it was found alive.
fn waited(group: Option<&crate::report::Group>, sign: Sign) -> Option<Step> {
    let things = &group?.waits_on;
    // Of a select, any of its channels may have been it.
    match (sign, things.as_slice()) {
        (Sign::Moved, _) => None,
        (_, [thing, ..]) => Some(Step::Waited(thing.what.clone())),
        (_, []) => None,
    }
}

fn said(verdict: Verdict) -> (WhyVerdict, String) {
    match verdict {
        Verdict::Leaked(ground) => {
            let why = match ground {
                Ground::Unreachable => "no pass found a way from anything that lives to what it waits on",
                Ground::NilChannel => "it waits on a nil channel, or in a select without cases",
                Ground::Runtime => "the program's own runtime has found that nothing can wake it",
            };
            (WhyVerdict::Proven, why.into())
        }
        Verdict::Unproven(doubt) => {
            let verdict = match doubt {
                Doubt::Reachable => WhyVerdict::Reachable,
                Doubt::Ran => WhyVerdict::Ran,
                Doubt::Unclear => WhyVerdict::Unclear,
            };
            (verdict, sentence(doubt).replace("they", "it").replace("it wait ", "it waits "))
        }
    }
}

fn not_a_candidate<M: MemoryReader>(
    done: &Done<'_, '_, M>,
    member: &Member,
) -> (WhyVerdict, String) {
    let _ = done;
    match member.state {
        GoroutineState::Waiting => (
            WhyVerdict::Outside,
            "it waits for the clock, the network or the runtime".into(),
        ),
        _ => (
            WhyVerdict::NotWaiting,
            "it does not wait: it runs, is about to, or is in a system call".into(),
        ),
    }
}
