//! A server that leaks under load: the first `leak` event names the line.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use gostray_tests::agent::Agent;
use gostray_tests::go::{self, Mode};
use gostray_tests::target::Target;
use gostray_tests::{need, probes, skip};

/// The line with the marker, and the file it is in.
fn leaking_line() -> (String, u64) {
    let file = go::sources().join("leakyserver/search.go");
    let text = std::fs::read_to_string(&file).unwrap();
    let line = text
        .lines()
        .position(|l| l.contains("// leaks here"))
        .expect("a marked line")
        + 1;
    ("leakyserver/search.go".to_owned(), line as u64)
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn the_leak_is_named() {
    need!(skip::is_root(), "needs root");
    let toolchain = go::newest().unwrap();
    let (file, line) = leaking_line();
    for mode in [Mode::Plain, Mode::Stripped] {
        let exe = go::build("leakyserver", &toolchain, mode).unwrap();
        let target = Target::start(&exe, &["-load"], &[]).unwrap();
        let agent = Agent::attach(target.pid(), &["--interval", "1s"]).unwrap();
        agent.attached().unwrap();
        let leak = agent.wait_for("leak", |_| true).unwrap();
        eprintln!("{mode:?}: named after {:.1?}", agent.started.elapsed());
        // The first leak event is the right one: the pool, the ticker and the connections are none.
        let place = &leak["site"]["created_at"];
        assert!(place["file"].as_str().unwrap().ends_with(&file), "{leak}");
        assert_eq!(place["line"], line, "{leak}");
        assert_eq!(place["function"], "main.search", "{leak}");
        assert!(
            ["suspect", "likely"].contains(&leak["verdict"].as_str().unwrap()),
            "{leak}"
        );
        assert!(leak["growth_per_minute"].as_f64().unwrap() > 0.0, "{leak}");
        assert!(!leak["created_by"].as_array().unwrap().is_empty(), "{leak}");
        let end = agent.stop_cleanly().unwrap();
        assert!(
            end.events
                .iter()
                .filter(|e| e["event"] == "leak")
                .all(|e| e["site"]["created_at"]["line"] == line)
        );
        assert_eq!(
            probes::changed_bytes(target.pid()).unwrap(),
            Vec::<u64>::new()
        );
    }
}
