use super::*;
use crate::eval::recording::Ending;

fn scenario(leaks: Vec<Leak>) -> Scenario {
    Scenario {
        name: "some".to_owned(),
        about: String::new(),
        leaks,
        trouble: None,
    }
}

fn leak(marker: &str, line: u64) -> Leak {
    Leak {
        marker: marker.to_owned(),
        pattern: "mutex".to_owned(),
        within_seconds: 60.0,
        starts_after_seconds: 0.0,
        stopped: false,
        function: None,
        also: Vec::new(),
        line: Some(("zoo/a.go".to_owned(), line)),
    }
}

fn said(after: f64, verdict: Verdict, line: u64, pattern: Option<&str>) -> Sighting {
    Sighting {
        after,
        verdict,
        place: Place {
            function: "main.f".to_owned(),
            file: Some("/src/zoo/a.go".to_owned()),
            line: Some(line),
        },
        pattern: pattern.map(str::to_owned),
        advised: pattern.is_some(),
    }
}

fn recording(sightings: Vec<Sighting>) -> Recording {
    Recording {
        ready_before: 2.0,
        sightings,
        watched: 150.0,
        ending: Ending::Complete,
    }
}

use Verdict::{Likely, Proven, Suspect};

#[test]
fn a_verdict_that_rises_in_time_is_a_pass() {
    let events = vec![
        said(10.0, Suspect, 7, None),
        said(40.0, Likely, 7, Some("mutex")),
    ];
    let scenario = scenario(vec![leak("a", 7)]);
    assert!(is_settled(&scenario, &events));
    let judged = judge(&scenario, &recording(events));
    assert_eq!(judged.misses, Vec::<String>::new());
    let found = &judged.leaks[0];
    assert!(found.in_time && found.advised);
    assert_eq!(
        (found.suspect_seconds, found.likely_seconds),
        (Some(10.0), Some(40.0))
    );
    assert_eq!(judged.worst_elsewhere(), None);
}

#[test]
fn a_leak_at_another_line_is_missed_and_the_verdict_is_wrong() {
    let events = vec![said(10.0, Likely, 8, Some("mutex"))];
    let scenario = scenario(vec![leak("a", 7)]);
    assert!(!is_settled(&scenario, &events));
    let judged = judge(&scenario, &recording(events));
    assert_eq!(
        judged.misses,
        [
            "a: not found",
            "likely after 10 s at a.go:8, which does not leak"
        ]
    );
    assert!(!judged.leaks[0].in_time);
}

#[test]
fn too_late_or_not_sure_enough_is_a_miss() {
    let scenario = scenario(vec![leak("a", 7)]);
    let late = judge(
        &scenario,
        &recording(vec![said(61.0, Likely, 7, Some("mutex"))]),
    );
    assert_eq!(late.misses, ["a: likely after 61 s, not within 60 s"]);
    let unsure = judge(
        &scenario,
        &recording(vec![said(6.0, Suspect, 7, Some("mutex"))]),
    );
    assert_eq!(unsure.misses, ["a: suspect only, likely is due"]);
}

#[test]
fn the_pattern_is_the_one_said_last() {
    let scenario = scenario(vec![leak("a", 7)]);
    let none = vec![said(9.0, Likely, 7, None)];
    assert!(!is_settled(&scenario, &none));
    assert_eq!(
        judge(&scenario, &recording(none)).misses,
        ["a: the pattern is mutex, and none was recognised"]
    );
    let changed = vec![
        said(9.0, Suspect, 7, Some("mutex")),
        said(10.0, Proven, 7, Some("cond")),
    ];
    assert_eq!(
        judge(&scenario, &recording(changed)).misses,
        ["a: the pattern is mutex, and cond was recognised"]
    );
}

#[test]
fn an_agent_or_program_that_ends_early_is_never_a_pass() {
    for ending in [
        Ending::AgentEnded("exit status 1".to_owned()),
        Ending::AgentUnclear("no event for 60 s".to_owned()),
        Ending::ProgramDied("exit status 2".to_owned()),
        Ending::NotStarted("no marker".to_owned()),
    ] {
        let mut leaking = recording(vec![said(9.0, Likely, 7, Some("mutex"))]);
        leaking.ending = ending.clone();
        let judged = judge(&scenario(vec![leak("a", 7)]), &leaking);
        assert_eq!(judged.misses.len(), 1, "{ending:?}");
        assert!(!judged.leaks[0].in_time, "{ending:?}");

        let healthy = judge(&scenario(vec![]), &Recording::without(ending.clone()));
        assert_eq!(healthy.misses.len(), 1, "{ending:?}");
    }
}

#[test]
fn only_what_is_above_suspect_is_a_miss_of_a_healthy_program() {
    let healthy = scenario(vec![]);
    let events = vec![
        said(10.0, Suspect, 7, None),
        said(20.0, Suspect, 8, None),
        said(30.0, Likely, 8, None),
    ];
    assert!(!is_settled(&healthy, &events));
    let fine = judge(&healthy, &recording(events[..2].to_vec()));
    assert_eq!(fine.misses, Vec::<String>::new());
    let worst = fine.worst_elsewhere().unwrap();
    assert_eq!((worst.verdict, worst.place.line), (Suspect, Some(7)));
    let cried = judge(&healthy, &recording(events));
    assert_eq!(
        cried.misses,
        ["likely after 30 s at a.go:8, which does not leak"]
    );
    assert_eq!(cried.worst_elsewhere().unwrap().verdict, Likely);
}

#[test]
fn for_a_leak_that_stopped_suspect_is_enough() {
    let mut stopped = leak("a", 7);
    stopped.stopped = true;
    let judged = judge(
        &scenario(vec![stopped]),
        &recording(vec![said(9.0, Suspect, 7, Some("mutex"))]),
    );
    assert_eq!(judged.misses, Vec::<String>::new());
    assert_eq!(judged.leaks[0].likely_seconds, None);
}

#[test]
fn time_begins_with_the_leak() {
    let mut later = leak("a", 7);
    later.starts_after_seconds = 30.0;
    let scenario = scenario(vec![later]);
    // The program had been ready for 2 s.
    let judged = judge(
        &scenario,
        &recording(vec![said(80.0, Likely, 7, Some("mutex"))]),
    );
    assert_eq!(judged.misses, Vec::<String>::new());
    assert_eq!(judged.leaks[0].likely_seconds, Some(52.0));
    let early = judge(
        &scenario,
        &recording(vec![said(20.0, Likely, 7, Some("mutex"))]),
    );
    assert_eq!(early.misses, ["a: likely 8 s before anything was lost"]);
    assert!(!early.leaks[0].in_time);
}

#[test]
fn what_is_lost_along_with_it_is_neither_due_nor_wrong() {
    let mut with_others = leak("a", 7);
    with_others.also = vec!["main.".to_owned()];
    let events = vec![
        said(9.0, Likely, 7, Some("mutex")),
        said(9.5, Likely, 8, None),
    ];
    let judged = judge(&scenario(vec![with_others]), &recording(events));
    assert!(judged.misses.is_empty() && judged.elsewhere.is_empty());
}

#[test]
fn each_of_several_leaks_has_to_be_found() {
    let scenario = scenario(vec![leak("a", 7), leak("b", 8)]);
    let events = vec![said(9.0, Likely, 8, Some("mutex"))];
    assert!(!is_settled(&scenario, &events));
    let judged = judge(&scenario, &recording(events));
    assert_eq!(judged.misses, ["a: not found"]);
    assert!(judged.leaks[1].in_time && judged.elsewhere.is_empty());
}
