//! `gostray prove`: passes over the heap, until they prove what can be proven.

mod progress;

use anyhow::{Context as _, bail};

use super::{
    Exit,
    arguments::{ProveArguments, ProveFormat},
    output::{json, not_for_a_terminal, print},
    terminal,
};
use crate::{
    binary::BinaryCache,
    detect::Verdict,
    memory::LiveMemory,
    report::{Proof, Why, WhyVerdict},
    session::{Inspected, ProveError, prove, why},
    target::Vitality,
};
use progress::Shown;

/// Runs the command.
pub(super) fn run(arguments: &ProveArguments) -> anyhow::Result<Exit> {
    if arguments.format == ProveFormat::Pprof {
        not_for_a_terminal("gostray prove PID --format pprof > goroutineleak.pb.gz")?;
    }
    let pid = arguments.target.resolve()?;
    let inspected = Inspected::new(pid, &BinaryCache::new())?;
    match arguments.why {
        Some(goid) => of_one(arguments, &inspected, goid),
        None => of_all(arguments, &inspected),
    }
}

fn of_all(arguments: &ProveArguments, inspected: &Inspected) -> anyhow::Result<Exit> {
    let memory = LiveMemory::new(inspected.process.pid());
    let mut shown = Shown::start(arguments.no_progress)?;
    let proof = prove(inspected, &memory, &arguments.options(), &mut |progress| {
        shown.show(progress);
    });
    drop(shown);
    let mut proof: Proof = if_still_there(inspected, proof)?;
    proof.sort();
    print(|output| match arguments.format {
        ProveFormat::Text => proof.text(output, terminal::width()),
        ProveFormat::Json => json(output, &proof),
        ProveFormat::Pprof => proof.pprof(output),
    })?;
    Ok(ended(arguments, proof.proven() > 0))
}

fn of_one(arguments: &ProveArguments, inspected: &Inspected, goid: u64) -> anyhow::Result<Exit> {
    let memory = LiveMemory::new(inspected.process.pid());
    let options = arguments.options();
    let mut shown = Shown::start(arguments.no_progress)?;
    let why = why(inspected, &memory, goid, &options, &mut |progress| {
        shown.show(progress);
    });
    drop(shown);
    let why: Why = if_still_there(inspected, why)?;
    print(|output| match arguments.format {
        ProveFormat::Json => json(output, &why),
        // Others are refused with the command line.
        _ => why.text(output, terminal::width()),
    })?;
    Ok(ended(arguments, why.verdict == WhyVerdict::Proven))
}

/// What was found of the process, if it is still the same one: what was read while it ended, or became
/// another program, is worth nothing; and whatever went wrong then, this is why.
fn if_still_there<T>(inspected: &Inspected, found: Result<T, ProveError>) -> anyhow::Result<T> {
    let pid = inspected.process.pid();
    match inspected.lifetime.vitality() {
        Vitality::Alive => found.with_context(|| format!("process {pid}")),
        Vitality::Ended => bail!(
            "process {pid} ended while its heap was looked through, so nothing is proven; a core \
             file shows its goroutines (`gostray snapshot --core FILE --exe FILE`)"
        ),
        Vitality::Replaced => bail!(
            "process {pid} became another program (execve) while its heap was looked through; try \
             again"
        ),
    }
}

fn ended(arguments: &ProveArguments, found: bool) -> Exit {
    match arguments.fail_on {
        Some(least) if found && least.verdict() <= Verdict::Proven => Exit::Found,
        _ => Exit::Done,
    }
}
