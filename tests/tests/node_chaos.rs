//! Processes in containers that come, go and change, under one daemon.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::Path;
use std::time::Duration;

use gostray_tests::chaos::{self, programs};
use gostray_tests::containers::{Container, Hierarchy, SPELLINGS};
use gostray_tests::need_root_and_releases;

/// In cores: enough for an unoptimised agent on a slow machine to find the leak in time. `cargo xtask bench node`
/// holds the release build to a fifth of it.
const BUDGET: f64 = 0.1;

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

#[test]
#[ignore = "needs root and a kernel with uprobes; takes a minute"]
fn nobody_is_lost_and_nobody_stale() {
    let releases = need_root_and_releases!();
    let length = Duration::from_secs(setting("GOSTRAY_CHAOS_SECONDS", 40));
    let seed = setting("GOSTRAY_CHAOS_SEED", 7);
    println!("seed {seed}, {length:?}");
    match chaos::run(&releases, length, seed, BUDGET) {
        Ok(outcome) => println!("{outcome}"),
        Err(error) => panic!("{error:#}"),
    }
}

#[test]
#[ignore = "needs root"]
fn containers_are_what_the_kernel_takes_for_some() {
    let releases = need_root_and_releases!();
    let directory = tempfile::tempdir().unwrap();
    let name = programs(&releases[releases.len() - 1..], directory.path())
        .unwrap()
        .remove(0);
    let hierarchy = Hierarchy::new("containers").unwrap();
    for (n, spelling) in SPELLINGS.into_iter().enumerate() {
        let id = format!("{n:064x}");
        let container = Container::start(&hierarchy, spelling, &id, directory.path()).unwrap();
        let mut members = [(); 2].map(|()| container.run(&name).unwrap());
        for member in &members {
            let file = |file: &str| format!("/proc/{}/{file}", member.pid);
            let cgroup = std::fs::read_to_string(file("cgroup")).unwrap();
            assert!(cgroup.contains(&id), "{cgroup}");
            let exe = std::fs::read_link(file("exe")).unwrap();
            assert_eq!(exe, Path::new(&Container::inside(&name)));
            assert!(!exe.exists(), "it is the container's alone");
            let own = std::fs::read_link("/proc/self/ns/pid").unwrap();
            assert_ne!(std::fs::read_link(file("ns/pid")).unwrap(), own);
        }
        members[0].kill().unwrap();
        members[1].target.ask("idle 1").unwrap();
        drop(container);
        members[1].target.wait().unwrap();
    }
}
