//! The `status` event, from counts.

use std::{collections::BTreeMap, time::Duration};

use gostray_common::Drop;

use super::{
    names::{self, Names},
    spending::{Accounting, Cores, Spending},
};
use crate::{
    detect::Incidents,
    governor::{Budget, Hits, MemoryBudget, Mode},
    probes::Readout,
    report::{
        Disagreement, Lifetime, OpenLeak, Overhead, Parks, ProcessUse, SiteCounts, Status, Unknown,
        node::BucketCount,
    },
    runtime::WaitReasons,
    track::{Accuracy, Site, Tracker},
};

/// What a status is made of.
pub(super) struct Inputs<'a> {
    pub(super) mode: Mode,
    pub(super) probes: usize,
    pub(super) spending: &'a Spending,
    pub(super) hits: Hits,
    pub(super) budget: Budget,
    pub(super) accounting: Accounting,
    pub(super) memory: MemoryBudget,
    /// What the kernel's maps take, in bytes.
    pub(super) maps: u64,
    pub(super) tracker: &'a Tracker,
    pub(super) readout: &'a Readout,
    pub(super) incidents: &'a Incidents,
    pub(super) wait_reasons: Option<&'a WaitReasons>,
    pub(super) goroutines: Option<u64>,
    /// Between the last two observations.
    pub(super) observed_every: Option<Duration>,
    /// Probes and census have been compared.
    pub(super) compared: bool,
    pub(super) coverage: f64,
    /// What the process uses.
    pub(super) process: ProcessUse,
    /// The open leaks.
    pub(super) leaks: Vec<OpenLeak>,
}

pub(super) fn status(inputs: Inputs<'_>, names: &mut Names) -> Status {
    let mut sites: Vec<SiteCounts> = inputs
        .tracker
        .sites()
        .map(|site| site_counts(site, &inputs, names))
        .collect();
    sites.sort_by(|a, b| b.live.cmp(&a.live).then(b.created.cmp(&a.created)));
    Status {
        mode: inputs.mode.as_str(),
        coverage: inputs.coverage,
        overhead: overhead(&inputs),
        goroutines: inputs.goroutines,
        sites,
        observed_every_seconds: inputs.observed_every.map(|period| period.as_secs_f64()),
        drops: drops(inputs.readout),
        disagreement: inputs.compared.then(|| Disagreement {
            goroutines: inputs.tracker.disagreement(),
            repaired: inputs.tracker.repaired(),
        }),
        probes: inputs.probes,
        process: Box::new(inputs.process),
        leaks: inputs.leaks,
        unknown: match inputs.goroutines {
            Some(_) => Unknown::new(),
            None => Unknown::from([(
                "goroutines",
                "the runtime's list of goroutines was not found or not read yet".into(),
            )]),
        },
    }
}

fn overhead(inputs: &Inputs<'_>) -> Overhead {
    let Inputs {
        spending,
        budget,
        hits,
        ..
    } = inputs;
    let mut unknown = Unknown::new();
    let lately = spending.lately();
    if lately.is_none() {
        for field in ["agent_cpu_ratio", "target_cpu_ratio", "total_ratio"] {
            unknown.insert(field, "measured for less than a second".into());
        }
    }
    if !budget.is_limited() {
        unknown.insert("budget_ratio", "there is no limit".into());
    }
    let memory = match inputs.accounting {
        Accounting::Agent => resident().map_err(|error| error.to_string()),
        Accounting::Thread => Err("the agent watches other processes too".into()),
    };
    if let Err(error) = &memory {
        unknown.insert("memory_bytes", error.clone());
    }
    Overhead {
        agent_cpu_ratio: lately.map(|cores| cores.agent),
        target_cpu_ratio: lately.map(|cores| cores.target),
        total_ratio: lately.map(Cores::total),
        average_ratio: spending.average().map(Cores::total),
        budget_ratio: budget.is_limited().then(|| budget.cores()),
        accuracy: Accuracy::Estimated.as_str(),
        probe_hits: hits.total(),
        refused_hits: hits.refused(),
        memory_bytes: memory.ok().map(|resident| resident + inputs.maps),
        memory_budget_bytes: inputs.memory.bytes(),
        unknown,
    }
}

/// The agent's own memory, in bytes.
fn resident() -> procfs::ProcResult<u64> {
    let pages = procfs::process::Process::myself()?.statm()?.resident;
    Ok(pages * procfs::page_size())
}

fn site_counts(site: &Site, inputs: &Inputs<'_>, names: &mut Names) -> SiteCounts {
    let name = names.site(site.pc, site.start).clone();
    let system = names::is_system(&name.start.function);
    SiteCounts {
        system,
        site: name,
        live: site.counts.live,
        created: site.counts.created,
        exited: site.counts.exited,
        exited_older: site.counts.exited_older,
        older: site.older.map(|older| older.now),
        accuracy: site.counts.accuracy.as_str(),
        lifetime_seconds: lifetime(site),
        lifetimes: site
            .lifetimes
            .buckets()
            .map(|(below, count)| BucketCount {
                below_seconds: below.as_secs_f64(),
                count,
            })
            .collect(),
        oldest_seconds: site.oldest.map(|age| age.as_secs_f64()),
        parks: (inputs.mode == Mode::Full).then(|| parks(site, inputs)),
        growing: !system && (inputs.incidents.is_open(site.pc) || site.series.growth() >= 2),
    }
}

fn lifetime(site: &Site) -> Option<Lifetime> {
    let quantile = |q| Some(site.lifetimes.quantile(q)?.as_secs_f64());
    Some(Lifetime {
        p50: quantile(0.5)?,
        p90: quantile(0.9)?,
        p99: quantile(0.99)?,
        max: site.lifetimes.max()?.as_secs_f64(),
    })
}

fn parks(site: &Site, inputs: &Inputs<'_>) -> Vec<Parks> {
    inputs
        .readout
        .parks
        .iter()
        .filter(|(key, _)| key.site == site.pc.0)
        .map(|(key, count)| Parks {
            wait_reason: u8::try_from(key.reason)
                .ok()
                .and_then(|number| inputs.wait_reasons?.name(number))
                .map_or_else(|| format!("wait reason {}", key.reason), str::to_owned),
            count: *count,
        })
        .collect()
}

/// Share of the creations seen whose goroutine is tracked, from 0 to 1.
pub(super) fn coverage(readout: &Readout) -> f64 {
    let (created, untracked) = readout
        .sites
        .iter()
        .fold((0, 0), |(created, untracked), (_, stats)| {
            (created + stats.created, untracked + stats.untracked)
        });
    let unseen = readout.dropped(Drop::SiteMapFull) + readout.dropped(Drop::ReadFailed);
    match created + unseen {
        0 => 1.0,
        all => 1.0 - (untracked + unseen) as f64 / all as f64,
    }
}

/// All drop counters by name, zeroes included, so that a reader sees what is watched.
/// `unknown_exit` is left out: goroutines older than the agent are no loss.
fn drops(readout: &Readout) -> BTreeMap<&'static str, u64> {
    Drop::ALL
        .into_iter()
        .filter(|what| *what != Drop::UnknownExit)
        .map(|what| (drop_name(what), readout.dropped(what)))
        .collect()
}

fn drop_name(what: Drop) -> &'static str {
    match what {
        Drop::SiteMapFull => "site_map_full",
        Drop::BirthMapFull => "goroutine_map_full",
        Drop::MapError => "map_error",
        Drop::ReadFailed => "read_failed",
        Drop::MissedExit => "missed_exit",
        Drop::UnknownExit => "unknown_exit",
        Drop::StackBufferFull => "stack_buffer_full",
        Drop::ParkMapFull => "park_map_full",
    }
}
