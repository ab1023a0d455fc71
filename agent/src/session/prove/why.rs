//! What keeps one goroutine alive.

use super::{
    describe::{self, Moment},
    leaked::known_fields,
    path,
    prover::Done,
    verdicts::{Verdict, sentence, verdicts},
};
use crate::{
    memory::{MemoryError, MemoryReader},
    proof::Sign,
    report::{Doubt, Ground, Group, ProcessInfo, Step, Why, WhyVerdict, timestamp},
    runtime::{GoroutineState, Member},
    session::Names,
};

/// So often one that moves is read.
const ATTEMPTS: usize = 12;

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
    // One that moves is there in the end, unless it has ended.
    let mut attempts =
        (0..ATTEMPTS).map(|_| describe::read(done.prover, &[(member.address, goid)]));
    let read = attempts.find(|read| read.as_ref().is_ok_and(|read| !read.is_empty()));
    let read = read.unwrap_or_else(|| Ok(Vec::new()))?;
    let Some(group) = describe::groups(done.prover, moment, read).pop() else {
        return Ok(None);
    };
    let found = verdicts(done);
    let verdict = found
        .iter()
        .find(|(member, _)| *member as usize == place)
        .map(|(_, verdict)| *verdict);
    let (verdict, sentence) = verdict.map_or_else(|| not_a_candidate(member), said);
    let mut path = Vec::new();
    let sign = done.pass.candidates.alive().iter();
    let sign = sign.clone().find(|(member, _)| *member as usize == place);
    if verdict == WhyVerdict::Reachable
        && let Some((_, sign)) = sign
    {
        let mut names = Names::new(done.prover.program.binary.clone(), done.prover.program.bias);
        path = path::steps(done, &mut names, *sign);
        path.extend(waited(&group, *sign));
    }
    let waits = member.state.is_parked();
    let reason = waits.then(|| done.prover.reasons.name(member.wait_reason));
    Ok(Some(Why {
        process,
        pid: moment.pid,
        taken_at: timestamp(std::time::SystemTime::now()),
        goid,
        state: member.state.name().into(),
        wait_reason: reason.flatten().map(str::to_owned),
        created_at: group.created_at,
        start: group.start,
        stack: group.stack,
        oldest_seconds: group.oldest_seconds,
        verdict,
        sentence,
        path,
        unknown: known_fields(group.unknown),
    }))
}

/// What the goroutine waits on, by which it was found alive.
fn waited(group: &Group, sign: Sign) -> Option<Step> {
    let things = &group.waits_on;
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
                Ground::Unreachable => {
                    "no pass found a way from anything that lives to what it waits on"
                }
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
            (
                verdict,
                sentence(doubt)
                    .replace("they", "it")
                    .replace("it wait ", "it waits "),
            )
        }
    }
}

fn not_a_candidate(member: &Member) -> (WhyVerdict, String) {
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
