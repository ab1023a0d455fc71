//! What is likely is proven where it can be, beside watching and within the budget.

use gostray_tests::agent::Agent;
use gostray_tests::go::{self, Mode};
use gostray_tests::need_root_and_releases;
use gostray_tests::prove::Proofs;
use gostray_tests::target::Target;

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_likely_leak_is_proven_with_the_memory_it_retains() {
    let releases = need_root_and_releases!();
    let modes = [&[][..], &["--no-probes"]];
    for (release, arguments) in go::oldest_and_newest(releases).iter().zip(modes) {
        let zoo = go::build("zoo", release, Mode::Stripped).unwrap();
        let target = Target::start(&zoo, &["chan-send"], &[]).unwrap();
        let agent = Agent::attach(target.pid(), arguments).unwrap();
        let leak = agent
            .wait_for("leak", |leak| leak["verdict"] == "proven")
            .unwrap();
        assert_eq!(leak["rule"], "proof", "{leak}");
        assert!(leak["retained_bytes"].as_u64().unwrap() > 0, "{leak}");
        assert!(leak["retained_objects"].as_u64().unwrap() > 0, "{leak}");
        assert_eq!(leak["unknown"]["retained_bytes"], serde_json::Value::Null);
        let evidence = leak["evidence"].as_array().unwrap();
        let says = |words: &str| {
            let mut sentences = evidence.iter().filter_map(|one| one.as_str());
            sentences.any(|one| one.contains(words))
        };
        assert!(says("can never wake again"), "{leak}");
        assert!(says("found no way from anything that lives"), "{leak}");
        let status = agent.wait_for("status", |_| true).unwrap();
        let overhead = &status["overhead"];
        let [average, budget] =
            ["average_ratio", "budget_ratio"].map(|ratio| overhead[ratio].as_f64().unwrap());
        assert!(average <= budget, "{overhead}");
        // Nothing makes it surer, so nothing more is said.
        let end = agent.stop_cleanly().unwrap();
        let later = end.events.iter().find(|event| event["event"] == "leak");
        assert_eq!(later, None);
    }
}

/// What the program's own detector has marked is a proof, though nothing grows.
#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn what_the_program_itself_has_found_is_told() {
    for release in need_root_and_releases!() {
        if release.minor() < 27 {
            continue;
        }
        let mut proofs = Proofs::new(&release, Mode::Stripped, "nobody/").unwrap();
        let theirs = proofs.oracle().unwrap();
        assert!(!theirs.is_empty());
        let agent = Agent::attach(proofs.target.pid(), &[]).unwrap();
        let leak = agent.wait_for("leak", |_| true).unwrap();
        assert_eq!(leak["verdict"], "proven", "{leak}");
        assert!(leak.to_string().contains("_Gleaked"), "{leak}");
        agent.stop_cleanly().unwrap();
    }
}
