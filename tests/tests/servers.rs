//! Servers nobody here wrote, stripped as Debian ships them, under load: they keep serving.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use gostray::binary::BinaryCache;
use gostray::memory::LiveMemory;
use gostray::report::{Place, Snapshot};
use gostray::session::{Inspected, SnapshotOptions, Subject};
use gostray_tests::agent::Agent;
use gostray_tests::http::{Connection, Load};
use gostray_tests::lines::PATIENCE;
use gostray_tests::servers::{CADDY, ETCD, Server};
use gostray_tests::{moving, need, probes, skip};

/// What has to be true of a snapshot of any server at any time. How many goroutines moved each time
/// they were looked at.
fn check(snapshot: &Snapshot) -> Result<u64> {
    let moved = snapshot.defects.values().sum();
    let unseen = moving::unseen(snapshot)?;
    let shown: u64 = snapshot.groups.iter().map(|group| group.count).sum();
    ensure!(
        shown + unseen == snapshot.goroutines && shown > 0,
        "{shown} shown, {} alive",
        snapshot.goroutines
    );
    let known = |place: &Place| !place.function.starts_with("unknown function");
    for group in &snapshot.groups {
        let places = group.created_at.iter().chain([&group.start]);
        let mut places = places.chain(group.stack.iter().flatten());
        ensure!(places.all(known), "an unknown function: {group:?}");
        ensure!(group.state != "unknown", "{group:?}");
        ensure!(
            (group.state == "waiting") == group.wait_reason.is_some(),
            "{group:?}"
        );
    }
    Ok(moved)
}

/// Goroutines without what changes while they rest: how long they have done so.
fn at_rest(snapshot: &Snapshot) -> Vec<String> {
    let mut all: Vec<_> = snapshot
        .groups
        .iter()
        .map(|g| {
            let (created, start, stack) = (&g.created_at, &g.start.function, &g.stack);
            let (state, reason, goids) = (&g.state, &g.wait_reason, &g.goids);
            format!(
                "{} {state} {reason:?} {created:?} {start} {stack:?} {goids:?}",
                g.count
            )
        })
        .collect();
    all.sort();
    all
}

/// Snapshots under load, and two that agree when it is over.
fn look(server: &Server, load: Load) -> Result<()> {
    let inspected = Inspected::new(server.pid().cast_signed(), &BinaryCache::new())?;
    let memory = LiveMemory::new(inspected.process.pid());
    let snapshot = || {
        gostray::session::snapshot(
            Subject::from(&inspected),
            &memory,
            &SnapshotOptions::default(),
        )
    };
    let (mut all, mut moved) = (0, 0);
    let before = load.done();
    for _ in 0..200 {
        let snapshot = snapshot()?;
        moved += check(&snapshot)?;
        all += snapshot.goroutines;
    }
    let meanwhile = load.done() - before;
    ensure!(moved * 100 < all, "{moved} of {all} goroutines moved");
    load.finish()?;
    // The server notices bit by bit that its clients are gone.
    let deadline = Instant::now() + PATIENCE;
    let mut last = at_rest(&snapshot()?);
    loop {
        let now = snapshot()?;
        check(&now)?;
        let now = at_rest(&now);
        if now == last {
            break;
        }
        let changed: Vec<_> = now.iter().filter(|one| !last.contains(one)).collect();
        ensure!(Instant::now() < deadline, "it does not rest: {changed:?}");
        last = now;
    }
    eprintln!("{all} goroutines in 200 snapshots, {moved} moved; {meanwhile} requests meanwhile");
    Ok(())
}

/// Attach, watch five reports, detach, all under load; then more load, and snapshots.
fn watch(server: &Server, load: Load) -> Result<()> {
    let pid = server.pid();
    let agent = Agent::attach(pid, &["--interval", "500ms"])?;
    let attached = agent.attached()?;
    ensure!(
        attached["process"]["go_version"].as_str().is_some(),
        "{attached}"
    );
    let mut created = 0;
    for _ in 0..5 {
        let before = load.done();
        let status = agent.wait_for("status", |_| load.done() > before)?;
        // Unknown is a value with a reason, never a zero.
        match status["goroutines"].as_u64() {
            Some(goroutines) => {
                ensure!((3..5000).contains(&goroutines), "{goroutines} goroutines")
            }
            None => ensure!(
                status["unknown"]["goroutines"].is_string(),
                "no goroutines, and no reason: {status}"
            ),
        }
        let sites = status["sites"].as_array().context("no sites")?;
        created = sites.iter().filter_map(|s| s["created"].as_u64()).sum();
        for site in sites {
            ensure!(
                site["site"]["created_at"]["file"].is_string(),
                "a site without a place: {site}"
            );
        }
    }
    ensure!(created > 0, "a busy server created no goroutine");
    agent.stop_cleanly()?;
    ensure!(
        probes::changed_bytes(pid)?.is_empty(),
        "a breakpoint was left behind"
    );
    let detached = load.done();
    let deadline = Instant::now() + PATIENCE;
    while load.done() < detached + 200 {
        ensure!(Instant::now() < deadline, "the server has stopped serving");
        std::thread::yield_now();
    }
    eprintln!("{} requests; {created} goroutines seen", load.done());
    look(server, load)
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn etcd_keeps_serving() {
    need!(skip::is_root(), "needs root");
    need!(Path::new(ETCD).exists(), "etcd-server is not installed");
    let (server, load) = Server::etcd().unwrap();
    // Nothing is asked of the server itself: it does not serve its own profiles.
    let own_profile = Connection::open(&server.host).unwrap().request(
        "GET",
        "/debug/pprof/goroutine?debug=2",
        "",
    );
    assert!(own_profile.unwrap_err().to_string().contains("404"));
    watch(&server, load).unwrap();
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn caddy_keeps_serving() {
    need!(skip::is_root(), "needs root");
    need!(Path::new(CADDY).exists(), "caddy is not installed");
    let (server, load) = Server::caddy().unwrap();
    watch(&server, load).unwrap();
}
