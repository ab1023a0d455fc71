//! Reading: what is known of a program before it is watched, and all incidents for people.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params, types::Type};

use super::{RunIdentity, SiteIdentity, Store, StoreError};
use crate::{
    detect::{Bucket, BuildRecord, State, Taken, Verdict},
    report::Place,
};

/// What is known of a site that leaked, from runs before.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Where the incident stands.
    pub state: State,
    /// When it was first seen, in Unix seconds.
    pub first_seen: i64,
    /// When it was last seen leaking.
    pub last_seen: i64,
    /// The build ids that were watched since.
    pub builds: Vec<String>,
    /// Processes that were watched since, without this one.
    pub other_runs: u64,
    /// What the builds that leaked have done, all together.
    pub leaking: BuildRecord,
}

/// What is normal at one hour of the week: goroutines alive, and created a second.
pub type Learnt = HashMap<SiteIdentity, (Bucket, Bucket)>;

/// An incident with all that is kept of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// The program.
    pub program: String,
    /// The site.
    pub site: SiteIdentity,
    /// Where it was last seen.
    pub created_at: Place,
    /// The surest verdict.
    pub verdict: Verdict,
    /// Where it stands.
    pub state: State,
    /// Since when, in Unix seconds.
    pub state_since: i64,
    /// First seen, in Unix seconds.
    pub first_seen: i64,
    /// Last seen leaking, in Unix seconds.
    pub last_seen: i64,
    /// Most goroutines of it alive in one process.
    pub peak: u64,
    /// Lost a minute when it was last reported.
    pub growth_per_minute: f64,
    /// Recognised pattern.
    pub pattern: Option<String>,
    /// What they wait for.
    pub wait_reason: Option<String>,
    /// The builds, oldest first.
    pub builds: Vec<IncidentBuild>,
}

/// What one build has done at a site that leaked.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentBuild {
    /// GNU or Go build id, or what else is known of it.
    pub build_id: String,
    /// The commit it was built from.
    pub vcs_revision: Option<String>,
    /// As in `go version`.
    pub go_version: String,
    /// First watched, in Unix seconds.
    pub first_seen: i64,
    /// Last watched, in Unix seconds.
    pub last_seen: i64,
    /// Processes that were watched.
    pub runs: u64,
    /// What they have done.
    pub record: BuildRecord,
}

impl Store {
    /// What is known of the sites of `program` that leaked, of which `run` is being watched.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn known(
        &self,
        program: &str,
        run: &RunIdentity,
    ) -> Result<HashMap<SiteIdentity, Known>, StoreError> {
        self.read_known(program, run)
            .map_err(|source| self.error(source))
    }

    fn read_known(
        &self,
        program: &str,
        run: &RunIdentity,
    ) -> rusqlite::Result<HashMap<SiteIdentity, Known>> {
        let mut sites = self.connection.prepare_cached(
            "SELECT sites.function, sites.started, sites.ordinal, incidents.id, state,
                incidents.first_seen, incidents.last_seen,
                (SELECT count(*) FROM incident_runs JOIN runs ON runs.id = run
                    WHERE incident = incidents.id AND boot_id = ?2 AND pid = ?3 AND start_ticks = ?4)
             FROM incidents JOIN sites ON sites.id = site JOIN programs ON programs.id = sites.program
             WHERE programs.name = ?1",
        )?;
        let ticks = i64::try_from(run.start_ticks).unwrap_or(i64::MAX);
        let mut rows = sites.query(params![program, run.boot_id, run.pid, ticks])?;
        let mut known = HashMap::new();
        while let Some(row) = rows.next()? {
            let builds = self.builds(row.get(3)?)?;
            let runs: u64 = builds.iter().map(|build| build.runs).sum();
            let leaking = builds.iter().map(|build| build.record);
            let leaking = leaking.filter(|record| record.found_after.is_some());
            known.insert(
                site(row, 0)?,
                Known {
                    state: state(&row.get::<_, String>(4)?)?,
                    first_seen: row.get(5)?,
                    last_seen: row.get(6)?,
                    other_runs: runs.saturating_sub(count(row, 7)?),
                    leaking: leaking.fold(BuildRecord::default(), sum),
                    builds: builds.into_iter().map(|build| build.build_id).collect(),
                },
            );
        }
        Ok(known)
    }

    /// What is normal for the sites of `program` at an hour of the week, 0 to 167.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn learnt(&self, program: &str, hour_of_week: u16) -> Result<Learnt, StoreError> {
        self.read_learnt(program, hour_of_week)
            .map_err(|source| self.error(source))
    }

    fn read_learnt(&self, program: &str, hour_of_week: u16) -> rusqlite::Result<Learnt> {
        let mut sites = self.connection.prepare_cached(
            "SELECT live_mean, live_variance, created_mean, created_variance, weight, samples, weeks,
                last_week, function, started, ordinal
             FROM programs JOIN sites ON sites.program = programs.id
                JOIN baselines ON site = sites.id AND hour_of_week = ?2
             WHERE programs.name = ?1",
        )?;
        let rows = sites.query_map(params![program, hour_of_week], |row| {
            Ok((site(row, 8)?, pair(row)?))
        })?;
        rows.collect()
    }

    /// All incidents, or those of one program; those last seen leaking first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn incidents(&self, program: Option<&str>) -> Result<Vec<Incident>, StoreError> {
        self.read_incidents(program)
            .map_err(|source| self.error(source))
    }

    fn read_incidents(&self, program: Option<&str>) -> rusqlite::Result<Vec<Incident>> {
        let mut incidents = self.connection.prepare(
            "SELECT sites.function, sites.started, sites.ordinal, incidents.id, programs.name,
                sites.file, sites.line, verdict, state, state_since, incidents.first_seen,
                incidents.last_seen, peak, growth_per_minute, pattern, wait_reason
             FROM incidents JOIN sites ON sites.id = site JOIN programs ON programs.id = sites.program
             WHERE ?1 IS NULL OR programs.name = ?1 OR programs.name LIKE '%/' || ?1
             ORDER BY incidents.last_seen DESC, incidents.id",
        )?;
        let rows = incidents.query_map([program], |row| {
            let site = site(row, 0)?;
            Ok(Incident {
                program: row.get(4)?,
                created_at: Place {
                    function: site.function.clone(),
                    file: row.get(5)?,
                    line: row.get(6)?,
                },
                site,
                verdict: verdict(&row.get::<_, String>(7)?)?,
                state: state(&row.get::<_, String>(8)?)?,
                state_since: row.get(9)?,
                first_seen: row.get(10)?,
                last_seen: row.get(11)?,
                peak: count(row, 12)?,
                growth_per_minute: row.get(13)?,
                pattern: row.get(14)?,
                wait_reason: row.get(15)?,
                builds: self.builds(row.get(3)?)?,
            })
        })?;
        rows.collect()
    }

    fn builds(&self, incident: i64) -> rusqlite::Result<Vec<IncidentBuild>> {
        let mut builds = self.connection.prepare_cached(
            "SELECT watched_seconds, created, lost, found_after_seconds, found_after_created,
                build_id, vcs_revision, go_version, incident_builds.first_seen,
                incident_builds.last_seen, runs
             FROM incident_builds JOIN builds ON builds.id = build WHERE incident = ?1
             ORDER BY incident_builds.first_seen, build",
        )?;
        let rows = builds.query_map([incident], |row| {
            Ok(IncidentBuild {
                record: record(row)?,
                build_id: row.get(5)?,
                vcs_revision: row.get(6)?,
                go_version: row.get(7)?,
                first_seen: row.get(8)?,
                last_seen: row.get(9)?,
                runs: count(row, 10)?,
            })
        })?;
        rows.collect()
    }
}

/// What the builds have done at the site of `incident`, by their ids in the database.
pub(super) fn records(
    connection: &Connection,
    incident: i64,
) -> rusqlite::Result<Vec<(i64, BuildRecord)>> {
    let mut builds = connection.prepare_cached(
        "SELECT watched_seconds, created, lost, found_after_seconds, found_after_created, build
         FROM incident_builds WHERE incident = ?1",
    )?;
    let rows = builds.query_map([incident], |row| Ok((row.get(5)?, record(row)?)))?;
    rows.collect()
}

/// What was learnt of a site at an hour of the week.
pub(super) fn buckets(
    connection: &Connection,
    site: i64,
    hour_of_week: u16,
) -> rusqlite::Result<Option<(Bucket, Bucket)>> {
    connection
        .prepare_cached(
            "SELECT live_mean, live_variance, created_mean, created_variance, weight, samples, weeks,
                last_week FROM baselines WHERE site = ?1 AND hour_of_week = ?2",
        )?
        .query_row(params![site, hour_of_week], pair)
        .optional()
}

/// The state of that name.
pub(super) fn state(name: &str) -> rusqlite::Result<State> {
    State::named(name).ok_or_else(|| unknown_word("state"))
}

/// The verdict of that name.
pub(super) fn verdict(name: &str) -> rusqlite::Result<Verdict> {
    let all = [Verdict::Suspect, Verdict::Likely, Verdict::Proven];
    all.into_iter()
        .find(|verdict| verdict.as_str() == name)
        .ok_or_else(|| unknown_word("verdict"))
}

fn unknown_word(column: &str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(0, column.into(), Type::Text)
}

fn site(row: &Row<'_>, first: usize) -> rusqlite::Result<SiteIdentity> {
    Ok(SiteIdentity {
        function: row.get(first)?,
        started: row.get(first + 1)?,
        ordinal: row.get(first + 2)?,
    })
}

fn pair(row: &Row<'_>) -> rusqlite::Result<(Bucket, Bucket)> {
    let bucket = |first: usize| {
        Ok::<_, rusqlite::Error>(Bucket {
            mean: row.get(first)?,
            variance: row.get(first + 1)?,
            weight: row.get(4)?,
            samples: count(row, 5)?,
            weeks: row.get(6)?,
            last_week: row.get(7)?,
        })
    };
    Ok((bucket(0)?, bucket(2)?))
}

fn record(row: &Row<'_>) -> rusqlite::Result<BuildRecord> {
    let seconds: Option<f64> = row.get(3)?;
    let created: Option<i64> = row.get(4)?;
    Ok(BuildRecord {
        watched_seconds: row.get(0)?,
        created: count(row, 1)?,
        lost: count(row, 2)?,
        found_after: seconds.zip(created).map(|(seconds, created)| Taken {
            seconds,
            created: u64::try_from(created).unwrap_or(0),
        }),
    })
}

/// A number that SQLite keeps with a sign.
fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

fn sum(a: BuildRecord, b: BuildRecord) -> BuildRecord {
    BuildRecord {
        watched_seconds: a.watched_seconds + b.watched_seconds,
        created: a.created.saturating_add(b.created),
        lost: a.lost.saturating_add(b.lost),
        found_after: match (a.found_after, b.found_after) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        },
    }
}
