//! Leaks that somebody has decided to live with are said as such.

use std::fs;

use gostray_tests::agent::Agent;
use gostray_tests::go::{self, Mode};
use gostray_tests::need_root_and_releases;
use gostray_tests::target::Target;

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn known_leaks_are_told_with_the_reason_they_are_left_alone_for() {
    let releases = need_root_and_releases!();
    let folder = tempfile::tempdir().unwrap();
    let configuration = |name: &str, condition: &str| {
        let path = folder.path().join(name);
        let text = format!("[[suppress]]\n{condition}\nreason = \"known, see {name}\"\n");
        fs::write(&path, text).unwrap();
        path
    };
    let files = [
        configuration("site", r#"site = "zoo/leaks_channels.go:LINE""#),
        configuration("package", r#"package = "main""#),
        configuration("label", r#"label = "job=report""#),
        configuration("other", r#"label = "job=import""#),
    ];
    let source = fs::read_to_string(go::sources().join("zoo/leaks_channels.go")).unwrap();
    let line = source
        .lines()
        .position(|line| line.ends_with("// leaks: chan-send"));
    let line = (line.unwrap() + 1).to_string();
    let text = fs::read_to_string(&files[0]).unwrap();
    fs::write(&files[0], text.replace("LINE", &line)).unwrap();
    // Labels are kept in two ways, before and from Go 1.24 on.
    for release in go::oldest_and_newest(releases) {
        let zoo = go::build("zoo", &release, Mode::Stripped).unwrap();
        let target = Target::start(&zoo, &["chan-send"], &[]).unwrap();
        let agents = files.each_ref().map(|file| {
            let agent = Agent::attach(target.pid(), &["--config", file.to_str().unwrap()]);
            (file, agent.unwrap())
        });
        for (file, agent) in agents {
            let leak = agent.wait_for("leak", |_| true).unwrap();
            let name = file.file_name().unwrap().to_str().unwrap();
            assert_eq!(leak["labels"]["job"], "report", "{leak}");
            let suppressed = name != "other";
            let reason = leak["suppressed"].as_str();
            let expected = suppressed.then(|| format!("known, see {name}"));
            assert_eq!(reason, expected.as_deref(), "{leak}");
            let end = agent.stop_cleanly().unwrap();
            let detached = end.events.iter().find(|e| e["event"] == "detached");
            assert_eq!(detached.unwrap()["suppressed"], u64::from(suppressed));
        }
    }
}
