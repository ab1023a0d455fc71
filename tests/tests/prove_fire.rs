//! Not one false proof, whatever a program does while it is read.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::Path;
use std::time::{Duration, Instant};

use gostray_tests::http::Load;
use gostray_tests::prove::{Proof, fire};
use gostray_tests::servers::{CADDY, ETCD, Server};
use gostray_tests::{need, need_root_and_releases, skip};

/// Seconds for all variants together: `GOSTRAY_FIRE_SECONDS`, or what a test may take.
fn seconds(otherwise: u64) -> Duration {
    let wanted = std::env::var("GOSTRAY_FIRE_SECONDS").ok();
    let wanted = wanted.map(|text| text.parse().unwrap());
    Duration::from_secs(wanted.unwrap_or(otherwise))
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn nothing_that_lives_is_proven() {
    let toolchains = need_root_and_releases!();
    let tally = fire::run(&toolchains, seconds(60)).unwrap();
    eprintln!("{tally}");
    assert!(tally.wrong.is_empty(), "{tally}");
    assert!(tally.recall() >= 0.9, "{tally}");
    assert!(tally.refused * 10 <= tally.rounds, "too often: {tally}");
}

/// Proves a server under load again and again.
fn none_is_proven(server: &Server, load: Load) {
    let end = Instant::now() + seconds(60) / 6;
    let (mut rounds, mut refused, mut candidates) = (0, 0, 0);
    while Instant::now() < end {
        let proof = match Proof::of(server.pid(), &["--pause-between", "50ms"]) {
            Ok(proof) => proof,
            // What was to be read was gone: that is not wrong, but must be seldom.
            Err(error) if error.to_string().contains("nothing is proven") => {
                eprintln!("{error}");
                refused += 1;
                continue;
            }
            Err(error) => panic!("{error:#}"),
        };
        candidates += proof.json["candidates"].as_u64().unwrap();
        rounds += 1;
        assert!(
            proof.leaked().unwrap().is_empty(),
            "{}",
            proof.json["leaked"]
        );
    }
    let requests = load.finish().unwrap();
    eprintln!("{rounds} rounds, {refused} refused, {candidates} candidates, {requests} requests");
    assert!(candidates > 0, "nobody waited for anything");
    assert!(refused * 10 <= rounds, "refused too often");
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn etcd_leaks_nothing() {
    need!(skip::is_root(), "needs root");
    need!(Path::new(ETCD).exists(), "etcd-server is not installed");
    let (server, load) = Server::etcd().unwrap();
    none_is_proven(&server, load);
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn caddy_leaks_nothing() {
    need!(skip::is_root(), "needs root");
    need!(Path::new(CADDY).exists(), "caddy is not installed");
    let (server, load) = Server::caddy().unwrap();
    none_is_proven(&server, load);
}
