//! `gostray doctor`: all is well for root and every release; others learn what is missing.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use gostray_tests::go::Mode;
use gostray_tests::target::Target;
use gostray_tests::{agent, need, need_root_and_releases, skip};
use serde_json::Value;

fn failed(output: &Output) -> Vec<String> {
    let checks: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let failed = checks.iter().filter(|check| check["outcome"] == "fail");
    failed.map(ToString::to_string).collect()
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn root_can_attach_to_every_release() {
    let toolchains = need_root_and_releases!();
    for toolchain in &toolchains {
        let target = Target::of("counters", toolchain, Mode::Stripped).unwrap();
        let pid = target.pid().to_string();
        let output = agent::output(&["doctor", &pid, "--format", "json"]).unwrap();
        assert_eq!(
            failed(&output),
            Vec::<String>::new(),
            "{}",
            toolchain.version
        );
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
#[ignore = "needs root"]
fn without_privileges_it_names_each_capability() {
    need!(skip::is_root(), "needs root to become somebody else");
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let gostray = directory.path().join("gostray");
    std::fs::copy(agent::binary().unwrap(), &gostray).unwrap();
    let nobody = 65534;
    let output = Command::new(gostray)
        .args(["doctor", "--format", "json"])
        .uid(nobody)
        .gid(nobody)
        .output()
        .unwrap();
    let failed = failed(&output);
    for capability in ["CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_PERFMON", "CAP_BPF"] {
        assert!(
            failed.iter().any(|check| check.contains(capability)),
            "{capability} is not in {failed:?}"
        );
    }
    assert_eq!(output.status.code(), Some(1));
}

#[test]
#[ignore = "needs root"]
fn a_program_that_is_no_go_program_fails() {
    need!(skip::is_root(), "needs root");
    let mut sleep = Command::new("sleep").arg("600").spawn().unwrap();
    let output = agent::output(&["doctor", &sleep.id().to_string(), "--format", "json"]);
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    let output = output.unwrap();
    assert!(failed(&output).concat().contains("not a Go program"));
    assert_eq!(output.status.code(), Some(1));
}
