//! What watching costs a program at work: windows with the agent beside windows without, in turns within
//! one run, and the same with `bpftrace` as one would use it by hand.

/// The measured, compared.
mod figures;
/// The kinds of work.
mod loads;
/// By hand.
mod naive;
/// Rows of figures.
mod tables;
/// The agent.
mod watch;
/// A few seconds.
mod windows;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::go;
use loads::{Load, Running};
use watch::{Found, Watch};
use windows::{Round, Window};

const ROUNDS: usize = 3;
const PROCESSORS: [u32; 2] = [1, 2];
/// After an agent has left, and its probes with it.
const PAUSE: Duration = Duration::from_millis(300);

/// All that was measured of one load with so many processors.
struct Row {
    load: Load,
    processors: u32,
    rounds: Vec<Round>,
    /// A goroutine's creation and end, as the agent measured it here.
    cost_of_goroutine: Option<f64>,
    /// `None` where nobody waited for it.
    found: Option<Option<Found>>,
    /// The reason where there is no such figure.
    naive: Result<naive::Naive, String>,
}

/// Prints the tables, of all loads or of those whose name contains `filter`.
///
/// # Errors
/// A build, a program or the agent fails. What was measured before is printed.
pub fn run(filter: &str) -> Result<()> {
    let loads: Vec<_> = loads::ALL
        .into_iter()
        .filter(|load| load.name.contains(filter))
        .collect();
    ensure!(
        !loads.is_empty(),
        "no load is called {filter:?}; there are: {}",
        loads::ALL.map(|load| load.name).join(", ")
    );
    // With symbols, which the naive way needs.
    let exe = go::build("load", &go::newest()?, go::Mode::Plain)?;
    let mut rows = Vec::new();
    let outcome = measure(&exe, &loads, &mut rows);
    tables::print(&rows);
    outcome
}

fn measure(exe: &Path, loads: &[Load], rows: &mut Vec<Row>) -> Result<()> {
    for &load in loads {
        for processors in PROCESSORS {
            rows.push(row(exe, load, processors)?);
        }
    }
    Ok(())
}

fn row(exe: &Path, load: Load, processors: u32) -> Result<Row> {
    let mut running = Running::start(exe, load, processors)?;
    let mut rounds = Vec::new();
    let (mut found, mut cost_of_goroutine) = (None, None);
    for number in 0..ROUNDS {
        let first = alone(&mut running)?;
        let second = alone(&mut running)?;
        let mut watch = Watch::attach(running.pid())?;
        let (with, watched) = running.during(|| watch.window())?;
        if number == 0 {
            cost_of_goroutine = watch.cost_of_goroutine;
            // Once a load: it takes longer than the windows do.
            if processors == PROCESSORS[0] {
                found = Some(watch.find()?);
            }
        }
        watch.stop()?;
        std::thread::sleep(PAUSE);
        let round = Round {
            first,
            second,
            with,
            watched,
        };
        eprintln!(
            "{}, GOMAXPROCS {processors}, round {}: {:?}, {:?}, with the agent {:?}, {:?}",
            load.name,
            number + 1,
            round.first,
            round.second,
            round.with,
            round.watched
        );
        rounds.push(round);
    }
    let naive = naive::measure(&mut running, exe)?;
    running.finish()?;
    Ok(Row {
        load,
        processors,
        rounds,
        cost_of_goroutine,
        found,
        naive,
    })
}

fn alone(running: &mut Running) -> Result<Window> {
    let (window, ()) = running.during(|| {
        std::thread::sleep(windows::LENGTH);
        Ok(())
    })?;
    Ok(window)
}
