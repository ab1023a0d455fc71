//! Two snapshots, compared.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{filter, of_process, pause};
use crate::{
    cli::{
        Exit,
        arguments::{SnapshotArguments, SnapshotFormat},
        output::{json, print},
        terminal,
    },
    report::{Diff, GroupBy, Snapshot},
    session::{Inspected, SnapshotOptions},
};

/// Of two saved ones.
pub(super) fn of_files(
    arguments: &SnapshotArguments,
    before: &Path,
    after: &Path,
) -> anyhow::Result<Exit> {
    let diff = Diff::new(
        read(before)?,
        read(after)?,
        &filter(arguments),
        &by(arguments),
    )
    .with_context(|| format!("{}, {}", before.display(), after.display()))?;
    write(arguments, &diff)
}

/// Of one now, and one after `time`.
pub(super) fn over_time(
    arguments: &SnapshotArguments,
    inspected: &Inspected,
    time: Duration,
) -> anyhow::Result<Exit> {
    // The comparison filters: what is too young now may be old enough then.
    let options = SnapshotOptions::default();
    let before = of_process(inspected, &options)?;
    let started = Instant::now();
    pause::pause(inspected, before.goroutines, time)?;
    let after = of_process(inspected, &options);
    let elapsed = started.elapsed();
    // What was read of a process that ended meanwhile, or became another program, is worth nothing.
    pause::still_there(inspected)?;
    let diff = Diff::over(elapsed, before, after?, &filter(arguments), &by(arguments));
    write(arguments, &diff)
}

fn by(arguments: &SnapshotArguments) -> GroupBy {
    arguments.group_by.clone().unwrap_or(GroupBy::Unlabelled)
}

fn read(path: &Path) -> anyhow::Result<Snapshot> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
    Snapshot::from_json(&bytes).with_context(|| path.display().to_string())
}

fn write(arguments: &SnapshotArguments, diff: &Diff) -> anyhow::Result<Exit> {
    print(|output| match arguments.format {
        SnapshotFormat::Json => json(output, diff),
        // Others are refused with the command line.
        _ => diff.text(output, terminal::width()),
    })
}
