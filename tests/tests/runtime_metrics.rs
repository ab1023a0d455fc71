//! What the runtime counts of itself, read from outside, against what the program's own `runtime/metrics` say.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use gostray::binary::BinaryCache;
use gostray::memory::LiveMemory;
use gostray::runtime::metrics::{Readings, RuntimeReader};
use gostray::session::{Inspected, Landmarks};
use gostray_tests::cells::{self, Differences};
use gostray_tests::go::{Mode, Toolchain};
use gostray_tests::need_root_and_releases;
use gostray_tests::target::Target;

/// The program's own background work may go on between two figures; they are compared when nothing has changed
/// meanwhile, for which so many attempts are enough.
const ATTEMPTS: usize = 60;
const MIB: u64 = 1 << 20;
const NO_LIMIT: u64 = i64::MAX as u64;

/// Figures by the names of `runtime/metrics`. A histogram is a figure for each bucket.
type Figures = BTreeMap<String, u64>;

struct Watched {
    target: Target,
    memory: LiveMemory,
    reader: RuntimeReader,
    minor: u32,
}

impl Watched {
    fn start(toolchain: &Toolchain, mode: Mode) -> Result<Self> {
        let target = Target::of("figures", toolchain, mode)?;
        let pid = target.pid().cast_signed();
        let program = Inspected::new(pid, &BinaryCache::new())?.program;
        let memory = LiveMemory::new(pid);
        let landmarks = Landmarks::find(&program, &memory)?;
        let reader = landmarks.runtime_metrics(&program, &memory);
        Ok(Self {
            target,
            memory,
            reader,
            minor: toolchain.minor(),
        })
    }

    /// What the program says.
    fn own(&mut self) -> Result<Figures> {
        let answer = self.target.ask("figures")?;
        let mut figures = Figures::new();
        for figure in answer.split(' ') {
            let (name, value) = figure.split_once('=').context("no value")?;
            let Ok(number) = value.parse() else {
                for bucket in value.split(',').filter(|bucket| !bucket.is_empty()) {
                    let (bound, count) = bucket.split_once(':').context("no count")?;
                    figures.insert(format!("latency {bound}"), count.parse()?);
                }
                continue;
            };
            figures.insert(name.to_owned(), number);
        }
        // OpenTelemetry has one figure for all that is not a stack.
        let total = figures.remove("/memory/classes/total:bytes");
        let released = figures.remove("/memory/classes/heap/released:bytes");
        let stacks = figures.get("/memory/classes/heap/stacks:bytes");
        let [total, released, stacks] =
            [total, released, stacks.copied()].map(|it| it.unwrap_or_default());
        figures.insert("other".into(), total - released - stacks);
        Ok(figures)
    }

    /// What is read from outside, under the same names.
    fn read(&self) -> Result<Figures> {
        let Readings {
            memory,
            collector,
            processors,
            goroutines,
            latencies,
        } = self.reader.read(&self.memory);
        let (memory, collector) = (memory?, collector?);
        let mut figures: Figures = [
            ("/memory/classes/heap/stacks:bytes", memory.stack_bytes),
            ("other", memory.other_bytes),
            ("/gc/heap/allocs:bytes", memory.allocated_bytes),
            ("/gc/heap/allocs:objects", memory.allocated_objects),
            ("/sched/goroutines:goroutines", goroutines?),
            // As the runtime has what is off.
            ("/gc/gogc:percent", collector.percent.unwrap_or(u64::MAX)),
            (
                "/gc/gomemlimit:bytes",
                collector.memory_limit_bytes.unwrap_or(NO_LIMIT),
            ),
            ("/sched/gomaxprocs:threads", processors?),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        let goal = collector.goal_bytes;
        figures.extend(goal.map(|goal| ("/gc/heap/goal:bytes".to_owned(), goal)));
        for bucket in latencies? {
            let bound = bucket.below_seconds.to_bits();
            figures.insert(format!("latency {bound}"), bucket.count);
        }
        Ok(figures)
    }

    /// The figures, which are the same from inside and from outside: all that the program itself tells twice, before
    /// and after they were read, is compared.
    fn same(&mut self, when: &str) -> Result<Figures> {
        let mut before = self.own()?;
        for _ in 0..ATTEMPTS {
            let read = self.read().with_context(|| when.to_owned())?;
            let after = self.own()?;
            if before != after {
                before = after;
                continue;
            }
            for (name, own) in &after {
                // Without a goal there is none outside either.
                let absurd = name == "/gc/heap/goal:bytes" && *own > 1 << 48;
                match read.get(name) {
                    Some(read) if read == own => {}
                    None if absurd => {}
                    other => bail!("{when}: {name} is {own}, read as {other:?}"),
                }
            }
            let more = read.keys().find(|name| {
                // What this release does not tell of itself.
                let is_new = name.starts_with("/gc/g") || name.starts_with("/sched/gomaxprocs");
                !(after.contains_key(*name) || is_new && self.minor < 21)
            });
            ensure!(
                more.is_none(),
                "{when}: {more:?} is not told by the program"
            );
            return Ok(read);
        }
        bail!("{when}: the program never rests");
    }
}

fn figure(figures: &Figures, name: &str) -> u64 {
    figures.get(name).copied().unwrap_or_default()
}

const BYTES: &str = "/gc/heap/allocs:bytes";
const OBJECTS: &str = "/gc/heap/allocs:objects";
const GOROUTINES: &str = "/sched/goroutines:goroutines";
const GOGC: &str = "/gc/gogc:percent";
const LIMIT: &str = "/gc/gomemlimit:bytes";
const GOAL: &str = "/gc/heap/goal:bytes";

/// All that a program can be told to do, and the figures behind each.
fn check(toolchain: &Toolchain, mode: Mode) -> Result<()> {
    let mut watched = Watched::start(toolchain, mode)?;
    watched.same("at the start")?;
    // Then the processors hold next to nothing.
    watched.target.ask("collect")?;
    let first = watched.same("after a collection")?;
    for command in [
        "allocate 10000 64",
        "allocate 3 1000000",
        "start 50",
        "collect",
    ] {
        watched.target.ask(command)?;
    }
    let second = watched.same("when it has allocated")?;
    let grown = |name| figure(&second, name).saturating_sub(figure(&first, name));
    // What is in spans that the processors hold just now is not counted yet, or, in Go 1.18, all of
    // it already.
    let (bytes, objects) = (640_000 + 3_000_000, 10_003);
    let held = if watched.minor < 19 { 2000 } else { 300 };
    ensure!(
        grown(BYTES).abs_diff(bytes) < 2 * MIB,
        "{} bytes for {bytes}",
        grown(BYTES)
    );
    ensure!(
        grown(OBJECTS) + held >= objects,
        "{} objects for {objects}",
        grown(OBJECTS)
    );
    // The collector's workers start with its first cycle, and count from Go 1.26 on.
    let workers = if watched.minor < 26 { 0 } else { 2 };
    let started = grown(GOROUTINES);
    ensure!(
        (50..=50 + workers).contains(&started),
        "{started} goroutines"
    );
    for command in ["end 30", "hand 5000", "collect"] {
        watched.target.ask(command)?;
    }
    let third = watched.same("when goroutines have ended")?;
    let left = figure(&third, GOROUTINES) - figure(&first, GOROUTINES);
    ensure!(
        (20..=20 + workers).contains(&left),
        "{left} goroutines are left"
    );
    let latencies = third.iter().filter(|(name, _)| name.starts_with("latency"));
    let timed: u64 = latencies.map(|(_, count)| count).sum();
    ensure!(timed > 0, "no goroutine was timed");

    watched.target.ask("gogc 50")?;
    watched.target.ask("processors 3")?;
    let half = watched.same("with other settings")?;
    ensure!(figure(&half, GOGC) == 50, "GOGC is {}", figure(&half, GOGC));
    let processors = figure(&half, "/sched/gomaxprocs:threads");
    ensure!(processors == 3, "{processors} processors");
    ensure!(figure(&half, LIMIT) == NO_LIMIT, "there is a limit");
    watched.target.ask("gogc -1")?;
    let off = watched.same("with the collector off")?;
    ensure!(figure(&off, GOGC) == u64::MAX, "the collector is on");
    if toolchain.minor() < 19 {
        return Ok(());
    }
    for (limit, text) in [(512 * MIB, "limit 536870912"), (MIB, "limit 1048576")] {
        watched.target.ask(text)?;
        let limited = watched.same("with a limit of memory")?;
        ensure!(figure(&limited, LIMIT) == limit, "the limit is another");
        ensure!(limited.contains_key(GOAL), "there is no goal");
        watched.target.ask("collect")?;
        watched.same("after a collection with a limit")?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn the_figures_are_those_of_the_program_itself() {
    let releases = need_root_and_releases!();
    let modes = [Mode::Plain, Mode::Stripped, Mode::Pie, Mode::Cgo];
    let mut differences = Differences::default();
    for (name, result) in cells::for_all(&releases, &modes, |toolchain, mode| {
        let name = format!("{} {mode:?}", toolchain.version);
        (name, check(toolchain, mode))
    }) {
        if let Err(error) = result {
            differences.add(&name, format!("{error:#}"));
        }
    }
    differences.none();
}
