//! Several sessions with one database, without a process.

use std::path::PathBuf;

use gostray_common::SiteStats;
use tempfile::TempDir;

use super::*;
use crate::{
    store::Incident,
    track::{AGES, Counts},
};

const PC: RuntimeAddress = RuntimeAddress(0x1000);

fn file() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    (directory, path)
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// 2026-11-16 09:00 UTC, a Monday, and so many seconds.
fn wall(seconds: u64) -> SystemTime {
    UNIX_EPOCH + at(1_794_819_600 + seconds)
}

fn begin(path: &Path, build: &str, pid: i32) -> Past {
    let build = BuildIdentity {
        program: "example.com/app".into(),
        build_id: build.into(),
        vcs_revision: None,
        go_version: "go1.27.4".into(),
    };
    let run = RunIdentity {
        boot_id: "b00t".into(),
        pid,
        start_ticks: 7,
    };
    let mut past = Past::begin(Some(path), build, run, wall(0));
    past.identify(PC, name);
    past
}

fn name() -> (SiteIdentity, Place) {
    let identity = SiteIdentity {
        function: "main.search".into(),
        started: "main.search.func1".into(),
        ordinal: 0,
    };
    let created_at = Place {
        function: "main.search".into(),
        file: Some("/src/search.go".into()),
        line: Some(31),
    };
    (identity, created_at)
}

fn site(created: u64, lost: u64) -> Site {
    let stats = SiteStats {
        created,
        exited: created - lost,
        ..SiteStats::EMPTY
    };
    let mut site = Site::new(PC.0, Counts::from(&stats));
    site.series.push(at(1), created, [lost; AGES.len()]);
    site
}

fn finding() -> Finding {
    Finding {
        verdict: Verdict::Likely,
        growth_per_minute: 60.0,
        watched: at(15),
        doubt: None,
        evidence: Vec::new(),
    }
}

/// A leak of one in ten of ten a second, found after 15 s of 60.
fn leaky_run(path: &Path, build: &str, pid: i32) -> Precedent {
    let mut past = begin(path, build, pid);
    let found = site(150, 15);
    let precedent = past.leak(
        &found,
        &finding(),
        "accumulation",
        (None, None),
        at(15),
        wall(15),
    );
    past.observe([&found].into_iter(), at(15), wall(15));
    // Said again later, it took no longer.
    let grown = site(600, 60);
    past.leak(
        &grown,
        &finding(),
        "accumulation",
        (None, None),
        at(60),
        wall(60),
    );
    assert!(past.end([&grown].into_iter(), at(60), wall(60)).is_empty());
    precedent
}

fn only(path: &Path) -> Incident {
    let mut incidents = Store::open_to_read(path).unwrap().incidents(None).unwrap();
    assert_eq!(incidents.len(), 1);
    incidents.pop().unwrap()
}

#[test]
fn a_restart_goes_on_with_the_incident() {
    let (_directory, path) = file();
    let first = leaky_run(&path, "a", 1).history.unwrap();
    assert_eq!((first.state, first.runs, first.builds), ("open", 1, 1));
    assert_eq!(first.earlier_growth_per_minute, None);
    let second = leaky_run(&path, "a", 2);
    let history = second.history.unwrap();
    assert_eq!(
        (history.state, history.runs, history.builds),
        ("open", 2, 1)
    );
    assert_eq!(history.earlier_growth_per_minute, Some(60.0));
    insta::assert_snapshot!(second.evidence.join("\n"), @"it leaked before: first seen 2026-11-16 09:00 UTC, in 1 run of 1 build, then +60.0 a minute");
    let incident = only(&path);
    assert_eq!(incident.state, State::Open);
    let record = incident.builds[0].record;
    assert_eq!(
        (record.watched_seconds, record.created, record.lost),
        (120.0, 1200, 120)
    );
    assert_eq!(
        record.found_after,
        Some(Taken {
            seconds: 15.0,
            created: 150,
        })
    );
}

#[test]
fn a_mended_build_is_verified_and_a_leak_after_that_has_returned() {
    let (_directory, path) = file();
    leaky_run(&path, "a", 1);
    let mut past = begin(&path, "b", 2);
    let clean = site(600, 0);
    let mended = past.end([&clean].into_iter(), at(60), wall(60));
    assert_eq!(mended.len(), 1);
    assert_eq!(mended[0].site, PC);
    insta::assert_snapshot!(mended[0].evidence.join("\n"), @r"
    watched for 60 s in this run, with 600 created: with the runs of this build before it, more than twice what it took to find the leak
    at the rate of before about 60 would have been lost by now
    ");
    assert_eq!(only(&path).state, State::Verified);
    let again = leaky_run(&path, "c", 3);
    assert_eq!(again.history.unwrap().state, "returned");
    insta::assert_snapshot!(again.evidence.join("\n"), @"its fix had been verified; it was first seen 2026-11-16 09:00 UTC, then +60.0 a minute");
    assert_eq!(only(&path).state, State::Returned);
}

#[test]
fn what_is_normal_at_this_hour_is_evidence() {
    let (_directory, path) = file();
    let usual = site(40, 40);
    for week in 0..3 {
        let mut past = begin(&path, "a", 1);
        for minute in 1..=20 {
            let now = wall(week * 7 * 24 * 3600 + minute * 60);
            past.observe([&usual].into_iter(), at(minute * 60), now);
            // The thread has to be done before the next.
            past.hear(LAST);
        }
        assert!(past.normal(PC, wall(4000)).is_none(), "another hour");
    }
    let mut past = begin(&path, "a", 1);
    let normal = past.normal(PC, wall(30)).unwrap();
    assert_eq!((normal.weeks, normal.samples), (3, 60));
    let many = site(900, 812);
    let leak = past.leak(
        &many,
        &finding(),
        "accumulation",
        (None, None),
        at(15),
        wall(15),
    );
    insta::assert_snapshot!(leak.evidence.join("\n"), @"812 are alive, where 40 ± 6 are normal at this hour of the week (122 standard deviations, learnt in 3 weeks)");
}

#[test]
fn a_leak_in_progress_is_not_learnt_even_after_a_restart() {
    let (_directory, path) = file();
    leaky_run(&path, "a", 1);
    let mut past = begin(&path, "a", 2);
    past.observe([&site(600, 60)].into_iter(), at(60), wall(60));
    past.hear(LAST);
    assert!(past.normal(PC, wall(61)).is_none());
}

#[test]
fn without_a_database_it_goes_on() {
    let (directory, path) = file();
    let mut past = begin(directory.path(), "a", 1);
    assert_eq!(past.path(), None);
    assert!(past.reason().unwrap().contains("a directory"));
    let precedent = past.leak(
        &site(150, 15),
        &finding(),
        "accumulation",
        (None, None),
        at(15),
        wall(15),
    );
    assert!(precedent.history.is_none() && precedent.unknown["history"].contains("directory"));
    assert!(past.end([].into_iter(), at(60), wall(60)).is_empty());
    assert!(!past.went_off());
    // It goes while it is used: somebody else keeps it locked for long.
    let mut past = begin(&path, "a", 1);
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for minute in 1..=3 {
        past.observe([&site(9, 0)].into_iter(), at(minute * 60), wall(0));
        past.hear(LAST);
    }
    assert!(past.went_off() && past.reason().unwrap().contains("locked"));
    assert_eq!(past.path(), None);
}

#[test]
fn a_lock_that_passes_loses_nothing() {
    let (_directory, path) = file();
    let mut past = begin(&path, "a", 1);
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let found = site(150, 15);
    past.leak(
        &found,
        &finding(),
        "accumulation",
        (None, None),
        at(15),
        wall(15),
    );
    past.observe([&found].into_iter(), at(15), wall(15));
    past.hear(LAST);
    other.execute_batch("COMMIT").unwrap();
    past.end([&site(600, 60)].into_iter(), at(60), wall(60));
    let record = only(&path).builds[0].record;
    assert_eq!(
        (record.watched_seconds, record.created, record.lost),
        (60.0, 600, 60)
    );
}

#[test]
fn a_clock_that_was_never_set_teaches_nothing() {
    let (_directory, path) = file();
    let mut past = begin(&path, "a", 1);
    past.end([&site(9, 9)].into_iter(), at(60), UNIX_EPOCH + at(60));
    let programs: i64 = rusqlite::Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM programs", [], |row| row.get(0))
        .unwrap();
    assert_eq!(programs, 0);
}
