//! What is told of the agent itself.

use std::{fmt, time::UNIX_EPOCH};

use super::{
    Served,
    families::{Families, In, about, about_in},
};
use crate::report::node::{AgentSample, SinkSample};

/// All of it.
pub(super) fn write(
    agent: &AgentSample,
    served: &Served,
    families: &mut Families<'_>,
) -> fmt::Result {
    families.info(
        about("gostray_agent", "The agent."),
        [[("version", agent.version)]],
    )?;
    let unix = |time: std::time::SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).ok();
        since.map(|since| since.as_secs_f64())
    };
    for (about, value) in [
        (
            about_in(
                In::Seconds,
                "gostray_agent_start_time",
                "When the agent was started, in Unix time.",
            ),
            unix(agent.started),
        ),
        (
            about_in(
                In::Ratio,
                "gostray_agent_budget",
                "What the agent and its probes may cost together, in cores.",
            ),
            agent.budget_ratio,
        ),
        (
            about_in(
                In::Ratio,
                "gostray_agent_spent",
                "What both have cost of late, in cores.",
            ),
            agent.spent_ratio,
        ),
        (
            about_in(
                In::Bytes,
                "gostray_agent_resident_memory",
                "RSS of the agent.",
            ),
            agent.memory_bytes.map(|bytes| bytes as f64),
        ),
        (
            about_in(
                In::Bytes,
                "gostray_agent_memory_budget",
                "What its memory may be.",
            ),
            Some(agent.memory_budget_bytes as f64),
        ),
    ] {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            families.one_gauge(about, value)?;
        }
    }
    for (about, seconds) in [
        (
            about_in(
                In::Seconds,
                "gostray_agent_cpu",
                "Processor time the agent has used.",
            ),
            agent.cpu_seconds,
        ),
        (
            about_in(
                In::Seconds,
                "gostray_agent_profiles_cpu",
                "Of that, what profiles took that were asked for: it is not in the budget.",
            ),
            agent.profiles_seconds,
        ),
        (
            about_in(
                In::Seconds,
                "gostray_agent_probes_cpu",
                "Processor time its probes have taken in targets: hits are counted, what one costs is estimated.",
            ),
            agent.probes_seconds,
        ),
    ] {
        families.one_counter(about, seconds)?;
    }
    processes(agent, families)?;
    sinks(&agent.sinks, families)?;
    families.counter(
        about("gostray_agent_errors", "What went wrong, by kind."),
        agent
            .errors
            .iter()
            .map(|(kind, count)| (vec![("kind", *kind)], *count)),
    )?;
    families.counter(
        about("gostray_agent_drops", "What was lost, by kind."),
        agent
            .drops
            .iter()
            .map(|(kind, count)| (vec![("kind", *kind)], *count)),
    )?;
    families.one_counter(
        about(
            "gostray_agent_reloads",
            "How often the configuration was read again.",
        ),
        agent.reloads,
    )?;
    families.counter(
        about(
            "gostray_agent_http_responses",
            "Requests that the listener has answered, by status.",
        ),
        served
            .answers
            .iter()
            .map(|(code, count)| (vec![("code", *code)], *count)),
    )?;
    families.one_counter(
        about(
            "gostray_agent_http_refused_connections",
            "Connections turned away because there were too many.",
        ),
        served.turned_away,
    )
}

fn processes(agent: &AgentSample, families: &mut Families<'_>) -> fmt::Result {
    let processes = &agent.processes;
    families.gauge(
        about(
            "gostray_agent_processes",
            "Go programs that run, by what the agent does with them.",
        ),
        [
            (vec![("state", "watched")], processes.watched),
            (vec![("state", "left_alone")], processes.left_alone),
            (vec![("state", "failed")], processes.failed),
        ],
    )?;
    families.gauge(
        about("gostray_agent_modes", "Watched processes by mode."),
        agent
            .modes
            .iter()
            .map(|(mode, count)| (vec![("mode", *mode)], *count)),
    )?;
    families.one_counter(
        about(
            "gostray_agent_binaries",
            "Executables looked at, each once.",
        ),
        processes.binaries,
    )?;
    families.one_counter(
        about(
            "gostray_agent_programs_seen",
            "Programs started that were seen, Go or not.",
        ),
        processes.seen,
    )
}

fn sinks(sinks: &[SinkSample], families: &mut Families<'_>) -> fmt::Result {
    let each = |of: fn(&SinkSample) -> u64| {
        sinks
            .iter()
            .map(move |sink| (vec![("sink", sink.name.as_str())], of(sink)))
    };
    families.gauge(
        about("gostray_agent_sink_queued", "What waits to be delivered."),
        each(|sink| sink.queued),
    )?;
    families.gauge(
        about("gostray_agent_sink_capacity", "How much may wait."),
        each(|sink| sink.capacity),
    )?;
    families.counter(
        about("gostray_agent_sink_sent", "What was delivered."),
        each(|sink| sink.sent),
    )?;
    families.counter(
        about("gostray_agent_sink_dropped", "What was given up."),
        each(|sink| sink.dropped),
    )?;
    families.counter(
        about(
            "gostray_agent_sink_errors",
            "Attempts that failed, by kind.",
        ),
        sinks.iter().flat_map(|sink| {
            let errors = sink.errors.iter();
            errors
                .map(|(kind, count)| (vec![("sink", sink.name.as_str()), ("kind", *kind)], *count))
        }),
    )
}
