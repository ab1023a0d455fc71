//! What is remembered of the watched program, and what is added to it.
//!
//! Nothing here stops the watching: when the database fails, that is said once, and all goes on without.

mod site;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use self::{site::Remembered, writer::Writer};
use crate::{
    binary::RuntimeAddress,
    detect::{Finding, Hour, Normal, State, Taken, Verdict},
    report::{LeakHistory, Place, Unknown, timestamp_of},
    store::{
        Batch, BuildIdentity, Known, LeakFound, Learnt, Limits, RunIdentity, SiteIdentity, Store,
        StoreError,
    },
    track::Site,
};

/// Between two samples, and two writes.
const EVERY: Duration = Duration::from_secs(60);
/// A process that is watched for less teaches nothing: it is still beginning.
const WARM: Duration = Duration::from_secs(10);
/// For how many writes in a row a lock of somebody else is put up with.
const LOCKS: u32 = 3;
/// How long the last write may take.
const LAST: Duration = Duration::from_secs(3);
/// A clock that shows an earlier time was never set: the first of January 2020.
const EARLIEST: i64 = 1_577_836_800;

/// Memory of the past for one session.
#[derive(Debug)]
pub(super) struct Past {
    path: PathBuf,
    /// `None` when it is off.
    writer: Option<Writer>,
    /// Why it is off.
    reason: Option<String>,
    build: BuildIdentity,
    run: RunIdentity,
    /// What was known of sites that leaked when the session began.
    known: HashMap<SiteIdentity, Known>,
    /// What is normal at an hour of the week.
    learnt: (u16, Learnt),
    sites: HashMap<RuntimeAddress, Remembered>,
    /// Those in the batch that is on its way.
    sent: HashSet<RuntimeAddress>,
    next: Duration,
    sampled: Duration,
    is_urgent: bool,
    locked: u32,
    /// A change since it was last asked for: it went off.
    went_off: bool,
}

/// A fix that has been verified.
#[derive(Debug)]
pub(super) struct Mended {
    pub(super) site: RuntimeAddress,
    pub(super) evidence: Vec<String>,
}

/// What the past adds to a leak.
#[derive(Debug, Default)]
pub(super) struct Precedent {
    pub(super) history: Option<LeakHistory>,
    pub(super) evidence: Vec<String>,
    pub(super) unknown: Unknown,
}

impl Past {
    /// Opens the database at `path` for watching `run` of `build`; `None` is: without.
    pub(super) fn begin(
        path: Option<&Path>,
        build: BuildIdentity,
        run: RunIdentity,
        now: SystemTime,
    ) -> Self {
        let mut past = Self {
            path: path.map(Path::to_owned).unwrap_or_default(),
            writer: None,
            reason: None,
            build,
            run,
            known: HashMap::new(),
            learnt: (0, Learnt::new()),
            sites: HashMap::new(),
            sent: HashSet::new(),
            next: EVERY,
            sampled: Duration::ZERO,
            is_urgent: false,
            locked: 0,
            went_off: false,
        };
        match path {
            None => past.reason = Some("it is not wanted (--no-history)".into()),
            Some(path) => {
                if let Err(error) = past.open(path, unix_seconds(now)) {
                    past.turn_off(&error);
                }
            }
        }
        past
    }

    fn open(&mut self, path: &Path, now: i64) -> Result<(), StoreError> {
        let store = Store::open(path)?;
        self.known = store.known(&self.build.program, &self.run)?;
        let hour = Hour::of(now).of_week;
        self.learnt = (hour, store.learnt(&self.build.program, hour)?);
        let writer = Writer::start(store).map_err(|source| StoreError::from_io(path, source))?;
        self.writer = Some(writer);
        Ok(())
    }

    /// Whether a database is in use.
    pub(super) fn is_on(&self) -> bool {
        self.writer.is_some()
    }

    /// The database, if it is in use.
    pub(super) fn path(&self) -> Option<String> {
        self.is_on().then(|| self.path.display().to_string())
    }

    /// Why there is none.
    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Whether it went off after the beginning.
    pub(super) fn went_off(&self) -> bool {
        self.went_off
    }

    /// Which site in whatever build; `name` tells when it is asked for the first time. Whether it was.
    pub(super) fn identify(
        &mut self,
        pc: RuntimeAddress,
        name: impl FnOnce() -> (SiteIdentity, Place),
    ) -> bool {
        let is_new = self.writer.is_some() && !self.sites.contains_key(&pc);
        if is_new {
            let (identity, created_at) = name();
            self.sites.insert(pc, Remembered::new(identity, created_at));
        }
        is_new
    }

    /// What is normal for the goroutines alive at a site at this hour of the week; `None` where nothing
    /// was learnt.
    pub(super) fn normal(&self, pc: RuntimeAddress, now: SystemTime) -> Option<Normal> {
        let (hour, learnt) = &self.learnt;
        if Hour::of(unix_seconds(now)).of_week != *hour {
            return None;
        }
        let (live, _) = learnt.get(&self.sites.get(&pc)?.identity)?;
        Some(live.normal())
    }

    /// Takes in that `site` was found to leak, and says what is known of it. The pattern and the wait
    /// reason are remembered.
    pub(super) fn leak(
        &mut self,
        site: &Site,
        finding: &Finding,
        rule: &str,
        recognised: (Option<&str>, Option<&str>),
        at: Duration,
        now: SystemTime,
    ) -> Precedent {
        let normal = self.normal(site.pc, now);
        let Some(remembered) = self
            .sites
            .get_mut(&site.pc)
            .filter(|_| self.writer.is_some())
        else {
            let reason = self.reason.clone();
            let reason = reason.unwrap_or_else(|| "the site is not named yet".into());
            return Precedent {
                unknown: Unknown::from([("history", reason)]),
                ..Precedent::default()
            };
        };
        remembered.found(LeakFound {
            verdict: finding.verdict,
            rule: rule.into(),
            growth_per_minute: finding.growth_per_minute,
            after: Taken {
                seconds: at.as_secs_f64(),
                created: site.counts.created,
            },
            pattern: recognised.0.map(str::to_owned),
            wait_reason: recognised.1.map(str::to_owned),
        });
        self.is_urgent = true;
        let known = self.known.get(&remembered.identity);
        let mut evidence: Vec<_> = normal
            .and_then(|normal| normal.evidence(site.alive()))
            .into_iter()
            .collect();
        evidence.extend(known.and_then(words));
        Precedent {
            history: Some(history(known, &self.build, now)),
            evidence,
            unknown: Unknown::new(),
        }
    }

    /// Takes in that the site at `pc` does not leak any more.
    pub(super) fn stopped(&mut self, pc: RuntimeAddress) {
        if let Some(remembered) = self.sites.get_mut(&pc) {
            remembered.stopped();
            self.is_urgent = true;
        }
    }

    /// Takes in what is seen at `at`, counted from the beginning, if that is due: about once a minute, and
    /// when a leak was found. Fixes that have been verified come out.
    pub(super) fn observe<'a>(
        &mut self,
        sites: impl Iterator<Item = &'a Site>,
        at: Duration,
        now: SystemTime,
    ) -> Vec<Mended> {
        let mended = self.hear(Duration::ZERO);
        let is_due = at >= self.next;
        let is_busy = self.writer.as_ref().is_none_or(Writer::is_busy);
        if !is_busy && (is_due || self.is_urgent) {
            self.send(sites, at, now, is_due);
        }
        mended
    }

    /// The last write; waits for it a little. Fixes that have been verified come out.
    pub(super) fn end<'a>(
        &mut self,
        sites: impl Iterator<Item = &'a Site>,
        at: Duration,
        now: SystemTime,
    ) -> Vec<Mended> {
        let mut mended = self.hear(LAST);
        let is_busy = self.writer.as_ref().is_none_or(Writer::is_busy);
        if !is_busy {
            // One that is restarted all the time would never be learnt otherwise.
            let is_first = self.sampled.is_zero() && at >= WARM;
            self.send(sites, at, now, is_first);
            mended.append(&mut self.hear(LAST));
        }
        self.writer = None;
        mended
    }

    fn send<'a>(
        &mut self,
        sites: impl Iterator<Item = &'a Site>,
        at: Duration,
        now: SystemTime,
        is_sample: bool,
    ) {
        let now = unix_seconds(now);
        self.next = match is_sample {
            // Not `next + EVERY`: after a gap there is nothing to catch up.
            true => at + EVERY,
            false => self.next,
        };
        self.is_urgent = false;
        if now < EARLIEST {
            return;
        }
        let since_sample = at.saturating_sub(self.sampled);
        let mut samples = Vec::new();
        for site in sites {
            let Some(remembered) = self.sites.get_mut(&site.pc) else {
                continue;
            };
            let known = self.known.get(&remembered.identity);
            let is_known_leak = known.is_some_and(|known| known.state.is_open());
            let is_normal = is_sample && !remembered.is_leaking() && !is_known_leak;
            let sample = remembered.sample(site, at, since_sample, is_normal);
            // Between samples only leaks matter.
            if is_sample || known.is_some() || remembered.has_leaked() {
                samples.push((site.pc, known.is_some() || remembered.has_leaked(), sample));
            }
        }
        if is_sample {
            self.sampled = at;
        }
        // Of too many those with the most goroutines are kept, and all that leaked.
        let most = Limits::default().sites as usize;
        if samples.len() > most {
            samples.sort_by_key(|(_, leaked, sample)| std::cmp::Reverse((*leaked, sample.live)));
            samples.truncate(most);
        }
        self.sent = samples.iter().map(|(pc, ..)| *pc).collect();
        for (pc, remembered) in &mut self.sites {
            let is_known = self.known.contains_key(&remembered.identity);
            remembered.send(self.sent.contains(pc), is_known, is_sample);
        }
        let batch = Batch {
            now,
            build: self.build.clone(),
            run: self.run.clone(),
            sites: samples.into_iter().map(|(_, _, sample)| sample).collect(),
        };
        if let Some(writer) = &mut self.writer {
            writer.write(batch);
        }
    }

    /// What came of the last write.
    fn hear(&mut self, patience: Duration) -> Vec<Mended> {
        let answer = self
            .writer
            .as_mut()
            .and_then(|writer| writer.answer(patience));
        let sent = match &answer {
            Some(_) => std::mem::take(&mut self.sent),
            None => HashSet::new(),
        };
        let is_done = matches!(answer, Some(Ok(_)));
        for pc in &sent {
            if let Some(remembered) = self.sites.get_mut(pc) {
                remembered.written(is_done);
            }
        }
        match answer {
            None => Vec::new(),
            Some(Ok((written, hour, learnt))) => {
                self.locked = 0;
                self.learnt = (hour, learnt);
                let verified = written.verified.into_iter();
                verified
                    .filter_map(|(site, expected)| self.mended(&site, expected))
                    .collect()
            }
            Some(Err(error)) => {
                self.locked += 1;
                if error.is_passing() && self.locked < LOCKS {
                    tracing::debug!(%error, "not remembered yet");
                    self.is_urgent = true;
                } else {
                    self.went_off = true;
                    self.turn_off(&error);
                }
                Vec::new()
            }
        }
    }

    fn mended(&mut self, site: &SiteIdentity, expected: f64) -> Option<Mended> {
        let (pc, remembered) = self
            .sites
            .iter()
            .find(|(_, remembered)| remembered.identity == *site)?;
        let known = self.known.get_mut(site)?;
        known.state = State::Verified;
        let since = remembered.totals();
        Some(Mended {
            site: *pc,
            evidence: vec![
                format!(
                    "watched for {:.0} s in this run, with {} created: with the runs of this build before \
                     it, more than twice what it took to find the leak",
                    since.seconds, since.created
                ),
                format!("at the rate of before about {expected:.0} would have been lost by now"),
            ],
        })
    }

    fn turn_off(&mut self, error: &StoreError) {
        let reason = error.to_string();
        tracing::warn!("nothing is remembered from now on: {reason}");
        self.reason = Some(reason);
        self.writer = None;
        self.sites.clear();
    }
}

/// What is known of a site that leaked, in a sentence.
fn words(known: &Known) -> Option<String> {
    let first = timestamp_of(known.first_seen);
    let first = first.get(..16)?.replace('T', " ");
    let runs = match known.other_runs {
        0 => return None,
        1 => "1 run".into(),
        runs => format!("{runs} runs"),
    };
    let builds = match known.builds.len() {
        1 => "1 build".into(),
        builds => format!("{builds} builds"),
    };
    let rate = known.leaking.rate();
    let rate = rate.map_or(String::new(), |rate| format!(", then {rate:+.1} a minute"));
    Some(match known.state {
        State::Verified => {
            format!("its fix had been verified; it was first seen {first} UTC{rate}")
        }
        State::Resolved => format!("it had been resolved; it was first seen {first} UTC{rate}"),
        State::Open | State::Returned => {
            format!("it leaked before: first seen {first} UTC, in {runs} of {builds}{rate}")
        }
    })
}

fn history(known: Option<&Known>, build: &BuildIdentity, now: SystemTime) -> LeakHistory {
    let mut unknown = Unknown::new();
    let earlier = known.and_then(|known| known.leaking.rate());
    if earlier.is_none() {
        unknown.insert(
            "earlier_growth_per_minute",
            "no earlier run has shown it".into(),
        );
    }
    let Some(known) = known else {
        unknown.insert("last_seen", "it is new".into());
        return LeakHistory {
            state: State::Open.as_str(),
            first_seen: timestamp_of(unix_seconds(now)),
            last_seen: None,
            runs: 1,
            builds: 1,
            earlier_growth_per_minute: None,
            unknown,
        };
    };
    let is_new_build = !known.builds.contains(&build.build_id);
    LeakHistory {
        state: known.state.leaks().as_str(),
        first_seen: timestamp_of(known.first_seen),
        last_seen: Some(timestamp_of(known.last_seen)),
        runs: known.other_runs + 1,
        builds: known.builds.len() as u64 + u64::from(is_new_build),
        earlier_growth_per_minute: earlier,
        unknown,
    }
}

/// Whether `verdict` is sure enough not to be learnt as normal.
fn is_sure(verdict: Verdict) -> bool {
    verdict > Verdict::Suspect
}

fn unix_seconds(now: SystemTime) -> i64 {
    now.duration_since(UNIX_EPOCH).map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
