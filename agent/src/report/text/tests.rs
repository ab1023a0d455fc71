//! What people see, as they see it.

use std::collections::BTreeMap;

use super::Text;
use crate::report::{
    DetachReason, Event, EventKind, Renderer as _,
    samples::{attached, detached, event, leak, mode_change, place, resolved, site_counts, status},
};

fn text(kind: EventKind) -> String {
    written(&event(kind), false, 100)
}

fn written(event: &Event, colours: bool, width: usize) -> String {
    let mut output = Vec::new();
    Text::new(&mut output, colours, width).event(event).unwrap();
    String::from_utf8(output).unwrap()
}

#[test]
fn an_attached_program() {
    insta::assert_snapshot!(text(EventKind::Attached(attached())), @r"
    watching 4321 /srv/app/server (go1.27.4, example.com/app)
    mode lifetimes: 190 creations a second cost about 0.03 % of a core, within the budget of 1%
    a probe's hit costs 0.71 µs here, a stepped one 17.30 µs
    2 probes: creation at runtime.newproc1+0x1c5, exit at runtime.gdestroy+0x4; Ctrl-C ends it
    ");
}

#[test]
fn a_program_without_a_module() {
    let mut attached = attached();
    attached.process.main_module = None;
    insta::assert_snapshot!(text(EventKind::Attached(attached)), @r"
    watching 4321 /srv/app/server (go1.27.4, module not recorded)
    mode lifetimes: 190 creations a second cost about 0.03 % of a core, within the budget of 1%
    a probe's hit costs 0.71 µs here, a stepped one 17.30 µs
    2 probes: creation at runtime.newproc1+0x1c5, exit at runtime.gdestroy+0x4; Ctrl-C ends it
    ");
}

#[test]
fn without_probes() {
    let mut attached = attached();
    attached.mode = "census";
    attached.mode_reason = "no probes are wanted".into();
    attached.cost_of_hits = None;
    attached.probes.clear();
    insta::assert_snapshot!(text(EventKind::Attached(attached)), @r"
    watching 4321 /srv/app/server (go1.27.4, example.com/app)
    mode census: no probes are wanted
    no probes: what lives and dies between two censuses is not seen; Ctrl-C ends it
    ");
}

#[test]
fn less_is_watched() {
    insta::assert_snapshot!(text(EventKind::Mode(mode_change())), @r"

    11:06:40 MODE lifetimes → census; 97.0 % of goroutines tracked
      - watching cost 1.43 % of a core of late; the budget is 1%
    ");
}

#[test]
fn work_that_is_shed_is_said() {
    let mut status = status();
    status.sites.clear();
    status.observed_every_seconds = Some(7.3);
    insta::assert_snapshot!(text(EventKind::Status(status)), @r"

    11:06:40 0 alive of 0 created, 0 ended
      lifetimes: 0.15 % of a core (agent 0.12, probes 0.03); the budget is 1 %; goroutines are looked at every 7.3 s
      no site grows
    ");
}

#[test]
fn without_a_budget() {
    let mut status = status();
    status.sites.clear();
    status.overhead.budget_ratio = None;
    insta::assert_snapshot!(text(EventKind::Status(status)), @r"

    11:06:40 0 alive of 0 created, 0 ended
      lifetimes: 0.15 % of a core (agent 0.12, probes 0.03); no budget
      no site grows
    ");
}

#[test]
fn a_status_where_nothing_grows() {
    let mut status = status();
    for site in &mut status.sites {
        site.growing = false;
    }
    insta::assert_snapshot!(text(EventKind::Status(status)), @r"

    11:06:40 824 alive of 20824 created, 20000 ended
      lifetimes: 0.15 % of a core (agent 0.12, probes 0.03); the budget is 1 %
      no site grows
    ");
}

#[test]
fn a_status_with_sites_that_grow() {
    insta::assert_snapshot!(text(EventKind::Status(status())), @r"

    11:06:40 824 alive of 20824 created, 20000 ended
      lifetimes: 0.15 % of a core (agent 0.12, probes 0.03); the budget is 1 %
           live   created     ended    oldest  created at
            412     10412     10000      83 s  /src/app/search.go:31 main.search
    ");
}

#[test]
fn a_status_of_the_first_second_that_lost_something() {
    let mut status = status();
    status.overhead.agent_cpu_ratio = None;
    status.overhead.refused_hits = 40;
    status.coverage = 0.987;
    status.drops = BTreeMap::from([("goroutine_map_full", 130), ("map_error", 0)]);
    insta::assert_snapshot!(text(EventKind::Status(status)), @r"

    11:06:40 824 alive of 20824 created, 20000 ended; 98.7 % of goroutines tracked
      lifetimes; the budget is 1 %; 40 hits turned away
      lost: goroutine_map_full 130
           live   created     ended    oldest  created at
            412     10412     10000      83 s  /src/app/search.go:31 main.search
    ");
}

#[test]
fn a_status_with_more_sites_than_rows() {
    let mut status = status();
    status.sites = (1..=12)
        .map(|line| site_counts(place("main.fanOut", "/src/app/fan.go", line), true))
        .collect();
    insta::assert_snapshot!(text(EventKind::Status(status)), @r"

    11:06:40 4944 alive of 124944 created, 120000 ended
      lifetimes: 0.15 % of a core (agent 0.12, probes 0.03); the budget is 1 %
           live   created     ended    oldest  created at
            412     10412     10000      83 s  /src/app/fan.go:1 main.fanOut
            412     10412     10000      83 s  /src/app/fan.go:2 main.fanOut
            412     10412     10000      83 s  /src/app/fan.go:3 main.fanOut
            412     10412     10000      83 s  /src/app/fan.go:4 main.fanOut
            412     10412     10000      83 s  /src/app/fan.go:5 main.fanOut
            412     10412     10000      83 s  /src/app/fan.go:6 main.fanOut
            412     10412     10000      83 s  /src/app/fan.go:7 main.fanOut
            412     10412     10000      83 s  /src/app/fan.go:8 main.fanOut
            412     10412     10000      83 s  /src/app/fan.go:9 main.fanOut
            412     10412     10000      83 s  /src/app/fan.go:10 main.fanOut
      and 2 more
    ");
}

#[test]
fn a_narrow_terminal_shows_the_end_of_long_paths() {
    let mut status = status();
    let file =
        "/home/builder/go/pkg/mod/example.com/very/long/module/path@v1.2.3/internal/worker/pool.go";
    let function = "example.com/very/long/module/path/internal/worker.(*Pool).grow";
    status.sites = vec![site_counts(place(function, file, 71), true)];
    insta::assert_snapshot!(written(&event(EventKind::Status(status)), false, 60), @r"

    11:06:40 412 alive of 10412 created, 10000 ended
      lifetimes: 0.15 % of a core (agent 0.12, probes 0.03); the budget is 1 %
           live   created     ended    oldest  created at
            412     10412     10000      83 s  …/internal/worker/pool.go:71
    ");
}

#[test]
fn a_leak() {
    insta::assert_snapshot!(text(EventKind::Leak(Box::new(leak()))), @r"

    11:06:40 LEAK (likely) /src/app/search.go:31
      go main.search.func1 in main.search: 412 alive, and 7 older than gostray, +296 a minute, oldest 83 s
      they wait for: chan send at /src/app/search.go:33
      on channel 0xc00007e0e0 (len 0, cap 0)
      stacks: about 824 KiB
      - survivors rose in 4 of 4 windows of 5 s, from 20 to 412
      - creations did not rise: 170 a second
      pattern: channel_send
        main.search.func1 (search.go:33) sends to a receiver that has gone or never came (started by
        main.search at search.go:31).
          select {
          case results <- value:
          case <-ctx.Done():
          	return
          }
      parked at
        main.search.func1
            /src/app/search.go:33
      created by
        main.search
            /src/app/search.go:31
        main.(*server).find
            /src/app/server.go:57
    ");
}

#[test]
fn a_leak_of_which_little_is_known() {
    let mut leak = leak();
    leak.wait_reason = None;
    leak.blocked_at = None;
    leak.stack = None;
    leak.created_by = None;
    leak.stack_bytes = None;
    leak.oldest_seconds = None;
    leak.pattern = None;
    leak.advice = None;
    leak.example = None;
    leak.waits_on.clear();
    let reason = "it is not known what they wait for";
    leak.unknown.insert("pattern", reason.into());
    for field in ["wait_reason", "blocked_at", "stack", "stack_bytes"] {
        let reason = "none could be read while it rested";
        leak.unknown.insert(field, reason.into());
    }
    let reason = "no creation stack of this site was taken";
    leak.unknown.insert("created_by", reason.into());
    insta::assert_snapshot!(text(EventKind::Leak(Box::new(leak))), @r"

    11:06:40 LEAK (likely) /src/app/search.go:31
      go main.search.func1 in main.search: 412 alive, and 7 older than gostray, +296 a minute, oldest unknown
      - survivors rose in 4 of 4 windows of 5 s, from 20 to 412
      - creations did not rise: 170 a second
      blocked_at unknown: none could be read while it rested
      created_by unknown: no creation stack of this site was taken
      pattern unknown: it is not known what they wait for
      stack unknown: none could be read while it rested
      wait_reason unknown: none could be read while it rested
    ");
}

#[test]
fn a_proven_leak_says_what_it_retains() {
    let mut leak = leak();
    leak.verdict = crate::detect::Verdict::Proven;
    leak.retained_bytes = Some(1_258_291);
    leak.retained_objects = Some(3102);
    let text = text(EventKind::Leak(Box::new(leak)));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "11:06:40 LEAK (proven) /src/app/search.go:31");
    assert!(
        lines.contains(&"  retained: 1.2 MiB of heap in 3102 objects, which only they lead to"),
        "{text}"
    );
}

#[test]
fn a_resolved_leak() {
    insta::assert_snapshot!(text(EventKind::Resolved(resolved())), @r"

    11:06:40 RESOLVED /src/app/search.go:31: 3 alive
      - survivors have not risen for 60 s
    ");
}

#[test]
fn every_end() {
    let ends = [
        DetachReason::Interrupted,
        DetachReason::Duration,
        DetachReason::Exited,
        DetachReason::Exec,
        DetachReason::OutputClosed,
        DetachReason::StopFile,
    ];
    let said: String = ends
        .into_iter()
        .zip(0..)
        .map(|(reason, leaks)| {
            let mut detached = detached(reason);
            detached.leaks = leaks;
            text(EventKind::Detached(detached))
        })
        .collect();
    insta::assert_snapshot!(said, @r"

    detached: interrupted, after 93 s; no leak reported

    detached: the time is over, after 93 s; 1 leak reported

    detached: the process ended, after 93 s; 2 leaks reported

    detached: the process became another program (execve), after 93 s; 3 leaks reported

    detached: nobody reads any more, after 93 s; 4 leaks reported

    detached: the stop file is there, after 93 s; 5 leaks reported
    ");
}

#[test]
fn a_slow_kernel_is_mentioned() {
    let mut detached = detached(DetachReason::Interrupted);
    detached.clean = false;
    insta::assert_snapshot!(text(EventKind::Detached(detached)), @r"

    detached: interrupted, after 93 s; 1 leak reported; the kernel is still removing probes
    ");
}

#[test]
fn colours_are_switched_off_again() {
    for kind in [
        EventKind::Attached(attached()),
        EventKind::Mode(mode_change()),
        EventKind::Status(status()),
        EventKind::Leak(Box::new(leak())),
        EventKind::Resolved(resolved()),
    ] {
        let plain = written(&event(kind.clone()), false, 100);
        let coloured = written(&event(kind), true, 100);
        assert_ne!(plain, coloured);
        assert!(
            coloured
                .lines()
                .all(|line| line.matches("\x1b[0m").count() * 2 == line.matches("\x1b[").count()),
            "{coloured:?}"
        );
        let mut stripped = coloured;
        for code in ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[1;31m", "\x1b[32m"] {
            stripped = stripped.replace(code, "");
        }
        assert_eq!(plain, stripped);
    }
}

#[test]
fn a_fix_that_is_verified() {
    let mut resolved = resolved();
    resolved.state = "verified";
    resolved.evidence = vec!["at the rate of before about 60 would have been lost by now".into()];
    insta::assert_snapshot!(text(EventKind::Resolved(resolved)), @r"
    11:06:40 FIX VERIFIED /src/app/search.go:31: 3 alive
      - at the rate of before about 60 would have been lost by now
    ");
}
