//! `gostray-eval`: how good verdicts are, on programs of which it is known whether they leak.
//!
//! Each program of the zoo runs by itself, and an agent is attached to it as a user would do it. What
//! the agent says is recorded, and judged when time is over.

/// What is said of a recording: found or missed, and what was said of healthy sites.
pub mod judging;
/// What the command line asks for.
pub mod options;
/// What an agent said of one program, and how that ended.
pub mod recording;
/// Running one program and one agent.
pub mod running;
/// The programs, and the lines at which they leak.
pub mod scenarios;
/// Precision, recall and times of a set.
pub mod score;
/// Rows and columns, as text or Markdown.
pub mod table;
/// How busy the machine is.
mod busy;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::go::{self, Mode, Toolchain};
use busy::{Busy, Children};
use judging::Judged;
use options::{Format, Options, Releases};
use recording::{Ending, Recording};
use running::Plan;
use scenarios::Scenario;
use score::Score;

/// All that was found out with one Go release.
#[derive(Debug, Serialize)]
pub struct Evaluated {
    /// As in `go1.27.4`.
    pub release: String,
    /// One for each program.
    pub programs: Vec<Judged>,
    /// Of all of them.
    pub score: Score,
    /// How many ran at a time.
    pub jobs: usize,
    /// How busy the machine was, with whatever else ran on it, from 0 to 1; null where the kernel
    /// does not say.
    pub busy: Option<f64>,
    /// What programs and agents took of it, in cores; null where the kernel does not say.
    pub cores: Option<f64>,
}

/// Runs the programs and prints what became of them; whether every target was met.
///
/// # Errors
/// The programs cannot be built or listed, or there is none of a name that was asked for.
pub fn run(options: &Options) -> Result<bool> {
    let mut releases = go::toolchains()?;
    ensure!(!releases.is_empty(), "GOSTRAY_GO_ROOTS names no Go release");
    releases = match options.releases {
        Releases::All => releases,
        Releases::Newest => releases.pop().into_iter().collect(),
        Releases::OldestAndNewest => go::oldest_and_newest(releases),
    };
    let mut all = Vec::new();
    for release in &releases {
        let one = release_of(release, options)
            .with_context(|| format!("programs built with {}", release.version))?;
        match options.format {
            Format::Text | Format::Markdown => print!("{}", table::whole(&one, options.format)),
            Format::Json => {}
        }
        all.push(one);
    }
    if options.format == Format::Json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    Ok(all
        .iter()
        .all(|one| one.programs.iter().all(|program| program.misses.is_empty())))
}

fn release_of(release: &Toolchain, options: &Options) -> Result<Evaluated> {
    let zoo = go::build("zoo", release, Mode::Plain)?;
    let scenarios = scenarios::chosen(&zoo, &options.names)?;
    let jobs = options.jobs.min(scenarios.len()).max(1);
    eprintln!(
        "{}: {} programs, {jobs} at a time",
        release.version,
        scenarios.len()
    );
    let mut plan = Plan::new(options.healthy);
    if let Some(keep) = &options.keep {
        plan = plan.with_events_kept(keep.join(&release.version))?;
    }
    let before = (Busy::now(), Children::now());
    let programs = programs(&zoo, scenarios, jobs, &plan);
    let busy = before.0.and_then(Busy::share_until_now);
    let cores = before.1.and_then(Children::cores_until_now);
    Ok(Evaluated {
        release: release.version.clone(),
        score: Score::of(&programs),
        programs,
        jobs,
        busy,
        cores,
    })
}

/// Runs and judges all, so many at a time, in the order in which they were given.
#[must_use]
pub fn programs(exe: &Path, scenarios: Vec<Scenario>, jobs: usize, plan: &Plan) -> Vec<Judged> {
    let mut waiting: Vec<_> = scenarios.into_iter().enumerate().collect();
    // Those that take longest first, so that the last to end is not the last to begin.
    waiting.sort_by_key(|(_, scenario)| !scenario.is_healthy());
    let waiting = Mutex::new(VecDeque::from(waiting));
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for job in 0..jobs {
            let (waiting, done) = (&waiting, &done);
            scope.spawn(move || {
                // Not all in the same moment: nobody attaches to sixteen programs at once.
                std::thread::sleep(Duration::from_millis(250) * u32::try_from(job).unwrap_or(0));
                loop {
                    let next = waiting
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .pop_front();
                    let Some((number, scenario)) = next else {
                        break;
                    };
                    let judged = one(exe, &scenario, plan);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((number, judged));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, judged)| judged).collect()
}

fn one(exe: &Path, scenario: &Scenario, plan: &Plan) -> Judged {
    let began = Instant::now();
    let recording = match &scenario.trouble {
        Some(trouble) => Recording::without(Ending::NotStarted(trouble.clone())),
        None => running::record(exe, scenario, plan),
    };
    let judged = judging::judge(scenario, &recording);
    eprintln!(
        "  {} after {:.0} s: {}",
        scenario.name,
        began.elapsed().as_secs_f64(),
        if judged.misses.is_empty() {
            "as it should be".to_owned()
        } else {
            judged.misses.join("; ")
        }
    );
    judged
}
