//! Live words of parked stacks, compared with what each release's own garbage collector takes to be
//! live in the same process.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result};
use gostray::binary::BinaryCache;
use gostray::memory::LiveMemory;
use gostray::runtime::frames::{Frames, Precision};
use gostray::runtime::modules::data_ranges;
use gostray::runtime::{Member, Roster, Wait};
use gostray::session::{Inspected, Landmarks};
use gostray_tests::cells::{Differences, for_all};
use gostray_tests::go::{Mode, Toolchain};
use gostray_tests::need_root_and_releases;
use gostray_tests::target::Target;

/// A thing that the program allocated.
struct Object {
    label: String,
    address: u64,
    size: u64,
    is_dead: bool,
}

fn objects(answer: &str) -> Result<Vec<Object>> {
    let one = |text: &str| -> Option<Object> {
        let mut parts = text.rsplitn(4, ':');
        let state = parts.next()?;
        let size = parts.next()?.parse().ok()?;
        let address = parts.next()?.parse().ok()?;
        Some(Object {
            label: parts.next()?.into(),
            address,
            size,
            is_dead: state == "dead",
        })
    };
    answer
        .split(';')
        .map(|text| one(text).with_context(|| format!("what is {text:?}?")))
        .collect()
}

/// What the stacks of one program hold.
struct Scanned {
    /// All words told: the value, and whether its stack was scanned word by word precisely.
    words: Vec<(u64, bool)>,
    /// Stacks scanned precisely, in part, and not.
    counts: [usize; 3],
    reasons: BTreeMap<&'static str, u64>,
    /// Goroutines that moved meanwhile, or could not be read.
    unsure: usize,
    /// Ranges of global variables, and those without mask.
    ranges: (usize, usize),
    /// Goroutines all of whose waits are known with their sudogs: on channels, on semaphores, on
    /// conditions.
    waiting: [usize; 3],
}

/// Which of the goroutines wait on what, each with as many sudogs as things.
fn waiting(roster: &Roster) -> [usize; 3] {
    let mut counts = [0; 3];
    for member in &roster.goroutines {
        let things = roster.waits(member);
        if member.waits_are_complete && things.len() == roster.sudogs(member).len() {
            match things.first() {
                Some(Wait::Channel { .. }) => counts[0] += 1,
                Some(Wait::Semaphore { .. }) => counts[1] += 1,
                Some(Wait::Condition { .. }) => counts[2] += 1,
                _ => {}
            }
        }
    }
    counts
}

fn scan(pid: u32) -> Result<Scanned> {
    let pid = i32::try_from(pid)?;
    let inspected = Inspected::new(pid, &BinaryCache::default())?;
    let program = &inspected.program;
    let memory = LiveMemory::new(pid);
    let landmarks = Landmarks::find(program, &memory)?;
    let mut waits = landmarks.waits(program, &memory)?;
    let layout = &program.layout;
    let roster = Roster::take(&memory, layout, landmarks.all, waits.as_mut())?;
    let resting: Vec<&Member> = roster.goroutines.iter().filter(|m| m.rests).collect();
    let mut frames = Frames::new(program.binary.clone(), program.bias, &program.layouts);
    let mut words = Vec::new();
    let results = frames.scan(&memory, &resting, &mut |place, word| {
        words.push((place, word.value));
    });
    let moved = roster.moved(&memory, layout, landmarks.all)?;
    let is_precise: Vec<bool> = results
        .iter()
        .map(|result| matches!(result, Ok(Precision::Precise)))
        .collect();
    let mut counts = [0; 3];
    for result in &results {
        counts[match result {
            Ok(Precision::Precise) => 0,
            Ok(Precision::Partial(_)) => 1,
            _ => 2,
        }] += 1;
    }
    let ranges = data_ranges(&program.binary, &memory, program.bias, &program.layouts)?;
    let words = words.into_iter();
    Ok(Scanned {
        waiting: waiting(&roster),
        words: words
            .map(|(place, value)| (value, is_precise[place]))
            .collect(),
        counts,
        reasons: frames
            .imprecise()
            .iter()
            .map(|(reason, count)| (reason.words(), *count))
            .collect(),
        unsure: results.iter().filter(|result| result.is_err()).count()
            + roster.unread.len()
            + moved.unread.len(),
        ranges: (
            ranges.len(),
            ranges.iter().filter(|range| range.mask.is_none()).count(),
        ),
    })
}

/// Differences between the program's collector and us.
fn compare(toolchain: &Toolchain, mode: Mode) -> Result<Vec<String>> {
    let mut target = Target::of("stacks", toolchain, mode)?;
    target.ask("collect")?;
    let objects = objects(&target.ask("objects")?)?;
    let scanned = scan(target.pid())?;
    println!(
        "{} {mode:?}: {:?} stacks {:?}, {:?} ranges of variables",
        toolchain.version, scanned.counts, scanned.reasons, scanned.ranges
    );
    let mut wrong = Vec::new();
    let told: HashSet<usize> = scanned
        .words
        .iter()
        .filter_map(|(value, is_precise)| {
            let holds = |o: &Object| (o.address..o.address + o.size).contains(value);
            let place = objects.iter().position(holds)?;
            if objects[place].is_dead && *is_precise {
                wrong.push(format!("told, and dead: {}", objects[place].label));
            }
            Some(place)
        })
        .collect();
    for (place, object) in objects.iter().enumerate() {
        let is_moved = object.label == "larger variable" && toolchain.minor() >= 24;
        let is_direct = !is_moved && !object.label.starts_with("indirect");
        if is_direct && !object.is_dead && !told.contains(&place) {
            wrong.push(format!("live, and not told: {}", object.label));
        }
    }
    let dead = objects.iter().filter(|object| object.is_dead).count();
    if dead < 10 || objects.len() - dead < 30 {
        wrong.push(format!("{dead} of {} objects are dead", objects.len()));
    }
    if scanned.counts[0] < 25 || scanned.counts[1..].iter().sum::<usize>() > 10 {
        wrong.push(format!(
            "stacks precise, partial, conservative: {:?}",
            scanned.counts
        ));
    }
    let [channels, semaphores, conditions] = scanned.waiting;
    if channels < 25 || (semaphores, conditions) != (1, 1) {
        wrong.push(format!("waits known: {:?}", scanned.waiting));
    }
    if scanned.unsure != 0 || scanned.ranges != (2, 0) {
        wrong.push(format!("{} unsure, {:?}", scanned.unsure, scanned.ranges));
    }
    Ok(wrong)
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn what_the_collector_takes_to_be_live_is_told_and_nothing_dead() {
    let releases = need_root_and_releases!();
    let mut differences = Differences::default();
    let cells = for_all(
        &releases,
        &[Mode::Plain, Mode::Stripped, Mode::Pie],
        |toolchain, mode| {
            let cell = format!("{} {mode:?}", toolchain.version);
            (cell, compare(toolchain, mode))
        },
    );
    for (cell, result) in cells {
        match result {
            Ok(wrong) => {
                for difference in wrong {
                    differences.add(&cell, difference);
                }
            }
            Err(error) => differences.add(&cell, format!("{error:#}")),
        }
    }
    differences.none();
}
