//! Every program of the zoo that leaks is found at its line, and healthy ones are left in peace. This
//! is the short form of `cargo xtask eval`, which watches all of them for longer and times them too.

use std::time::Duration;

use gostray_tests::eval::judging::Judged;
use gostray_tests::eval::recording::Verdict;
use gostray_tests::eval::running::Plan;
use gostray_tests::eval::{self, scenarios};
use gostray_tests::go::{self, Mode};
use gostray_tests::need_root_and_releases;

/// Those that look most like leaks, each in a way of its own.
const HEALTHY: [&str; 5] = [
    "warm-up",
    "pool-fills",
    "bursts",
    "ups-and-downs",
    "heartbeats",
];

/// How long a healthy program is watched.
const WATCHED: Duration = Duration::from_secs(90);
/// How long a leak may take; times are the evaluation's business, which has the machine for itself.
const LEAKING: Duration = Duration::from_secs(180);
/// Not so much for each that all at once take what the machine has, if it is a slow one.
const BUDGET: &str = "3%";

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn every_leak_is_found_at_its_line_and_healthy_programs_are_left_in_peace() {
    let newest = need_root_and_releases!().pop().unwrap();
    let zoo = go::build("zoo", &newest, Mode::Plain).unwrap();
    let mut scenarios = scenarios::chosen(&zoo, &[]).unwrap();
    scenarios.retain(|s| !s.is_healthy() || HEALTHY.contains(&s.name.as_str()));
    let healthy = scenarios.iter().filter(|s| s.is_healthy()).count();
    assert_eq!(healthy, HEALTHY.len(), "a healthy program has another name");
    // They sleep most of the time, so all of them run at once.
    let all_at_once = scenarios.len();
    let plan = Plan::new(WATCHED).with_leaking(LEAKING).with_budget(BUDGET);
    let judged = eval::programs(&zoo, scenarios, all_at_once, &plan);
    let wrong: Vec<String> = judged.iter().flat_map(wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What must not be, in words; patterns and times are left to the evaluation.
fn wrong(judged: &Judged) -> Vec<String> {
    let name = &judged.name;
    let mut wrong = Vec::new();
    wrong.extend(
        judged
            .trouble
            .iter()
            .map(|trouble| format!("{name}: {trouble}")),
    );
    for leak in judged.leaks.iter().filter(|l| l.verdict < Some(l.due)) {
        wrong.push(format!(
            "{name}: {} at the line marked {}, {} is due",
            leak.verdict.map_or("nothing", Verdict::word),
            leak.marker,
            leak.due.word()
        ));
    }
    for site in judged
        .elsewhere
        .iter()
        .filter(|w| w.verdict >= Verdict::Likely)
    {
        wrong.push(format!(
            "{name}: {} at {}, which does not leak",
            site.verdict.word(),
            site.place
        ));
    }
    wrong
}
