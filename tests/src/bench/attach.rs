//! From the start of `gostray attach` to the first status, on a large binary.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::{Spread, verdict};
use crate::agent::{self, Agent};
use crate::go;
use crate::lines::PATIENCE;
use crate::target::Target;
use crate::usage;

const ROUNDS: usize = 5;
const MEGA: f64 = 1e6;

/// The reference: how long it takes to read the file once and add up its bytes.
fn read_once(file: &Path) -> Result<f64> {
    let start = Instant::now();
    let mut file = std::fs::File::open(file)?;
    let mut buffer = vec![0; 1 << 20];
    let mut sum = 0_u64;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        sum = buffer[..n]
            .iter()
            .fold(sum, |s, &b| s.wrapping_add(u64::from(b)));
    }
    std::hint::black_box(sum);
    Ok(start.elapsed().as_secs_f64())
}

/// Prints the table.
///
/// # Errors
/// A build, a program or the agent fails.
pub fn run() -> Result<()> {
    let toolchain = go::newest()?;
    println!(
        "| binary | MB | attach to first status, s | reading the file, s | ratio | RSS, MB | peak RSS, MB | |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (name, stripped, seconds) in [("stripped", true, 1.0), ("full DWARF", false, 2.0)] {
        let exe = go::build_big(&toolchain, stripped)?;
        let size = std::fs::metadata(&exe)?.len();
        ensure!(
            !stripped || (60_000_000..100_000_000).contains(&size),
            "the stripped binary has {size} bytes"
        );
        let target = Target::start(&exe, &[], &[])?;
        let (mut times, mut reads, mut ratios, mut rss, mut peak) =
            (vec![], vec![], vec![], vec![], vec![]);
        for _ in 0..ROUNDS {
            let read = read_once(&exe)?;
            // The status comes at once after attaching, not only when the interval has passed.
            let agent = Agent::attach(
                target.pid(),
                &["--budget", agent::USERS_BUDGET, "--interval", "200ms"],
            )?;
            let (when, _) = agent.wait_before(Instant::now() + PATIENCE, "status", |_| true)?;
            let time = (when - agent.started).as_secs_f64();
            rss.push(usage::memory(agent.pid(), "VmRSS")? as f64 / MEGA);
            peak.push(usage::memory(agent.pid(), "VmHWM")? as f64 / MEGA);
            agent.stop_cleanly()?;
            times.push(time);
            reads.push(read);
            ratios.push(time / read);
        }
        let (times, peak) = (Spread::of(&times), Spread::of(&peak));
        println!(
            "| {name} | {:.0} | {times:.2} | {:.3} | {:.1} | {:.0} | {peak:.0} |{} |",
            size as f64 / MEGA,
            Spread::of(&reads),
            Spread::of(&ratios),
            Spread::of(&rss),
            verdict(times.median <= seconds && peak.median <= 60.0)
        );
    }
    Ok(())
}
