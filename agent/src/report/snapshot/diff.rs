//! What changed between two snapshots.

#[cfg(test)]
mod tests;
mod text;

use std::{collections::HashMap, time::Duration};

use serde::Serialize;
use thiserror::Error;

use super::{Filter, Group, GroupBy, Snapshot, group_by::Key};
use crate::report::{time, words};

/// Two snapshots compared.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// The older one.
    pub before: Moment,
    /// The newer one.
    pub after: Moment,
    /// Between the two.
    pub seconds: f64,
    /// What makes the two less alike than they should be, in sentences.
    pub notes: Vec<String>,
    /// Groups that have more goroutines now: those that are new, then by growth.
    pub grew: Vec<Change>,
    /// Groups that have fewer goroutines now, those that lost most first.
    pub shrank: Vec<Change>,
}

/// A snapshot's head.
#[derive(Clone, Debug, Serialize)]
pub struct Moment {
    /// Of which process; null where a core file does not say.
    pub pid: Option<i32>,
    /// Its executable.
    pub exe: String,
    /// When, RFC 3339.
    pub taken_at: String,
    /// Goroutines alive, of all groups.
    pub goroutines: u64,
}

/// One group's change.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// Goroutines before; 0 for a new group.
    pub before: u64,
    /// Goroutines now; 0 for a group that vanished.
    pub after: u64,
    /// The difference; negative where it shrank.
    pub growth: i64,
    /// The same for each minute; null where no time passed.
    pub growth_per_minute: Option<f64>,
    /// The group as it is now, and as it was where it vanished; its `count` is `after`.
    #[serde(flatten)]
    pub group: Group,
}

/// Why two snapshots cannot be compared.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum DiffError {
    /// The second is older than the first.
    #[error("the second snapshot was taken before the first ({after}, {before}); swap them")]
    WrongOrder {
        /// When the first was taken.
        before: String,
        /// When the second was taken.
        after: String,
    },
    /// A moment is no RFC 3339 time.
    #[error("a snapshot says it was taken at `{taken_at}`, which is no time")]
    NoTime {
        /// What stands there.
        taken_at: String,
    },
}

impl Diff {
    /// Compares two snapshots, of one process or of two runs: a leak is known by its site.
    ///
    /// # Errors
    /// `before` is not the older one, or one of them does not say when it was taken.
    pub fn new(
        before: Snapshot,
        after: Snapshot,
        filter: &Filter,
        by: &GroupBy,
    ) -> Result<Self, DiffError> {
        let moment = |snapshot: &Snapshot| {
            time::nanoseconds(&snapshot.taken_at).ok_or_else(|| DiffError::NoTime {
                taken_at: snapshot.taken_at.clone(),
            })
        };
        let nanoseconds = moment(&after)?.saturating_sub(moment(&before)?);
        let elapsed = u64::try_from(nanoseconds).map_err(|_| DiffError::WrongOrder {
            before: before.taken_at.clone(),
            after: after.taken_at.clone(),
        })?;
        Ok(Self::over(
            Duration::from_nanos(elapsed),
            before,
            after,
            filter,
            by,
        ))
    }

    /// As [`Diff::new`], where somebody measured the time between them: a clock that is set
    /// meanwhile does no harm.
    #[must_use]
    pub fn over(
        elapsed: Duration,
        mut before: Snapshot,
        mut after: Snapshot,
        filter: &Filter,
        by: &GroupBy,
    ) -> Self {
        let notes = notes(&before, &after);
        // Ages grow between the two: a group that was too young before is not new now. So age
        // decides at the end, by what was seen last.
        let (at_once, at_last) = filter.clone().split_age();
        before.retain(&at_once);
        after.retain(&at_once);
        before.group_by(by);
        after.group_by(by);
        let minutes = elapsed.as_secs_f64() / 60.0;
        let old = |group: &Group| at_last.wants(&group.state, None, group.oldest_seconds);
        let (moment_before, moment_after) = (Moment::of(&before), Moment::of(&after));
        let mut gone: HashMap<Key, Group> = before
            .groups
            .into_iter()
            .map(|group| (by.key(&group), group))
            .collect();
        let mut changes: Vec<Change> = Vec::new();
        for group in after.groups {
            let was = gone.remove(&by.key(&group)).map_or(0, |group| group.count);
            changes.push(Change::new(was, group.count, group, minutes));
        }
        for group in gone.into_values() {
            changes.push(Change::new(group.count, 0, group, minutes));
        }
        changes.retain(|change| change.growth != 0 && old(&change.group));
        let (mut grew, mut shrank): (Vec<Change>, Vec<Change>) =
            changes.into_iter().partition(|change| change.growth > 0);
        grew.sort_by(|a, b| {
            let order = |change: &Change| (change.before != 0, std::cmp::Reverse(change.growth));
            let ids = |change: &Change| change.group.goids.clone();
            order(a).cmp(&order(b)).then_with(|| ids(a).cmp(&ids(b)))
        });
        shrank.sort_by(|a, b| {
            let ids = |change: &Change| change.group.goids.clone();
            a.growth.cmp(&b.growth).then_with(|| ids(a).cmp(&ids(b)))
        });
        Self {
            before: moment_before,
            after: moment_after,
            seconds: elapsed.as_secs_f64(),
            notes,
            grew,
            shrank,
        }
    }
}

impl Moment {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            pid: snapshot.pid,
            exe: snapshot.process.exe.clone(),
            taken_at: snapshot.taken_at.clone(),
            goroutines: snapshot.goroutines,
        }
    }
}

impl Change {
    fn new(before: u64, after: u64, mut group: Group, minutes: f64) -> Self {
        group.count = after;
        let growth = i64::try_from(i128::from(after) - i128::from(before)).unwrap_or(i64::MAX);
        let growth_per_minute = (minutes > 0.0).then(|| growth as f64 / minutes);
        if growth_per_minute.is_none() {
            let reason = "no time passed between the snapshots";
            group.unknown.insert("growth_per_minute", reason.into());
        }
        Self {
            before,
            after,
            growth,
            growth_per_minute,
            group,
        }
    }
}

fn notes(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let mut notes = Vec::new();
    let (old, new) = (&before.process, &after.process);
    let build = |id: &Option<String>| id.clone().unwrap_or_else(|| "not known".into());
    if old.build_id != new.build_id {
        notes.push(format!(
            "different builds, in which a line that moved counts as another place: build id {}, now {}",
            build(&old.build_id),
            build(&new.build_id),
        ));
    } else if old.exe != new.exe {
        notes.push(format!(
            "different executables: {}, now {}",
            old.exe, new.exe
        ));
    }
    if before.pid != after.pid {
        notes.push(format!(
            "different processes: {}, now {}",
            words::pid(before.pid),
            words::pid(after.pid)
        ));
    }
    for (which, snapshot) in [("first", before), ("second", after)] {
        let unread: u64 = snapshot.defects.values().sum();
        if unread > 0 {
            notes.push(format!(
                "{unread} goroutines of the {which} snapshot could not be read"
            ));
        }
    }
    notes
}
