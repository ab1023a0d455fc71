//! The agent: what it watches, what it costs, what it could not deliver.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::metrics::v1::Metric;

use super::points::{Point, Span, named};
use crate::report::node::{AgentSample, SinkSample};

/// All of them.
pub(super) fn metrics(agent: &AgentSample) -> Vec<Metric> {
    let span = Span {
        began: agent.started,
        taken: agent.taken,
    };
    let mut metrics = costs(agent, span);
    metrics.extend(processes(agent, span));
    metrics.extend(sinks(agent, span));
    metrics.extend(troubles(agent, span));
    metrics
}

fn costs(agent: &AgentSample, span: Span) -> Vec<Metric> {
    vec![
        named("process.cpu.time", "s", "Total CPU seconds of the agent.")
            .counter([span.real(agent.cpu_seconds)]),
        named(
            "process.memory.usage",
            "By",
            "The amount of physical memory in use.",
        )
        .up_and_down(agent.memory_bytes.map(|bytes| span.whole(bytes))),
        named(
            "gostray.agent.memory.budget",
            "By",
            "Memory that the agent may use.",
        )
        .up_and_down([span.whole(agent.memory_budget_bytes)]),
        named(
            "gostray.agent.profiles.time",
            "s",
            "Processor time of the agent that profiles took which were asked for.",
        )
        .counter([span.real(agent.profiles_seconds)]),
        named(
            "gostray.agent.probes.time",
            "s",
            "Processor time that its probes have taken in watched processes.",
        )
        .counter([span.real(agent.probes_seconds)]),
        named(
            "gostray.agent.cpu.budget",
            "{cpu}",
            "Processors that the agent and its probes may keep busy together.",
        )
        .gauge(agent.budget_ratio.map(|cores| span.real(cores))),
        named(
            "gostray.agent.cpu.spent",
            "{cpu}",
            "Processors that they have kept busy lately.",
        )
        .gauge(agent.spent_ratio.map(|cores| span.real(cores))),
    ]
}

fn processes(agent: &AgentSample, span: Span) -> Vec<Metric> {
    let now = [
        ("watched", agent.processes.watched),
        ("left_alone", agent.processes.left_alone),
        ("failed", agent.processes.failed),
    ];
    let state = "gostray.process.state";
    let now = now.map(|(name, count)| span.whole(count).of(state, name));
    vec![
        named(
            "gostray.agent.process.count",
            "{process}",
            "Go processes, by what becomes of them.",
        )
        .up_and_down(now),
        named(
            "gostray.agent.process.seen",
            "{process}",
            "Programs started that were seen, Go or not.",
        )
        .counter([span.whole(agent.processes.seen)]),
        named(
            "gostray.agent.binary.inspected",
            "{binary}",
            "Executables looked at.",
        )
        .counter([span.whole(agent.processes.binaries)]),
        named(
            "gostray.agent.mode.count",
            "{process}",
            "Watched processes by how much is watched.",
        )
        .up_and_down(by_kind(&agent.modes, span, "gostray.mode")),
    ]
}

fn sinks(agent: &AgentSample, span: Span) -> Vec<Metric> {
    let of_each = |count: fn(&SinkSample) -> u64| {
        agent.sinks.iter().map(move |sink| {
            let point = span.whole(count(sink));
            point.of("gostray.sink.name", &sink.name)
        })
    };
    let errors = agent.sinks.iter().flat_map(|sink| {
        sink.errors.iter().map(move |(kind, count)| {
            let point = span.whole(*count).of("gostray.sink.name", &sink.name);
            point.of("gostray.error.kind", kind)
        })
    });
    vec![
        named(
            "gostray.agent.sink.queued",
            "{item}",
            "Events and samples that wait to be delivered.",
        )
        .up_and_down(of_each(|sink| sink.queued)),
        named(
            "gostray.agent.sink.capacity",
            "{item}",
            "How many may wait.",
        )
        .up_and_down(of_each(|sink| sink.capacity)),
        named(
            "gostray.agent.sink.sent",
            "{item}",
            "Events and samples delivered.",
        )
        .counter(of_each(|sink| sink.sent)),
        named(
            "gostray.agent.sink.dropped",
            "{item}",
            "Events and samples given up.",
        )
        .counter(of_each(|sink| sink.dropped)),
        named(
            "gostray.agent.sink.errors",
            "{error}",
            "Attempts to deliver that failed, by kind.",
        )
        .counter(errors),
    ]
}

fn troubles(agent: &AgentSample, span: Span) -> Vec<Metric> {
    vec![
        named(
            "gostray.agent.errors",
            "{error}",
            "What went wrong, by kind.",
        )
        .counter(by_kind(&agent.errors, span, "gostray.error.kind")),
        named("gostray.agent.drops", "{item}", "What was lost, by kind.").counter(by_kind(
            &agent.drops,
            span,
            "gostray.drop.kind",
        )),
        named(
            "gostray.agent.reloads",
            "{reload}",
            "How often the configuration was read again.",
        )
        .counter([span.whole(agent.reloads)]),
    ]
}

fn by_kind<'a>(
    counts: &'a BTreeMap<&'static str, u64>,
    span: Span,
    key: &'a str,
) -> impl Iterator<Item = Point> + 'a {
    let point = move |(kind, count): (&&'static str, &u64)| span.whole(*count).of(key, kind);
    counts.iter().map(point)
}
