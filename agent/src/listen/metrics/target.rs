//! What is told of a watched process.

use std::{
    borrow::Cow,
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    counts::Distribution,
    families::{Families, In, about, about_in},
    labels::{self, Label, SiteLabels},
    sites::{Chosen, Line},
};
use crate::{
    detect::Verdict,
    report::node::{LATENCY_BOUNDS, RuntimeMetrics, TargetSample},
};

/// A process with the labels of all its metrics.
pub(super) struct Target<'a> {
    sample: &'a TargetSample,
    chosen: &'a Chosen,
    labels: Vec<Label<'static>>,
}

/// The target's labels, and those of the metric.
type Labels<'a> = (&'a [Label<'a>], Vec<Label<'a>>);

impl<'a> Target<'a> {
    pub(super) fn new(sample: &'a TargetSample, chosen: &'a Chosen) -> Self {
        Self {
            sample,
            chosen,
            labels: labels::of_target(&sample.target),
        }
    }

    fn alone(&self) -> Labels<'_> {
        (&self.labels, Vec::new())
    }

    fn with<'b>(&'b self, labels: impl IntoIterator<Item = (&'static str, &'b str)>) -> Labels<'b> {
        let own = labels.into_iter();
        (
            &self.labels,
            own.map(|(name, value)| (name, Cow::from(value))).collect(),
        )
    }
}

const VERDICTS: [Verdict; 3] = [Verdict::Suspect, Verdict::Likely, Verdict::Proven];
const MODES: [&str; 4] = ["full", "lifetimes", "focused", "census"];

/// Open leaks of a process that are told apart.
const LEAKS: usize = 20;

/// All but the sites and the runtime's own figures.
pub(super) fn write(targets: &[Target<'_>], families: &mut Families<'_>) -> fmt::Result {
    families.info(
        about("gostray_target", "Who a watched process is."),
        targets.iter().map(|target| {
            let identity = labels::identity(target.sample);
            (
                (&target.labels[..], identity),
                labels::of_pod(&target.sample.target),
            )
        }),
    )?;
    let each = |of: fn(&TargetSample) -> Option<f64>| {
        let told = move |target| {
            let target: &Target<'_> = target;
            Some((
                target.alone(),
                of(target.sample).filter(|value| value.is_finite())?,
            ))
        };
        targets.iter().filter_map(told)
    };
    for (about, of) in figures() {
        families.gauge(about, each(of))?;
    }
    families.gauge(
        about(
            "gostray_mode",
            "How much is watched of the process: 1 for the mode it is in.",
        ),
        targets.iter().flat_map(|target| {
            let now = target.sample.status.mode;
            MODES.map(move |mode| (target.with([("mode", mode)]), u64::from(mode == now)))
        }),
    )?;
    families.gauge(
        about_in(
            In::Ratio,
            "gostray_overhead",
            "What watching the process costs of late, in cores: the agent's part, and that of the probes in the process.",
        ),
        targets.iter().flat_map(|target| {
            let overhead = &target.sample.status.overhead;
            let parts = [("agent", overhead.agent_cpu_ratio), ("target", overhead.target_cpu_ratio)];
            let told = parts.into_iter();
            told.filter_map(|(part, ratio)| Some((target.with([("part", part)]), ratio?)))
        }),
    )?;
    for (about, of) in counters() {
        let told = targets
            .iter()
            .map(|target| (target.alone(), of(target.sample)));
        families.counter(about, told)?;
    }
    families.counter(
        about(
            "gostray_drops",
            "What the kernel side could not keep, by kind.",
        ),
        targets.iter().flat_map(|target| {
            let drops = target.sample.status.drops.iter();
            drops.map(|(kind, count)| (target.with([("kind", *kind)]), *count))
        }),
    )?;
    families.gauge(
        about(
            "gostray_goroutines",
            "Goroutines at the last look, by state and by what they wait for.",
        ),
        targets.iter().flat_map(|target| {
            target.sample.goroutines.iter().flatten().map(|group| {
                let mut labels = vec![("state", group.state.as_str())];
                labels.extend(
                    group
                        .wait_reason
                        .as_ref()
                        .map(|reason| ("wait_reason", &**reason)),
                );
                (target.with(labels), group.count)
            })
        }),
    )?;
    write_leaks(targets, families)
}

type Figure = (super::families::About, fn(&TargetSample) -> Option<f64>);

fn figures() -> [Figure; 13] {
    [
        (
            about_in(
                In::Seconds,
                "gostray_target_start_time",
                "When the process was started, in Unix time.",
            ),
            |sample| unix(sample.target.started),
        ),
        (
            about_in(
                In::Seconds,
                "gostray_watch_start_time",
                "Since when it is watched, in Unix time: the beginning of its counts.",
            ),
            |sample| unix(sample.began),
        ),
        (
            about_in(
                In::Seconds,
                "gostray_sample_time",
                "When what is told of the process was taken, in Unix time.",
            ),
            |sample| unix(sample.taken),
        ),
        (
            about_in(
                In::Ratio,
                "gostray_coverage",
                "Share of the created goroutines that is tracked, or was seen.",
            ),
            |sample| Some(sample.status.coverage),
        ),
        (
            about_in(
                In::Ratio,
                "gostray_budget",
                "What watching the process may cost, in cores.",
            ),
            |sample| sample.status.overhead.budget_ratio,
        ),
        (
            about("gostray_probes", "Probes attached to the process."),
            |sample| Some(sample.status.probes as f64),
        ),
        (
            about_in(
                In::Seconds,
                "gostray_observation_interval",
                "Time between the last two looks at all goroutines.",
            ),
            |sample| sample.status.observed_every_seconds,
        ),
        (
            about_in(
                In::Bytes,
                "gostray_target_resident_memory",
                "RSS of the process.",
            ),
            |sample| count(sample.status.process.rss_bytes),
        ),
        (
            about_in(
                In::Bytes,
                "gostray_target_memory_limit",
                "The limit of memory that is reached first: a cgroup's or the machine's.",
            ),
            |sample| count(sample.status.process.memory_limit_bytes),
        ),
        (
            about_in(
                In::Bytes,
                "gostray_target_memory_used",
                "What all who share that limit use of it.",
            ),
            |sample| count(sample.status.process.memory_used_bytes),
        ),
        (
            about_in(
                In::Ratio,
                "gostray_target_cpu",
                "Processors the process keeps busy, in cores.",
            ),
            |sample| sample.status.process.cpu_ratio,
        ),
        (
            about_in(
                In::Bytes,
                "gostray_go_heap_live",
                "The Go heap: what the garbage collector takes to be alive.",
            ),
            |sample| count(sample.status.process.heap_bytes),
        ),
        (
            about(
                "gostray_goroutines_alive",
                "Goroutines alive, those older than gostray included.",
            ),
            |sample| count(sample.status.goroutines),
        ),
    ]
}

type Counter = (super::families::About, fn(&TargetSample) -> u64);

fn counters() -> [Counter; 2] {
    [
        (
            about("gostray_probe_hits", "How often a probe was hit."),
            |sample| sample.status.overhead.probe_hits,
        ),
        (
            about(
                "gostray_probe_refused_hits",
                "Hits that were turned away because they cost too much.",
            ),
            |sample| sample.status.overhead.refused_hits,
        ),
    ]
}

fn write_leaks(targets: &[Target<'_>], families: &mut Families<'_>) -> fmt::Result {
    families.gauge(
        about("gostray_leaks", "Open leaks, by how sure they are."),
        targets.iter().flat_map(|target| {
            VERDICTS.map(|verdict| {
                let leaks = target.sample.status.leaks.iter();
                let open = leaks.filter(|leak| leak.verdict == verdict).count();
                (target.with([("verdict", verdict.as_str())]), open as u64)
            })
        }),
    )?;
    families.counter(
        about(
            "gostray_leaks_told",
            "Leaks told since the process is watched, by how sure they were.",
        ),
        targets.iter().flat_map(|target| {
            let told = VERDICTS.into_iter().zip(target.sample.leaks_told);
            told.map(|(verdict, count)| (target.with([("verdict", verdict.as_str())]), count))
        }),
    )?;
    let growth: Vec<Vec<(SiteLabels, f64)>> =
        targets.iter().map(|target| leaks(target.sample)).collect();
    families.gauge(
        about(
            "gostray_leak_growth_per_minute",
            "Goroutines by which an open leak grows in a minute; negative where it shrinks.",
        ),
        targets.iter().zip(&growth).flat_map(|(target, leaks)| {
            let labelled = |(site, growth): &'_ (SiteLabels, f64)| (site.clone(), *growth);
            leaks.iter().map(labelled).map(|(site, growth)| {
                let own = site.labels().into_iter();
                let own = own.map(|(name, value)| (name, Cow::Owned(value.into_owned())));
                (
                    (&target.labels[..], own.collect::<Vec<Label<'static>>>()),
                    growth,
                )
            })
        }),
    )
}

/// Open leaks whose growth is known, those that take most memory first; those beyond what is told apart in sum.
fn leaks(sample: &TargetSample) -> Vec<(SiteLabels, f64)> {
    let mut told: Vec<(SiteLabels, f64)> = Vec::new();
    for leak in &sample.status.leaks {
        let Some(growth) = leak
            .impact
            .goroutines_per_hour
            .filter(|rate| rate.is_finite())
        else {
            continue;
        };
        let mut site = SiteLabels::of(&leak.site);
        let known = told.iter().position(|(known, _)| *known == site);
        if known.is_none() && told.len() >= LEAKS {
            site = SiteLabels::sum("other");
        }
        match told.iter_mut().find(|(known, _)| *known == site) {
            Some((_, sum)) => *sum += growth / 60.0,
            None => told.push((site, growth / 60.0)),
        }
    }
    told
}

/// Creation sites.
pub(super) fn write_sites(targets: &[Target<'_>], families: &mut Families<'_>) -> fmt::Result {
    families.gauge(
        about(
            "gostray_sites",
            "Creation sites that are known of the process.",
        ),
        targets
            .iter()
            .map(|target| (target.alone(), target.chosen.sites)),
    )?;
    let lines = || {
        targets.iter().flat_map(|target| {
            let lines = target.chosen.lines.iter();
            lines.map(|line: &Line| ((&target.labels[..], line.site.labels()), line))
        })
    };
    families.gauge(
        about(
            "gostray_site_goroutines",
            "Goroutines of a creation site, created since it is watched and alive.",
        ),
        lines().map(|(labels, line)| (labels, line.live)),
    )?;
    families.gauge(
        about(
            "gostray_site_older_goroutines",
            "Goroutines of a creation site alive that are older than gostray, at least.",
        ),
        lines().filter_map(|(labels, line)| Some((labels, line.older?))),
    )?;
    families.counter(
        about(
            "gostray_site_created",
            "Goroutines created at a creation site.",
        ),
        lines().map(|(labels, line)| (labels, line.counts.created)),
    )?;
    families.counter(
        about(
            "gostray_site_exited",
            "Goroutines of a creation site that ended, of those created since it is watched.",
        ),
        lines().map(|(labels, line)| (labels, line.counts.exited)),
    )?;
    families.histogram(
        about_in(
            In::Seconds,
            "gostray_site_lifetime",
            "How long goroutines of a creation site lived; the sum is an estimate.",
        ),
        lines().map(|(labels, line)| (labels, &line.counts.lifetimes)),
    )
}

/// What the Go runtime counts of itself.
pub(super) fn write_runtime(targets: &[Target<'_>], families: &mut Families<'_>) -> fmt::Result {
    let gauge = |of: fn(&RuntimeMetrics) -> Option<u64>| {
        targets
            .iter()
            .filter_map(move |target| Some((target.alone(), of(&target.sample.runtime)?)))
    };
    families.gauge(
        about(
            "gostray_go_goroutines",
            "Goroutines as the Go runtime counts them, its own left out.",
        ),
        gauge(|runtime| runtime.goroutines),
    )?;
    families.gauge(
        about_in(
            In::Bytes,
            "gostray_go_memory_used",
            "Memory that the Go runtime has from the system, by what it is used for.",
        ),
        targets.iter().flat_map(|target| {
            let runtime = &target.sample.runtime;
            let types = [
                ("stack", runtime.stack_bytes),
                ("other", runtime.other_bytes),
            ];
            let known = types.into_iter();
            known.filter_map(|(kind, bytes)| Some((target.with([("type", kind)]), bytes?)))
        }),
    )?;
    families.gauge(
        about_in(
            In::Bytes,
            "gostray_go_memory_limit",
            "GOMEMLIMIT, where there is one.",
        ),
        gauge(|runtime| runtime.memory_limit_bytes),
    )?;
    families.counter(
        about_in(
            In::Bytes,
            "gostray_go_memory_allocated",
            "Bytes allocated on the heap since the program began.",
        ),
        gauge(|runtime| runtime.allocated_bytes),
    )?;
    families.counter(
        about(
            "gostray_go_memory_allocations",
            "Objects allocated on the heap since the program began.",
        ),
        gauge(|runtime| runtime.allocated_objects),
    )?;
    families.gauge(
        about_in(
            In::Bytes,
            "gostray_go_memory_gc_goal",
            "Heap size at which the garbage collector means to be done.",
        ),
        gauge(|runtime| runtime.gc_goal_bytes),
    )?;
    families.gauge(
        about("gostray_go_processor_limit", "GOMAXPROCS."),
        gauge(|runtime| runtime.processor_limit),
    )?;
    families.gauge(
        about_in(
            In::Ratio,
            "gostray_go_config_gogc",
            "GOGC as a ratio: 1 for 100 per cent.",
        ),
        targets.iter().filter_map(|target| {
            let percent = target.sample.runtime.gogc_percent?;
            Some((target.alone(), percent as f64 / 100.0))
        }),
    )?;
    families.histogram(
        about_in(In::Seconds, "gostray_go_schedule_duration", "How long goroutines waited, ready to run, until they ran; the sum is an upper estimate."),
        targets.iter().filter_map(|target| {
            let schedule = target.sample.runtime.schedule.as_ref()?;
            let mut told = Distribution::empty(&LATENCY_BOUNDS);
            // The runtime's buckets are narrow: their upper bound is a fair estimate.
            told.add(&schedule.buckets, 1.0);
            Some((target.alone(), told))
        }),
    )
}

fn unix(time: SystemTime) -> Option<f64> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs_f64())
}

/// As near as a metric's value can be.
fn count(count: Option<u64>) -> Option<f64> {
    count.map(|count| count as f64)
}
