//! What is remembered of leaks, for people and programs.

mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Place, Unknown, timestamp_of};
use crate::{
    detect::{BuildRecord, Proof, State, prove},
    store::{Incident, IncidentBuild},
};

/// What is known of a leak from runs before, in its event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeakHistory {
    /// `open`, or `returned` where it had been resolved or its fix verified.
    pub state: &'static str,
    /// When it was first seen, RFC 3339.
    pub first_seen: String,
    /// When it was last seen leaking before this run; null where it never was.
    pub last_seen: Option<String>,
    /// Processes that were watched since, this one included.
    pub runs: u64,
    /// Builds that were watched since, this one included.
    pub builds: u64,
    /// Lost a minute before this session, in builds that leaked.
    pub earlier_growth_per_minute: Option<f64>,
    /// Why a field is null.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: Unknown,
}

/// `gostray history`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    /// The database.
    pub file: String,
    /// Those last seen leaking first.
    pub incidents: Vec<HistoryIncident>,
    /// How many more there are that were not asked for: resolved or verified.
    pub hidden: usize,
}

/// One site that leaked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistoryIncident {
    /// The program: its main package.
    pub program: String,
    /// The `go` statement, where it was last seen.
    pub created_at: Place,
    /// The function it starts.
    pub start: String,
    /// Which one it is of those in the function that start the same, from 0.
    pub ordinal: u32,
    /// The surest verdict.
    pub verdict: &'static str,
    /// `open`, `resolved`, `verified` (a fix) or `returned`.
    pub state: &'static str,
    /// Since when, RFC 3339.
    pub state_since: String,
    /// When it was first seen, RFC 3339.
    pub first_seen: String,
    /// When it was last seen leaking, RFC 3339.
    pub last_seen: String,
    /// Lost a minute when it was last reported.
    pub growth_per_minute: f64,
    /// Most goroutines of it alive in one process.
    pub peak: u64,
    /// Processes that were watched since.
    pub runs: u64,
    /// Recognised pattern.
    pub pattern: Option<String>,
    /// What they wait for.
    pub wait_reason: Option<String>,
    /// The builds that were watched since, oldest first.
    pub builds: Vec<HistoryBuild>,
    /// Why a field is null.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: Unknown,
}

/// What one build has done at such a site.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistoryBuild {
    /// GNU or Go build id, or what else is known of it.
    pub build_id: String,
    /// The commit it was built from.
    pub vcs_revision: Option<String>,
    /// As in `go version`.
    pub go_version: String,
    /// First watched, RFC 3339.
    pub first_seen: String,
    /// Last watched, RFC 3339.
    pub last_seen: String,
    /// Processes that were watched.
    pub runs: u64,
    /// For how long.
    pub watched_seconds: f64,
    /// Goroutines created meanwhile.
    pub created: u64,
    /// By how many those older than 3 s grew meanwhile.
    pub lost: u64,
    /// Lost a minute; null before it was watched.
    pub growth_per_minute: Option<f64>,
    /// `leaks`, `verified` without the leak, `not_seen_yet` where that is not shown yet, or `unknown`.
    pub fate: &'static str,
    /// Why it is what it is, in a sentence.
    pub reason: String,
    /// Why a field is null.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: Unknown,
}

impl History {
    /// Of what is in the database `file`; without `all` only what leaks, as far as is known.
    #[must_use]
    pub fn new(file: String, incidents: Vec<Incident>, all: bool) -> Self {
        let number = incidents.len();
        let shown = incidents
            .into_iter()
            .filter(|incident| all || incident.state.is_open());
        let incidents: Vec<_> = shown.map(HistoryIncident::from).collect();
        Self {
            file,
            hidden: number - incidents.len(),
            incidents,
        }
    }
}

impl From<Incident> for HistoryIncident {
    fn from(incident: Incident) -> Self {
        let mut unknown = Unknown::new();
        if incident.pattern.is_none() {
            unknown.insert("pattern", "none was recognised".into());
        }
        if incident.wait_reason.is_none() {
            unknown.insert(
                "wait_reason",
                "it was not known when it was reported".into(),
            );
        }
        let builds = incident.builds.iter().enumerate();
        let builds = builds.map(|(n, build)| HistoryBuild::new(build, &incident.builds, n));
        Self {
            builds: builds.collect(),
            runs: incident.builds.iter().map(|build| build.runs).sum(),
            program: incident.program,
            created_at: incident.created_at,
            start: incident.site.started,
            ordinal: incident.site.ordinal,
            verdict: incident.verdict.as_str(),
            state: incident.state.as_str(),
            state_since: timestamp_of(incident.state_since),
            first_seen: timestamp_of(incident.first_seen),
            last_seen: timestamp_of(incident.last_seen),
            growth_per_minute: incident.growth_per_minute,
            peak: incident.peak,
            pattern: incident.pattern,
            wait_reason: incident.wait_reason,
            unknown,
        }
    }
}

impl HistoryBuild {
    fn new(build: &IncidentBuild, all: &[IncidentBuild], own: usize) -> Self {
        let others = all.iter().enumerate().filter(|(n, _)| *n != own);
        let others: Vec<BuildRecord> = others.map(|(_, build)| build.record).collect();
        let (fate, reason) = fate(prove(&others, &build.record));
        let growth_per_minute = build.record.rate();
        let mut unknown = Unknown::new();
        if growth_per_minute.is_none() {
            unknown.insert("growth_per_minute", "it was not watched yet".into());
        }
        if build.vcs_revision.is_none() {
            unknown.insert("vcs_revision", "the build does not record it".into());
        }
        Self {
            build_id: build.build_id.clone(),
            vcs_revision: build.vcs_revision.clone(),
            go_version: build.go_version.clone(),
            first_seen: timestamp_of(build.first_seen),
            last_seen: timestamp_of(build.last_seen),
            runs: build.runs,
            watched_seconds: build.record.watched_seconds,
            created: build.record.created,
            lost: build.record.lost,
            growth_per_minute,
            fate,
            reason,
            unknown,
        }
    }
}

fn fate(proof: Proof) -> (&'static str, String) {
    match proof {
        Proof::Leaks => ("leaks", "the leak was found in it".into()),
        Proof::Verified { expected } => (
            State::Verified.as_str(),
            format!("about {expected:.0} would have been lost at the rate of before"),
        ),
        Proof::NotYet(missing) if missing.still_loses => {
            ("not_seen_yet", "it still loses some, though fewer".into())
        }
        Proof::NotYet(missing) => (
            "not_seen_yet",
            format!(
                "{:.0} s more have to be watched, and {} more created, before that means anything",
                missing.seconds, missing.created
            ),
        ),
        Proof::NeverGrew => (
            "unknown",
            "the leak never grew while it was watched, so that it is gone cannot be shown".into(),
        ),
    }
}
