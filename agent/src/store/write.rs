//! Writing: what a minute of watching one process has shown, in one transaction.

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{BuildIdentity, RunIdentity, SiteIdentity, Store, StoreError, forget::forget, read};
use crate::{
    detect::{Bucket, Hour, Proof, State, Taken, Verdict, prove},
    report::Place,
};

/// What is written at once: one process, since the last time.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Unix seconds.
    pub now: i64,
    /// The build it runs.
    pub build: BuildIdentity,
    /// The process.
    pub run: RunIdentity,
    /// Its sites.
    pub sites: Vec<SiteSample>,
}

/// One site.
#[derive(Clone, Debug)]
pub struct SiteSample {
    /// Which.
    pub site: SiteIdentity,
    /// Where it is in this build.
    pub created_at: Place,
    /// Goroutines alive.
    pub live: u64,
    /// Created a second, of late; `None` where that is not known.
    pub creation_rate: Option<f64>,
    /// Whether this is a sample of what is normal.
    pub is_normal: bool,
    /// What has not been written yet of this run, should the site have an incident.
    pub since: Watched,
    /// It leaks, as far as is known.
    pub leaks: bool,
    /// It was found to leak since the last time.
    pub leak: Option<LeakFound>,
    /// It stopped.
    pub has_stopped: bool,
}

/// What was seen of a site for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Watched {
    /// How long, in seconds.
    pub seconds: f64,
    /// Goroutines created meanwhile.
    pub created: u64,
    /// By how many those older than 3 s grew; less than 0 where they shrank.
    pub lost: i64,
}

/// A leak that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct LeakFound {
    /// How sure.
    pub verdict: Verdict,
    /// The rule that found it.
    pub rule: String,
    /// Lost a minute.
    pub growth_per_minute: f64,
    /// What it took.
    pub after: Taken,
    /// Recognised pattern.
    pub pattern: Option<String>,
    /// What they wait for.
    pub wait_reason: Option<String>,
}

/// What came of writing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// Sites whose fix this build has just been verified to have, with the goroutines that would have been
    /// lost at the old rate.
    pub verified: Vec<(SiteIdentity, f64)>,
}

impl Store {
    /// Writes all of `batch`, or nothing.
    ///
    /// # Errors
    /// The database cannot be written to; it is as it was.
    pub fn write(&mut self, batch: &Batch) -> Result<Written, StoreError> {
        let limits = self.limits;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate);
        let written = transaction.and_then(|transaction| {
            let writer = Writer::new(&transaction, batch)?;
            let mut written = Written::default();
            for sample in &batch.sites {
                let site = writer.site(sample)?;
                if sample.is_normal {
                    writer.learn(site, sample)?;
                }
                if let Some(expected) = writer.incident(site, sample)? {
                    written.verified.push((sample.site.clone(), expected));
                }
            }
            forget(&transaction, &limits, writer.program)?;
            transaction.commit()?;
            Ok(written)
        });
        written.map_err(|source| self.error(source))
    }
}

struct Writer<'a> {
    transaction: &'a Transaction<'a>,
    now: i64,
    program: i64,
    build: i64,
    run: i64,
}

impl<'a> Writer<'a> {
    fn new(transaction: &'a Transaction<'a>, batch: &Batch) -> rusqlite::Result<Self> {
        let Batch {
            now, build, run, ..
        } = batch;
        // A clock that is set back makes nothing unseen, here and below: `max`.
        let program = id(
            transaction,
            "INSERT INTO programs (name, last_seen) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET last_seen = max(last_seen, excluded.last_seen) RETURNING id",
            params![build.program, now],
        )?;
        let build = id(
            transaction,
            "INSERT INTO builds (program, build_id, vcs_revision, go_version, first_seen, last_seen)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5)
             ON CONFLICT DO UPDATE SET last_seen = max(last_seen, excluded.last_seen) RETURNING id",
            params![
                program,
                build.build_id,
                build.vcs_revision,
                build.go_version,
                now
            ],
        )?;
        let run = id(
            transaction,
            "INSERT INTO runs (build, boot_id, pid, start_ticks, first_seen, last_seen)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5)
             ON CONFLICT DO UPDATE SET last_seen = max(last_seen, excluded.last_seen) RETURNING id",
            params![build, run.boot_id, run.pid, signed(run.start_ticks), now],
        )?;
        Ok(Self {
            transaction,
            now: *now,
            program,
            build,
            run,
        })
    }

    fn site(&self, sample: &SiteSample) -> rusqlite::Result<i64> {
        let SiteIdentity {
            function,
            started,
            ordinal,
        } = &sample.site;
        id(
            self.transaction,
            "INSERT INTO sites (program, function, started, ordinal, file, line, last_seen)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET file = excluded.file, line = excluded.line,
                 last_seen = max(last_seen, excluded.last_seen) RETURNING id",
            params![
                self.program,
                function,
                started,
                ordinal,
                sample.created_at.file,
                sample.created_at.line,
                self.now
            ],
        )
    }

    fn learn(&self, site: i64, sample: &SiteSample) -> rusqlite::Result<()> {
        let hour = Hour::of(self.now);
        let known = read::buckets(self.transaction, site, hour.of_week)?;
        let (mut live, mut created) = known.unwrap_or_default();
        live.learn(sample.live as f64, hour.week);
        match sample.creation_rate {
            Some(rate) => created.learn(rate, hour.week),
            // Both are kept in one row: what is not known is what it was.
            None => created.learn(created.mean, hour.week),
        }
        let Bucket {
            mean,
            variance,
            weight,
            samples,
            weeks,
            last_week,
        } = live;
        self.transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO baselines VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                site,
                hour.of_week,
                mean,
                variance,
                created.mean,
                created.variance,
                weight,
                signed(samples),
                weeks,
                last_week
            ])?;
        Ok(())
    }

    /// Takes the sample into the site's incident, if it has or had one. The losses that were to be
    /// expected, if this verifies a fix.
    fn incident(&self, site: i64, sample: &SiteSample) -> rusqlite::Result<Option<f64>> {
        let known = self
            .transaction
            .prepare_cached("SELECT id, verdict, state FROM incidents WHERE site = ?1")?
            .query_row([site], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?))
            })
            .optional()?;
        let known: Option<(i64, String, State)> = match known {
            Some((id, verdict, state)) => Some((id, verdict, read::state(&state)?)),
            None => None,
        };
        let (incident, mut state) = match (known, &sample.leak) {
            (None, None) => return Ok(None),
            (None, Some(leak)) => (self.open(site, leak)?, State::Open),
            (Some((id, _, state)), None) => (id, state),
            (Some((id, verdict, state)), Some(leak)) => {
                let verdict = read::verdict(&verdict)?.max(leak.verdict);
                self.again(id, verdict, leak)?;
                (id, state.leaks())
            }
        };
        self.add(incident, sample)?;
        if sample.has_stopped {
            state = state.stops();
        }
        let mut expected = None;
        let builds = read::records(self.transaction, incident)?;
        let (now, before): (Vec<_>, Vec<_>) = builds
            .into_iter()
            .partition(|(build, _)| *build == self.build);
        if state != State::Verified
            && !sample.leaks
            && let Some((_, now)) = now.first()
        {
            let before: Vec<_> = before.into_iter().map(|(_, record)| record).collect();
            if let Proof::Verified { expected: losses } = prove(&before, now) {
                state = State::Verified;
                expected = Some(losses);
            }
        }
        self.transaction
            .prepare_cached(
                "UPDATE incidents SET state = ?2, state_since = ?3 WHERE id = ?1 AND state <> ?2",
            )?
            .execute(params![incident, state.as_str(), self.now])?;
        Ok(expected)
    }

    fn open(&self, site: i64, leak: &LeakFound) -> rusqlite::Result<i64> {
        id(
            self.transaction,
            "INSERT INTO incidents (site, verdict, rule, state, state_since, first_seen, last_seen,
                 peak, growth_per_minute, pattern, wait_reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?5, 0, ?6, ?7, ?8) RETURNING id",
            params![
                site,
                leak.verdict.as_str(),
                leak.rule,
                State::Open.as_str(),
                self.now,
                leak.growth_per_minute,
                leak.pattern,
                leak.wait_reason
            ],
        )
    }

    fn again(&self, incident: i64, verdict: Verdict, leak: &LeakFound) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached(
                "UPDATE incidents SET verdict = ?2, rule = ?3, growth_per_minute = ?4,
                     last_seen = max(last_seen, ?5), pattern = coalesce(?6, pattern),
                     wait_reason = coalesce(?7, wait_reason) WHERE id = ?1",
            )?
            .execute(params![
                incident,
                verdict.as_str(),
                leak.rule,
                leak.growth_per_minute,
                self.now,
                leak.pattern,
                leak.wait_reason
            ])?;
        Ok(())
    }

    /// Adds what was seen to what is known of the build and the run.
    fn add(&self, incident: i64, sample: &SiteSample) -> rusqlite::Result<()> {
        let Watched {
            seconds,
            created,
            lost,
        } = sample.since;
        // What is only suspected says nothing of how long a leak takes to show.
        let found = sample.leak.as_ref();
        let after = found.filter(|leak| leak.verdict > Verdict::Suspect);
        let after = after.map(|leak| leak.after);
        self.transaction
            .prepare_cached(
                "UPDATE incidents SET peak = max(peak, ?2),
                     last_seen = CASE WHEN ?4 THEN max(last_seen, ?3) ELSE last_seen END WHERE id = ?1",
            )?
            .execute(params![incident, signed(sample.live), self.now, sample.leaks])?;
        let is_new_run = self
            .transaction
            .prepare_cached(
                "INSERT INTO incident_runs VALUES (?1, ?2, ?3, 0, 0, 0, 0) ON CONFLICT DO NOTHING",
            )?
            .execute(params![incident, self.run, self.now])?;
        self.transaction
            .prepare_cached(
                "UPDATE incident_runs SET last_seen = max(last_seen, ?3),
                     watched_seconds = watched_seconds + ?4, created = created + ?5,
                     lost = max(0, lost + ?6), leaks = max(leaks, ?7)
                 WHERE incident = ?1 AND run = ?2",
            )?
            .execute(params![
                incident,
                self.run,
                self.now,
                seconds,
                signed(created),
                lost,
                found.is_some()
            ])?;
        self.transaction
            .prepare_cached(
                "INSERT INTO incident_builds VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, max(0, ?7), ?8, ?9)
                 ON CONFLICT DO UPDATE SET last_seen = max(last_seen, excluded.last_seen),
                     runs = runs + excluded.runs,
                     watched_seconds = watched_seconds + excluded.watched_seconds,
                     created = created + excluded.created, lost = max(0, lost + ?7),
                     found_after_seconds = CASE WHEN found_after_seconds IS NULL
                         THEN ?8 ELSE max(found_after_seconds, coalesce(?8, 0)) END,
                     found_after_created = CASE WHEN found_after_created IS NULL
                         THEN ?9 ELSE max(found_after_created, coalesce(?9, 0)) END",
            )?
            .execute(params![
                incident,
                self.build,
                self.now,
                signed(is_new_run as u64),
                seconds,
                signed(created),
                lost,
                after.map(|after| after.seconds),
                after.map(|after| signed(after.created))
            ])?;
        Ok(())
    }
}

fn id(
    connection: &Connection,
    statement: &str,
    values: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(statement)?
        .query_row(values, |row| row.get(0))
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
