//! What `gostray prove` says besides: retained memory, reasons, formats, refusals; and programs that
//! do not stay as they are.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::process::Output;

use gostray_tests::go::{self, Mode};
use gostray_tests::prove::{Compared, Proofs};
use gostray_tests::{agent, need, need_root_and_releases, pprof, skip};
use serde_json::Value;

/// Other objects than those a scenario counts: its channel, its closures, what registers it.
const SMALL: u64 = 16 << 10;

fn newest(scenarios: &str) -> Proofs {
    Proofs::new(&go::newest().unwrap(), Mode::Stripped, scenarios).unwrap()
}

/// `gostray prove PID` with these arguments, to its end.
fn run(proofs: &Proofs, arguments: &[&str]) -> Output {
    let pid = proofs.target.pid().to_string();
    let mut all = vec!["prove", &pid, "--pause-between", "50ms"];
    all.extend(arguments);
    agent::output(&all).unwrap()
}

fn sum(groups: &[&Value], field: &str) -> u64 {
    let of = |group: &&Value| group[field].as_u64().unwrap_or_else(|| panic!("{group}"));
    groups.iter().map(of).sum()
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn retained_memory_is_what_only_leaks_hold() {
    for toolchain in &need_root_and_releases!() {
        let proofs = Proofs::new(toolchain, Mode::Stripped, "retained/").unwrap();
        let proof = proofs.prove(&["--pause-between", "50ms"]).unwrap();
        let compared = Compared::new(&proof.leaked().unwrap(), &proofs.truth);
        let (name, summary) = (&proofs.name, compared.summary());
        assert!(
            compared.wrong.is_empty() && compared.missed() == 0,
            "{name}: {summary}"
        );
        for (scenario, bytes) in proofs.truth.retained() {
            let groups = proof.groups_of(&proofs.truth.of(scenario)).unwrap();
            let retained = sum(&groups, "retained_bytes");
            assert!(
                (bytes..bytes + SMALL).contains(&retained),
                "{name} {scenario}: {retained} bytes instead of {bytes}"
            );
            assert!(sum(&groups, "stack_bytes") >= 2048, "{name} {scenario}");
            if scenario == "retained/tree" {
                let objects = sum(&groups, "retained_objects");
                assert!(
                    (32767..33000).contains(&objects),
                    "{name}: {objects} objects"
                );
            }
        }
        let groups = proof
            .groups_of(&proofs.truth.of("retained/shared"))
            .unwrap();
        assert_eq!(groups.len(), 2, "{name}: two places");
        let wanted = proofs.truth.shared();
        for group in groups {
            let shared = group["shared_bytes"].as_u64().unwrap();
            assert!(
                (wanted..wanted + SMALL).contains(&shared),
                "{name}: {group}"
            );
        }
        let shared = proof.json["shared"]["bytes"].as_u64().unwrap();
        // Once, though two places hold it.
        assert!(
            (wanted..wanted + SMALL).contains(&shared),
            "{name}: {}",
            proof.json["shared"]
        );
    }
}

/// What keeps the goroutine of this scenario alive, as kinds and names, from the root on.
fn why(proofs: &Proofs, scenario: &str) -> (String, Vec<(String, String)>) {
    let goid = proofs.truth.of(scenario)[0].to_string();
    let done = run(proofs, &["--why", &goid, "--format", "json"]);
    let text = String::from_utf8_lossy(&done.stderr).into_owned();
    let answer: Value = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|error| panic!("{scenario}: {error}: {text}"));
    let step = |step: &Value| {
        let word = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
        (word("kind"), word("name"))
    };
    let path = answer["path"]
        .as_array()
        .into_iter()
        .flatten()
        .map(step)
        .collect();
    (
        answer["verdict"].as_str().unwrap_or_default().to_owned(),
        path,
    )
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn why_names_what_keeps_it_alive() {
    let toolchains = go::oldest_and_newest(need_root_and_releases!());
    for toolchain in &toolchains {
        let proofs = Proofs::new(toolchain, Mode::Plain, "all").unwrap();
        for (scenario, kind, name) in [
            ("list/receive", "global", "main.inList"),
            ("map-value/mutex", "global", "main.inMapValue"),
            ("array/select", "global", "main.inArray"),
            ("buffer/waitgroup", "global", "main.inBuffer"),
            ("closure/cond", "global", "main.inClosure"),
            ("data-rwmutex", "global", "main.locked"),
            ("stack/send", "goroutine", ""),
            ("deep-stack/receive", "goroutine", ""),
            ("argument/rwmutex-reader", "goroutine", ""),
            ("chain/receive", "goroutine", ""),
            ("timer/receive", "timer", ""),
            ("finalizer-function/receive", "finalizer", ""),
        ] {
            let (verdict, path) = why(&proofs, scenario);
            let what = format!("{} {scenario}: {verdict} {path:?}", proofs.name);
            assert_eq!(verdict, "reachable", "{what}");
            let first = path.first().unwrap_or_else(|| panic!("{what}"));
            // A timer and a finalizer may be shown as what the runtime keeps them in.
            let fits = first.0 == kind || path.iter().any(|step| step.0 == kind);
            assert!(fits || matches!(kind, "timer" | "finalizer"), "{what}");
            assert!(first.1.starts_with(name), "{what}");
        }
    }
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn the_profile_is_one_pprof_reads() {
    need!(skip::is_root(), "needs root");
    let toolchain = go::newest().unwrap();
    let proofs = newest("crowd");
    let done = run(&proofs, &["--format", "pprof"]);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("leaks.pb.gz");
    std::fs::write(&profile, &done.stdout).unwrap();
    let raw = pprof::report(&toolchain, &["-raw"], &profile).unwrap();
    assert!(raw.contains("goroutineleak/count"), "{raw:.600}");
    let samples = pprof::samples(&toolchain, &profile).unwrap();
    assert_eq!(samples.values().sum::<u64>(), 100, "{samples:?}");
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn exit_status_and_refusals() {
    need!(skip::is_root(), "needs root");
    let leaky = newest("crowd retained/own");
    assert_eq!(run(&leaky, &["--fail-on", "proven"]).status.code(), Some(3));
    assert_eq!(run(&leaky, &[]).status.code(), Some(0));
    // A heap that is larger than it may be is not looked at, and the answer says how large it is.
    let refused = run(&leaky, &["--max-heap", "1MB"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("--max-heap"), "{text}");
    let healthy = newest("crowd-global");
    assert_eq!(
        run(&healthy, &["--fail-on", "proven"]).status.code(),
        Some(0)
    );
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_heap_that_grows_and_is_collected() {
    need!(skip::is_root(), "needs root");
    for scenarios in ["easy", "hard"] {
        let mut proofs = newest(scenarios);
        // What a pool has lasts no longer than two collections.
        let pooled: Vec<u64> = {
            let alive = proofs.truth.alive();
            alive
                .filter(|(_, name)| name.starts_with("pool/"))
                .map(|(goid, _)| goid)
                .collect()
        };
        proofs.target.ask("churn").unwrap();
        proofs.target.ask("grow 50000000").unwrap();
        for _ in 0..5 {
            let mut leaked = proofs
                .prove(&["--pause-between", "100ms"])
                .unwrap()
                .leaked()
                .unwrap();
            leaked.retain(|goid| !pooled.contains(goid));
            let compared = Compared::new(&leaked, &proofs.truth);
            eprintln!("{scenarios}: {}", compared.summary());
            assert_eq!(compared.wrong, Vec::<String>::new());
            // References seen while they move may lose proofs, but not many.
            let least = if scenarios == "easy" { 0.9 } else { 0.5 };
            assert!(compared.recall() >= least, "{}", compared.summary());
        }
    }
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_process_that_ends_half_way() {
    need!(skip::is_root(), "needs root");
    for pause in [0, 20, 60, 150] {
        let mut proofs = newest("all");
        let pid = proofs.target.pid().to_string();
        let arguments = ["prove", &pid, "--passes", "50", "--pause-between", "10ms"];
        let agent = agent::Agent::run(&arguments).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        proofs.target.kill().unwrap();
        proofs.target.wait().unwrap();
        let end = agent.end().unwrap();
        assert_eq!(end.code, Some(1), "after {pause} ms: {}", end.stderr);
        assert!(
            !end.message().is_empty(),
            "after {pause} ms: {}",
            end.stderr
        );
        assert!(!end.stderr.contains("panicked"), "{}", end.stderr);
    }
}
