//! What `gostray status` shows.

use std::sync::Arc;

use super::NodeStatus;
use crate::{
    detect::Verdict,
    report::{
        Impact, OpenLeak,
        node::{NodeSample, samples},
        samples::site_counts,
    },
};

fn text(node: &NodeSample, width: usize) -> String {
    let mut output = Vec::new();
    NodeStatus::new(node).text(&mut output, width).unwrap();
    String::from_utf8(output).unwrap()
}

fn with_leaks(count: usize) -> NodeSample {
    let mut node = samples::node();
    let status = &mut Arc::make_mut(&mut node.targets[0]).status;
    let site = site_counts(status.sites[0].site.created_at.clone(), true).site;
    let leak = OpenLeak {
        id: site.id.clone(),
        site,
        verdict: Verdict::Likely,
        impact: Impact {
            goroutines_per_hour: Some(17_742.0),
            ..Impact::default()
        },
    };
    status.leaks = vec![leak; count];
    node
}

#[test]
fn agent_sinks_errors_and_processes() {
    insta::assert_snapshot!(text(&with_leaks(1), 100), @r#"
    gostray 0.1.0, up 70 s, configuration read again 1 time
      processors 0.60 % of 2.00 %; 0.4 s in all, of these 0.1 s probes, 0.1 s profiles
      memory 58.2 MiB of 244.1 MiB
      1 process watched (1 lifetimes), 2 left alone, 1 cannot be watched

    SINK       QUEUED  SENT  DROPPED  FAILED
    otlp_logs  2/1024    17        3       4
      last error: http://127.0.0.1:4317: connection refused

    errors: attach 1

    cannot be watched:
      77: /srv/old: Go 1.16 is not supported

    PID        MODE  GOROUTINES  LEAKS    COST   FOR  NAME
    4321  lifetimes         421      1  0.15 %  60 s  server (search) pod shop/search-5d4f
      likely leak, +295.7 a minute: /src/app/search.go:31 main.search
    "#);
}

#[test]
fn many_leaks_are_counted() {
    let text = text(&with_leaks(5), 60);
    insta::assert_snapshot!(text.lines().rev().take(5).collect::<Vec<_>>().join("\n"), @r#"
      and 2 leaks more
      likely leak, +295.7 a minute: /src/app/search.go:31
      likely leak, +295.7 a minute: /src/app/search.go:31
      likely leak, +295.7 a minute: /src/app/search.go:31
    4321  lifetimes         421      5  0.15 %  60 s  server (s…
    "#);
}

#[test]
fn little_is_known_at_first() {
    let mut node = samples::node();
    node.targets.clear();
    node.agent.sinks.clear();
    node.agent.errors.clear();
    node.agent.modes.clear();
    node.agent.processes.watched = 0;
    (node.agent.spent_ratio, node.agent.budget_ratio) = (None, None);
    node.agent.memory_bytes = None;
    insta::assert_snapshot!(text(&node, 100), @r#"
    gostray 0.1.0, up 70 s, configuration read again 1 time
      processors not known yet, no budget; 0.4 s in all, of these 0.1 s probes, 0.1 s profiles
      memory not known of 244.1 MiB
      0 processes watched, 2 left alone, 1 cannot be watched

    cannot be watched:
      77: /srv/old: Go 1.16 is not supported

    no process is watched
    "#);
}

#[test]
fn a_terminal_is_given_no_orders() {
    let mut node = with_leaks(1);
    let evil = "a\u{1b}]0;owned\u{7}\nb".to_owned();
    let target = Arc::make_mut(&mut node.targets[0]);
    let mut identity = (*target.target).clone();
    identity.name.clone_from(&evil);
    identity.service.name = Some(evil.clone());
    let pod = identity.pod.as_mut().unwrap();
    (pod.name, pod.namespace) = (Some(evil.clone()), Some(evil.clone()));
    target.target = identity.into();
    target.status.leaks[0]
        .site
        .created_at
        .function
        .clone_from(&evil);
    target.status.leaks[0].site.created_at.file = Some(evil.clone());
    node.agent.sinks[0].name.clone_from(&evil);
    node.agent.sinks[0].last_error = Some(evil);
    let text = text(&node, 500);
    assert!(
        !text.contains(|c: char| c.is_control() && c != '\n'),
        "{text:?}"
    );
    // Nor can it make lines of its own.
    assert!(!text.lines().any(|line| line.starts_with('b')), "{text}");
}
