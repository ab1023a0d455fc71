//! What a census costs the agent for each goroutine, from a thousand of them to a million.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gostray::binary::BinaryCache;
use gostray::memory::LiveMemory;
use gostray::runtime::{Census, Scope};
use gostray::session::{Inspected, Landmarks, SnapshotOptions, Subject, snapshot};

use super::{Spread, verdict};
use crate::target::Target;
use crate::{agent, go, usage};

const SIZES: [u64; 4] = [1_000, 10_000, 200_000, 1_000_000];
/// The size whose memory is promised.
const SIZE_OF_MEMORY: u64 = 200_000;
const ROUNDS: usize = 7;
/// What the cost at the other sizes is compared with.
const REFERENCE: u64 = 10_000;

/// Prints the table.
///
/// # Errors
/// A build or the program fails.
pub fn run() -> Result<()> {
    let exe = go::build("parked", &go::newest()?, go::Mode::Stripped)?;
    println!(
        "| goroutines | once, ms | without stacks, ns each | with stacks, grouped and named, ns each | to that at {REFERENCE} | own dump, ns each | ratio to it | agent's peak RSS, MB | |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut reference = None;
    let mut rows = Vec::new();
    for size in SIZES {
        let mut target = Target::start(&exe, &[], &[])?;
        target.ask(&format!("park {size}"))?;
        rows.push(measure(size, &mut target)?);
        if size == REFERENCE {
            reference = rows.last().map(|row| row.stacks.median);
        }
    }
    let reference = reference.context("the reference is among the sizes")?;
    for row in rows {
        let kept = row.heads.median <= 250.0
            && row.stacks.median <= 1500.0
            && (row.size != SIZE_OF_MEMORY || row.rss <= 64.0);
        println!(
            "| {} | {:.1} | {:.0} | {:.0} | {:.2} | {:.0} | {:.2} | {:.0} |{} |",
            row.size,
            row.once,
            row.heads,
            row.stacks,
            row.stacks.median / reference,
            row.dump,
            row.stacks.median / row.dump.median,
            row.rss,
            verdict(kept)
        );
    }
    Ok(())
}

struct Row {
    size: u64,
    once: f64,
    heads: Spread,
    stacks: Spread,
    dump: Spread,
    rss: f64,
}

fn measure(size: u64, target: &mut Target) -> Result<Row> {
    let pid = i32::try_from(target.pid())?;
    let inspected = Inspected::new(pid, &BinaryCache::new())?;
    let memory = LiveMemory::new(pid);
    let program = &inspected.program;
    let begun = usage::of_thread()?;
    let landmarks = Landmarks::find(program, &memory)?;
    let once = usage::of_thread()?.saturating_sub(begun);
    let each = |used: Duration| used.as_nanos() as f64 / size as f64;
    let (mut heads, mut stacks, mut dump) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let before = usage::of_thread()?;
        let mut sites = 0_u64;
        let census = Census::take(
            &memory,
            &program.layout,
            landmarks.all,
            Scope::default(),
            |goroutine| sites ^= goroutine.created_at.0,
        )?;
        heads.push(each(usage::of_thread()?.saturating_sub(before)));
        std::hint::black_box(sites);
        ensure!(census.alive >= size, "{} goroutines", census.alive);
        let before = usage::of_thread()?;
        let subject = Subject {
            landmarks: Some(landmarks),
            ..Subject::from(&inspected)
        };
        let all = snapshot(subject, &memory, &SnapshotOptions::default())?;
        stacks.push(each(usage::of_thread()?.saturating_sub(before)));
        ensure!(all.goroutines >= size && all.defects.is_empty());
        let took: f64 = target.ask("profile goroutine 2")?.parse()?;
        dump.push(took / size as f64);
    }
    Ok(Row {
        size,
        once: once.as_secs_f64() * 1e3,
        heads: Spread::of(&heads),
        stacks: Spread::of(&stacks),
        dump: Spread::of(&dump),
        rss: peak_memory(target.pid())?,
    })
}

/// The most memory that `gostray snapshot` has at once, in MB. It is asked while the command waits for
/// somebody to read its answer.
fn peak_memory(pid: u32) -> Result<f64> {
    let (mut reader, mut writer) = std::io::pipe()?;
    let room = nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_GETPIPE_SZ)?;
    writer.write_all(&vec![b'\n'; usize::try_from(room)?])?;
    let mut child = Command::new(agent::binary()?)
        .args(["snapshot", &pid.to_string()])
        .stdout(Stdio::from(writer))
        .spawn()?;
    let waits = format!("/proc/{}/syscall", child.id());
    // 1 is write(2), and its first argument the standard output.
    while !std::fs::read_to_string(&waits)?.starts_with("1 0x1 ") {
        ensure!(child.try_wait()?.is_none(), "the snapshot ended early");
        std::thread::sleep(Duration::from_millis(1));
    }
    let peak = usage::memory(child.id(), "VmHWM")?;
    std::io::copy(&mut reader.by_ref(), &mut std::io::sink())?;
    ensure!(child.wait()?.success(), "the snapshot failed");
    Ok(peak as f64 / 1e6)
}
