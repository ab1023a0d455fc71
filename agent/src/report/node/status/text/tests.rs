//! What `gostray status` shows.

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
    let status = &mut node.targets[0].status;
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
    insta::assert_snapshot!(text(&with_leaks(1), 100), @"");
}

#[test]
fn many_leaks_are_counted() {
    let text = text(&with_leaks(5), 60);
    insta::assert_snapshot!(text.lines().rev().take(5).collect::<Vec<_>>().join("\n"), @"");
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
    insta::assert_snapshot!(text(&node, 100), @"");
}

#[test]
fn a_terminal_is_given_no_orders() {
    let mut node = with_leaks(1);
    let evil = "a\u{1b}]0;owned\u{7}\nb".to_owned();
    let target = &mut node.targets[0];
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
