//! What a proof costs: how fast it goes through a heap, the agent's memory, and how much the target is
//! held up, beside Go's own detector in the same process.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{Spread, copying, verdict};
use crate::prove::{fire, programs};
use crate::target::Target;
use crate::{agent, go, usage};

/// MiB of small objects with references.
const SIZES: [u64; 2] = [128, 1024];
const LEAKS: u64 = 1000;
const ROUNDS: usize = 5;
const PASSES: u32 = 3;
/// MB a second on one core, and MB of the agent's memory.
const TARGETS: (f64, f64) = (500.0, 128.0);

/// Prints the tables; `--fire SECONDS` and `--random PROGRAMS` look for false proofs instead.
///
/// # Errors
/// A build, a program or the agent fails, or something that lives was proven.
pub fn run(arguments: &[String]) -> Result<()> {
    let number = |text: &String| {
        text.parse::<u64>()
            .with_context(|| format!("{text} is no number"))
    };
    match arguments {
        [] => costs(),
        [flag, seconds] if flag == "--fire" => under_fire(number(seconds)?),
        [flag, programs] if flag == "--random" => random(usize::try_from(number(programs)?)?),
        _ => bail!("prove takes nothing, `--fire SECONDS` or `--random PROGRAMS`"),
    }
}

fn under_fire(seconds: u64) -> Result<()> {
    let tally = fire::run(&go::toolchains()?, Duration::from_secs(seconds))?;
    println!("{tally}");
    ensure!(tally.wrong.is_empty(), "something that lives was proven");
    Ok(())
}

fn random(number: usize) -> Result<()> {
    for (seed, toolchain) in (1..).zip(&go::toolchains()?) {
        // Go's own detector is asked where there is one; the other releases get a part.
        let part = if toolchain.minor() >= 27 { 1 } else { 10 };
        let score = programs::run(toolchain, seed, number.div_ceil(part))?;
        println!("{}: {score}", toolchain.version);
        ensure!(score.wrong.is_empty(), "something that lives was proven");
    }
    Ok(())
}

/// How late the target's own goroutine was, in ms.
#[derive(Default)]
struct Late {
    p99: Vec<f64>,
    longest: Vec<f64>,
}

impl Late {
    /// While `work` is done.
    fn during<T>(
        &mut self,
        target: &mut Target,
        work: impl FnOnce(&mut Target) -> Result<T>,
    ) -> Result<T> {
        target.ask("late")?;
        let done = work(target)?;
        // The longest may be one that has not ended yet.
        std::thread::sleep(Duration::from_millis(20));
        let late: Value = serde_json::from_str(&target.ask("late")?)?;
        let ms = |name: &str| late[name].as_f64().context("no time").map(|ns| ns / 1e6);
        self.p99.push(ms("p99")?);
        self.longest.push(ms("max")?);
        Ok(done)
    }
}

struct Row {
    size: u64,
    heap: f64,
    speed: Vec<f64>,
    /// MB a second of processor time when the same memory is copied, and nothing else.
    copying: Vec<f64>,
    wall: Vec<f64>,
    /// Stacks, objects and variables without maps.
    rough: u64,
    rss: Vec<f64>,
    rest: Late,
    proof: Late,
    own: Late,
    own_seconds: Vec<f64>,
}

fn costs() -> Result<()> {
    let exe = go::build("heapful", &go::newest()?, go::Mode::Stripped)?;
    let mut rows = Vec::new();
    for size in SIZES {
        let mut target = Target::start(&exe, &[], &[])?;
        let heap: f64 = target.ask(&format!("fill {size}"))?.parse()?;
        target.ask(&format!("leak {LEAKS}"))?;
        rows.push(measure(size, heap / 1e6, &mut target)?);
    }
    println!(
        "| heap, MiB | in use, MB | MB/s of processor time in each pass | copying alone, MB/s | to that | MB/s from start to end | \
         looked at word by word | agent's peak RSS, MB | one proof, s | own profile, s | |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for row in &rows {
        let (speed, copying, wall, rss) = (
            Spread::of(&row.speed),
            Spread::of(&row.copying),
            Spread::of(&row.wall),
            Spread::of(&row.rss),
        );
        let one: Vec<f64> = row
            .wall
            .iter()
            .map(|wall| f64::from(PASSES) * row.heap / wall)
            .collect();
        let kept = rss.max <= TARGETS.1 && (row.size < 1024 || speed.median >= TARGETS.0);
        println!(
            "| {} | {:.0} | {speed:.0} | {copying:.0} | {:.2} | {wall:.0} | {} | {rss:.0} | {:.2} | {:.2} |{} |",
            row.size,
            row.heap,
            speed.median / copying.median,
            row.rough,
            Spread::of(&one),
            Spread::of(&row.own_seconds),
            verdict(kept)
        );
    }
    println!(
        "\n| heap, MiB | meanwhile | 99th percentile of delays, ms | to that at rest | longest, ms | to that at rest | |"
    );
    println!("|---|---|---|---|---|---|---|");
    for row in &rows {
        let rest = (Spread::of(&row.rest.p99), Spread::of(&row.rest.longest));
        for (name, late) in [
            ("nothing", &row.rest),
            ("`gostray prove`", &row.proof),
            ("own `goroutineleak`", &row.own),
        ] {
            let (p99, longest) = (Spread::of(&late.p99), Spread::of(&late.longest));
            let missed = name == "`gostray prove`" && longest.median > rest.1.max;
            println!(
                "| {} | {name} | {p99:.2} | {:.2} | {longest:.2} | {:.2} |{} |",
                row.size,
                p99.median / rest.0.median,
                longest.median / rest.1.median,
                verdict(!missed)
            );
        }
    }
    Ok(())
}

fn measure(size: u64, heap: f64, target: &mut Target) -> Result<Row> {
    let mut row = Row {
        size,
        heap,
        speed: Vec::new(),
        copying: Vec::new(),
        wall: Vec::new(),
        rough: 0,
        rss: Vec::new(),
        rest: Late::default(),
        proof: Late::default(),
        own: Late::default(),
        own_seconds: Vec::new(),
    };
    for round in 0..ROUNDS {
        let begun = Instant::now();
        let (proof, rss) = row.proof.during(target, |target| prove(target.pid()))?;
        let took = begun.elapsed();
        row.rest.during(target, |_| {
            std::thread::sleep(took);
            Ok(())
        })?;
        let number = |value: &Value| {
            value
                .as_f64()
                .with_context(|| format!("no number: {value}"))
        };
        let passes = number(&proof["passes"])?;
        row.speed
            .push(passes * heap / number(&proof["agent_cpu_seconds"])?);
        row.copying.push(copying::speed(target.pid())?);
        row.wall
            .push(passes * heap / number(&proof["duration_seconds"])?);
        let rough = proof["precision"]["conservative"].as_object();
        let rough = rough.with_context(|| format!("no precision: {}", proof["precision"]))?;
        row.rough = rough.values().filter_map(Value::as_u64).sum();
        row.rss.push(rss);
        let leaked = proof["leaked"].as_array().into_iter().flatten();
        let leaked: u64 = leaked.filter_map(|group| group["count"].as_u64()).sum();
        // Go's own marks would be taken for proofs: they are only set by the last round.
        if round == 0 {
            ensure!(
                leaked == LEAKS,
                "{leaked} of {LEAKS} proven: {}",
                proof["defects"]
            );
        }
    }
    for _ in 0..ROUNDS {
        let took = row.own.during(target, |target| target.ask("profile"))?;
        row.own_seconds.push(took.parse::<f64>()? / 1e9);
    }
    Ok(row)
}

/// The answer of a proof without pauses, and the most memory the agent had, in MB.
fn prove(pid: u32) -> Result<(Value, f64)> {
    let answer = tempfile::NamedTempFile::new()?;
    let mut child = Command::new(agent::binary()?)
        .args([
            "prove",
            &pid.to_string(),
            "--format",
            "json",
            "--pause-between",
            "1ms",
        ])
        .args(["--passes", &PASSES.to_string()])
        .stdout(answer.reopen()?)
        .stderr(Stdio::inherit())
        .spawn()?;
    let mut peak = 0;
    let status = loop {
        // Of one that has just ended there is none.
        peak = usage::memory(child.id(), "VmHWM").unwrap_or(peak).max(peak);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    ensure!(status.success(), "the proof failed: {status}");
    let answer = serde_json::from_slice(&std::fs::read(answer.path())?)?;
    Ok((answer, peak as f64 / 1e6))
}
