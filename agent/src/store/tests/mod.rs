//! The database over runs, builds and weeks.

mod crashes;
mod files;

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::{
    detect::{State, Taken, Unusual, Verdict},
    report::Place,
};

/// 2026-11-16 09:00 UTC, a Monday.
const MONDAY: i64 = 1_794_819_600;
const WEEK: i64 = 7 * 24 * 3600;

pub(super) fn file() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    (directory, path)
}

fn site(started: &str) -> SiteIdentity {
    SiteIdentity {
        function: "main.search".into(),
        started: started.into(),
        ordinal: 0,
    }
}

fn run(pid: i32) -> RunIdentity {
    RunIdentity {
        boot_id: "b00t".into(),
        pid,
        start_ticks: 7,
    }
}

/// A site that lives as it always does.
fn calm(started: &str, live: u64) -> SiteSample {
    SiteSample {
        site: site(started),
        created_at: Place {
            function: "main.search".into(),
            file: Some("/src/search.go".into()),
            line: Some(31),
        },
        live,
        creation_rate: Some(10.0),
        is_normal: true,
        since: Watched {
            seconds: 60.0,
            created: 600,
            lost: 0,
        },
        leaks: false,
        leak: None,
        has_stopped: false,
    }
}

/// One in ten of 600 is lost in a minute; found after 15 s.
fn leaky(found: bool) -> SiteSample {
    SiteSample {
        is_normal: false,
        since: Watched {
            lost: 60,
            ..calm("", 0).since
        },
        leaks: true,
        leak: found.then(|| LeakFound {
            verdict: Verdict::Likely,
            rule: "accumulation".into(),
            growth_per_minute: 60.0,
            after: Taken {
                seconds: 15.0,
                created: 150,
            },
            pattern: Some("channel_send".into()),
            wait_reason: Some("chan send".into()),
        }),
        ..calm("main.search.func1", 60)
    }
}

pub(super) fn batch(now: i64, build: &str, pid: i32, sites: Vec<SiteSample>) -> Batch {
    Batch {
        now,
        build: BuildIdentity {
            program: "example.com/app".into(),
            build_id: build.into(),
            vcs_revision: None,
            go_version: "go1.27.4".into(),
        },
        run: run(pid),
        sites,
    }
}

pub(super) fn calm_batch(now: i64) -> Batch {
    batch(now, "a", 1, vec![calm("main.work", 40)])
}

fn only(store: &Store) -> Incident {
    let mut incidents = store.incidents(None).unwrap();
    assert_eq!(incidents.len(), 1);
    incidents.pop().unwrap()
}

#[test]
fn what_is_normal_is_learnt_over_weeks_and_agents() {
    let (_directory, path) = file();
    for week in 0..3 {
        // Each time another agent.
        let mut store = Store::open(&path).unwrap();
        for minute in 0..30 {
            let live = 30 + (minute % 3) as u64 * 10;
            let at = MONDAY + week * WEEK + minute * 60;
            let sites = vec![calm("main.work", live)];
            store.write(&batch(at, "a", 1, sites)).unwrap();
        }
    }
    let store = Store::open(&path).unwrap();
    let learnt = store.learnt("example.com/app", 9).unwrap();
    let (live, created) = learnt[&site("main.work")];
    assert!(matches!(live.normal().judge(812.0), Unusual::By(_)));
    assert_eq!(live.normal().judge(45.0), Unusual::Usual);
    assert!((created.mean - 10.0).abs() < 1e-9);
    assert!(store.learnt("example.com/app", 10).unwrap().is_empty());
    assert!(store.learnt("example.com/other", 9).unwrap().is_empty());
}

#[test]
fn a_leak_in_progress_does_not_teach() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    let leak = batch(MONDAY, "a", 1, vec![leaky(true)]);
    store.write(&leak).unwrap();
    assert!(store.learnt("example.com/app", 9).unwrap().is_empty());
}

#[test]
fn a_restart_resolves_nothing() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    for pid in 1..=3 {
        let at = MONDAY + i64::from(pid) * 60;
        store
            .write(&batch(at, "a", pid, vec![leaky(pid != 2)]))
            .unwrap();
    }
    let incident = only(&store);
    assert_eq!(incident.state, State::Open);
    assert_eq!(incident.first_seen, MONDAY + 60);
    assert_eq!(incident.last_seen, MONDAY + 180);
    assert_eq!(incident.peak, 60);
    assert_eq!(incident.pattern.as_deref(), Some("channel_send"));
    let [build] = &incident.builds[..] else {
        panic!("{incident:?}")
    };
    assert_eq!(build.runs, 3);
    assert_eq!(build.record.rate(), Some(60.0));
    let known = store.known("example.com/app", &run(3)).unwrap();
    let known = &known[&incident.site];
    assert_eq!((known.other_runs, known.builds.len()), (2, 1));
    assert_eq!(known.leaking.lost, 180);
}

#[test]
fn a_fix_is_verified_over_runs_and_a_leak_that_comes_again_has_returned() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    store
        .write(&batch(MONDAY, "a", 1, vec![leaky(true)]))
        .unwrap();
    let mended = |seconds, created| SiteSample {
        since: Watched {
            seconds,
            created,
            lost: 0,
        },
        ..calm("main.search.func1", 1)
    };
    // Restarted every eight seconds.
    for pid in 2..=4 {
        let written = store.write(&batch(MONDAY + 100, "b", pid, vec![mended(8.0, 80)]));
        assert_eq!(written.unwrap(), Written::default());
        assert_eq!(only(&store).state, State::Open);
    }
    let last = batch(MONDAY + 200, "b", 5, vec![mended(8.0, 80)]);
    let written = store.write(&last).unwrap();
    assert_eq!(written.verified, [(site("main.search.func1"), 32.0)]);
    assert_eq!(only(&store).state, State::Verified);
    assert_eq!(only(&store).state_since, MONDAY + 200);
    // Said once.
    assert_eq!(store.write(&last).unwrap(), Written::default());
    let again = batch(MONDAY + 300, "c", 6, vec![leaky(true)]);
    store.write(&again).unwrap();
    let incident = only(&store);
    assert_eq!(incident.state, State::Returned);
    assert_eq!(incident.builds.len(), 3);
}

#[test]
fn a_leak_that_stops_is_resolved_until_it_returns() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    let mut write = |sample: SiteSample| {
        store.write(&batch(MONDAY, "a", 1, vec![sample])).unwrap();
        only(&store).state
    };
    assert_eq!(write(leaky(true)), State::Open);
    let stopped = SiteSample {
        has_stopped: true,
        ..calm("main.search.func1", 1)
    };
    assert_eq!(write(stopped), State::Resolved);
    assert_eq!(write(calm("main.search.func1", 1)), State::Resolved);
    assert_eq!(write(leaky(true)), State::Returned);
}

#[test]
fn a_line_moves_and_the_site_is_the_same() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    store
        .write(&batch(MONDAY, "a", 1, vec![leaky(true)]))
        .unwrap();
    let mut moved = leaky(true);
    moved.created_at.line = Some(77);
    store
        .write(&batch(MONDAY + 60, "b", 2, vec![moved]))
        .unwrap();
    let incident = only(&store);
    assert_eq!(incident.created_at.line, Some(77));
    assert_eq!(incident.builds.len(), 2);
    assert_eq!(incident.state, State::Open);
}

#[test]
fn a_clock_that_is_set_back_makes_nothing_unseen() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    store
        .write(&batch(MONDAY, "a", 1, vec![leaky(true)]))
        .unwrap();
    store
        .write(&batch(MONDAY - WEEK, "a", 1, vec![leaky(false)]))
        .unwrap();
    assert_eq!(only(&store).last_seen, MONDAY);
}

#[test]
fn the_oldest_is_forgotten_and_leaks_stay_longest() {
    let (_directory, path) = file();
    let limits = Limits {
        programs: 3,
        sites: 5,
        all_sites: 8,
        incidents: 2,
        builds: 2,
        runs: 4,
        ..Limits::default()
    };
    let mut store = Store::open_with(&path, limits).unwrap();
    store
        .write(&batch(MONDAY, "a", 1, vec![leaky(true)]))
        .unwrap();
    for n in 0..40 {
        let sites = (0..4).map(|i| calm(&format!("main.f{n}x{i}"), 1)).collect();
        let mut batch = batch(MONDAY + i64::from(n), &format!("build {n}"), n, sites);
        batch.build.program = format!("program {}", n / 10);
        store.write(&batch).unwrap();
    }
    let count = |table: &str| {
        let statement = format!("SELECT count(*) FROM {table}");
        let count = store.connection.query_row(&statement, [], |row| row.get(0));
        count.unwrap()
    };
    let counts: Vec<i64> = ["programs", "builds", "runs", "sites", "incidents"]
        .into_iter()
        .map(count)
        .collect();
    assert!(
        counts[0] <= 3 && counts[1] <= 6 && counts[2] <= 12 && counts[3] <= 8,
        "{counts:?}"
    );
    // Its program went, and all of it.
    assert_eq!(counts[4], 0, "{counts:?}");
    assert_eq!(count("baselines"), counts[3]);
}

#[test]
fn a_site_that_leaked_outlives_others() {
    let (_directory, path) = file();
    let limits = Limits {
        sites: 5,
        ..Limits::default()
    };
    let mut store = Store::open_with(&path, limits).unwrap();
    store
        .write(&batch(MONDAY, "a", 1, vec![leaky(true)]))
        .unwrap();
    for n in 0..20 {
        let sites = vec![calm(&format!("main.f{n}"), 1)];
        store.write(&batch(MONDAY + 60 + n, "a", 1, sites)).unwrap();
    }
    assert_eq!(only(&store).site, site("main.search.func1"));
}

#[test]
fn anybody_can_query_it() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    store
        .write(&batch(MONDAY, "a", 1, vec![leaky(true)]))
        .unwrap();
    let line = store
        .connection
        .query_row("SELECT * FROM leaks", [], |row| {
            let text = (0..13).map(|column| match row.get_ref(column)? {
                rusqlite::types::ValueRef::Text(text) => Ok(String::from_utf8_lossy(text).into()),
                rusqlite::types::ValueRef::Integer(number) => Ok(number.to_string()),
                rusqlite::types::ValueRef::Real(number) => Ok(number.to_string()),
                _ => Ok("null".to_owned()),
            });
            text.collect::<rusqlite::Result<Vec<_>>>()
        });
    insta::assert_snapshot!(line.unwrap().join(" | "), @"example.com/app | main.search | main.search.func1 | /src/search.go | 31 | likely | open | 2026-11-16 09:00:00 | 2026-11-16 09:00:00 | 60 | 60 | 1 | 1");
}

/// For `cargo test -- --ignored --nocapture`: what a busy program's memory takes.
#[test]
#[ignore = "a measurement"]
fn what_a_thousand_sites_take() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    let begin = std::time::Instant::now();
    for hour in 0..3 * 168 {
        let site = |n| SiteSample {
            // Numbers with all their digits, as they are.
            creation_rate: Some((n + hour as u64) as f64 / 7.0),
            ..calm(&format!("main.(*server).handle{n}.func1"), n + hour as u64)
        };
        let sites = (0..1000).map(site).collect();
        store
            .write(&batch(MONDAY + hour * 3600, "a", 1, sites))
            .unwrap();
    }
    let each = begin.elapsed() / (3 * 168);
    drop(store);
    let bytes = std::fs::metadata(&path).unwrap().len();
    println!("{} MiB, {each:?} a batch", bytes >> 20);
}
