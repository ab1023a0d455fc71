//! A real program for each pattern: what it is, and what to change, is said with the right line.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use gostray_tests::agent::Agent;
use gostray_tests::go::{self, Mode, Toolchain};
use gostray_tests::lines::PATIENCE;
use gostray_tests::need_root_and_releases;
use gostray_tests::target::Target;
use serde_json::Value;

/// Scenarios of the zoo, each of which is one mistake and nothing else.
const SCENARIOS: [&str; 19] = [
    "chan-send",
    "chan-receive",
    "nil-channel",
    "full-buffer",
    "select",
    "context",
    "context-receive",
    "network",
    "http-hangs",
    "http-body",
    "wait-group",
    "errgroup",
    "mutex",
    "cond",
    "ticker",
    "time-after",
    "sleep-loop",
    "fan-out",
    "fan-out-lock",
];

/// Patterns that gostray tells apart.
const PATTERNS: usize = 14;

/// Watched at once.
const AT_ONCE: usize = 20;

/// A leak that has to be found.
struct Expected {
    pattern: String,
    /// The beginning of the name of the library's function with the `go` statement.
    library: Option<String>,
    /// `file.go:line` of the marker.
    marked: String,
}

/// What the program says of its scenario.
fn expected(exe: &Path, scenario: &str) -> Result<Vec<Expected>> {
    let list = Command::new(exe).arg("list").output()?.stdout;
    let line = String::from_utf8(list)?
        .lines()
        .map(serde_json::from_str::<Value>)
        .find(|line| line.as_ref().is_ok_and(|line| line["name"] == scenario))
        .context("no such scenario")??;
    let leaks = line["leaks"].as_array().context("leaks is a list")?;
    let word = |value: &Value| value.as_str().map(str::to_owned);
    leaks
        .iter()
        .map(|leak| {
            Ok(Expected {
                pattern: word(&leak["pattern"]).context("no pattern")?,
                library: word(&leak["in"]),
                marked: marked(&word(&leak["marker"]).context("no marker")?)?,
            })
        })
        .collect()
}

/// Where the comment with the marker is.
fn marked(marker: &str) -> Result<String> {
    let comment = format!("// leaks: {marker}");
    for file in std::fs::read_dir(go::sources().join("zoo"))? {
        let file = file?;
        let text = std::fs::read_to_string(file.path())?;
        if let Some(line) = text.lines().position(|line| line.ends_with(&comment)) {
            let name = file.file_name().to_string_lossy().into_owned();
            return Ok(format!("{name}:{}", line + 1));
        }
    }
    anyhow::bail!("nothing is marked {comment:?}")
}

/// Whether the leak is at the marked line, or in the library that is called there.
fn is_at(leak: &Value, expected: &Expected) -> bool {
    let place = &leak["site"]["created_at"];
    let function = place["function"].as_str().unwrap_or_default();
    match &expected.library {
        Some(library) => function.starts_with(library),
        None => {
            let file = place["file"].as_str().unwrap_or_default();
            format!("{file}:{}", place["line"]).ends_with(&format!("/{}", expected.marked))
        }
    }
}

/// Watches one scenario until all of its leaks have been told.
fn watch(toolchain: &Toolchain, scenario: &str) -> Result<()> {
    let exe = go::build("zoo", toolchain, Mode::Plain)?;
    let mut missing = expected(&exe, scenario)?;
    let target = Target::start(&exe, &[scenario], &[])?;
    let agent = Agent::attach(target.pid(), &[])?;
    let deadline = Instant::now() + PATIENCE;
    while !missing.is_empty() {
        let wanted = missing.iter().map(|e| &e.marked).collect::<Vec<_>>();
        let (when, leak) = agent
            .wait_before(deadline, "leak", |leak| {
                leak["verdict"] == "likely" && missing.iter().any(|e| is_at(leak, e))
            })
            .with_context(|| format!("no leak at {wanted:?}"))?;
        let place = missing.iter().position(|e| is_at(&leak, e));
        let found = missing.remove(place.context("it fits one")?);
        eprintln!(
            "{} {scenario}: {} after {:.1?}",
            toolchain.version,
            leak["pattern"],
            when - agent.started
        );
        check(&leak, &found).with_context(|| format!("{leak:#}"))?;
    }
    agent.stop_cleanly()?;
    Ok(())
}

fn check(leak: &Value, expected: &Expected) -> Result<()> {
    ensure!(
        leak["pattern"] == expected.pattern.as_str(),
        "{} instead of {}",
        leak["pattern"],
        expected.pattern
    );
    let advice = leak["advice"].as_str().context("no advice")?;
    ensure!(
        advice.contains("main.") && advice.contains(&expected.marked),
        "the advice does not name {}: {advice}",
        expected.marked
    );
    let example = leak["example"].as_str().context("no code")?;
    ensure!(example.lines().count() > 1, "no lines of code: {example}");
    let wait_reason = leak["wait_reason"].as_str().context("no wait reason")?;
    let forever = wait_reason.contains("no cases");
    let things = leak["waits_on"].as_array().context("waits_on is a list")?;
    ensure!(forever || !things.is_empty(), "it waits on nothing");
    Ok(())
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn each_pattern_is_recognised_in_a_real_program() {
    let releases = need_root_and_releases!();
    let releases = go::oldest_and_newest(releases);
    let patterns: BTreeSet<String> = {
        let exe = go::build("zoo", &releases[0], Mode::Plain).unwrap();
        let all = SCENARIOS.map(|scenario| expected(&exe, scenario).unwrap());
        all.into_iter().flatten().map(|e| e.pattern).collect()
    };
    assert_eq!(patterns.len(), PATTERNS, "{patterns:?}");
    let cells = releases
        .iter()
        .flat_map(|release| SCENARIOS.map(|scenario| (release, scenario)));
    let queue = Mutex::new(cells.collect::<Vec<_>>().into_iter());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((release, scenario)) = next else {
                        break;
                    };
                    if let Err(error) = watch(release, scenario) {
                        let version = &release.version;
                        let failure = format!("{version} {scenario}: {error:#}");
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
