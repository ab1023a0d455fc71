//! What is known of a watched process: its goroutines, its sites, its leaks, and what watching it costs.

use opentelemetry_proto::tonic::metrics::v1::Metric;

use super::{
    points::{Point, Span, named},
    sites::Share,
};
use crate::{
    detect::Verdict,
    export::otlp::{attributes::Attributes, leak},
    report::node::TargetSample,
};

/// All modes, so that each has a series from the beginning.
const MODES: [&str; 4] = ["full", "lifetimes", "focused", "census"];
const VERDICTS: [Verdict; 3] = [Verdict::Suspect, Verdict::Likely, Verdict::Proven];
/// The sites without series of their own.
const OTHER: &str = "other";
/// Growth of leaks at sites without series of their own is summed.
const MINUTES: f64 = 60.0;

/// All of them.
pub(super) fn metrics(sample: &TargetSample, sites: &[Share<'_>]) -> Vec<Metric> {
    let span = Span {
        began: sample.began,
        taken: sample.taken,
    };
    let mut metrics = vec![goroutines(sample, span)];
    metrics.extend(of_sites(sites, span));
    metrics.extend(of_leaks(sample, sites, span));
    metrics.extend(of_watching(sample, span));
    metrics
}

fn goroutines(sample: &TargetSample, span: Span) -> Metric {
    let states = sample.goroutines.iter().flatten().map(|state| {
        let point = span.whole(state.count);
        let point = point.of("gostray.goroutine.state", state.state.as_str());
        match &state.wait_reason {
            Some(reason) => point.of("gostray.goroutine.wait_reason", reason),
            None => point,
        }
    });
    named(
        "gostray.goroutine.count",
        "{goroutine}",
        "Goroutines by what they do and what they wait for, the runtime's own included.",
    )
    .up_and_down(states)
}

fn site_attributes(share: &Share<'_>) -> Attributes {
    let mut attributes = Attributes::default();
    match share.site {
        Some(site) => leak::site(&mut attributes, site),
        None => {
            attributes.text("gostray.site.id", OTHER);
        }
    }
    attributes
}

fn of_sites(sites: &[Share<'_>], span: Span) -> Vec<Metric> {
    let own = |share: &Share<'_>| Span {
        began: share.began,
        ..span
    };
    let point = |value: fn(&Share<'_>) -> u64| {
        sites
            .iter()
            .map(move |share| own(share).whole(value(share)).with(&site_attributes(share)))
    };
    let lifetimes = sites.iter().map(|share| {
        let counted = share.sums.lifetimes.clone();
        (own(share), site_attributes(share), counted)
    });
    vec![
        named(
            "gostray.site.goroutine.live",
            "{goroutine}",
            "Goroutines of a creation site that are alive.",
        )
        .up_and_down(point(|share| share.live)),
        named(
            "gostray.site.goroutine.created",
            "{goroutine}",
            "Goroutines created at a site since it is watched.",
        )
        .counter(point(|share| share.sums.created)),
        named(
            "gostray.site.goroutine.exited",
            "{goroutine}",
            "Goroutines of a site that have ended since it is watched.",
        )
        .counter(point(|share| share.sums.exited)),
        named(
            "gostray.site.goroutine.lifetime",
            "s",
            "How long the goroutines of a site lived that have ended.",
        )
        .histogram(lifetimes),
    ]
}

fn of_leaks(sample: &TargetSample, sites: &[Share<'_>], span: Span) -> Vec<Metric> {
    let leaks = &sample.status.leaks;
    let open = VERDICTS.map(|verdict| {
        let open = leaks.iter().filter(|leak| leak.verdict == verdict);
        let point = span.whole(open.count() as u64);
        point.of("gostray.leak.verdict", verdict.as_str())
    });
    let told = VERDICTS
        .iter()
        .zip(sample.leaks_told)
        .map(|(verdict, told)| {
            span.whole(told)
                .of("gostray.leak.verdict", verdict.as_str())
        });
    vec![
        named(
            "gostray.leak.open",
            "{leak}",
            "Sites that leak now, by how sure that is.",
        )
        .up_and_down(open),
        named(
            "gostray.leak.told",
            "{leak}",
            "Leaks told since the process is watched, by how sure they were.",
        )
        .counter(told),
        named(
            "gostray.leak.growth",
            "{goroutine}/min",
            "Goroutines by which a leak grows in a minute.",
        )
        .gauge(growth(sample, sites, span)),
    ]
}

fn growth(sample: &TargetSample, sites: &[Share<'_>], span: Span) -> Vec<Point> {
    let mut points = Vec::new();
    let mut other: Option<f64> = None;
    for leak in &sample.status.leaks {
        let Some(growth) = leak.impact.goroutines_per_hour else {
            continue;
        };
        let share = sites
            .iter()
            .find(|share| share.site.is_some_and(|site| site.id == leak.id));
        match share {
            Some(share) => {
                let point = span.real(growth / MINUTES);
                points.push(point.with(&site_attributes(share)));
            }
            None => *other.get_or_insert(0.0) += growth / MINUTES,
        }
    }
    points.extend(other.map(|growth| span.real(growth).of("gostray.site.id", OTHER)));
    points
}

fn of_watching(sample: &TargetSample, span: Span) -> Vec<Metric> {
    let overhead = &sample.status.overhead;
    let parts = [
        ("agent", overhead.agent_cpu_ratio),
        ("probes", overhead.target_cpu_ratio),
    ];
    let parts = parts.into_iter().filter_map(|(part, cores)| {
        let point = span.real(cores?);
        Some(point.of("gostray.overhead.part", part))
    });
    let modes = MODES.map(|mode| {
        let is_this = sample.status.mode == mode;
        span.whole(u64::from(is_this)).of("gostray.mode", mode)
    });
    let drops = sample.status.drops.iter();
    let drops = drops.map(|(kind, count)| span.whole(*count).of("gostray.drop.kind", kind));
    vec![
        named(
            "gostray.overhead.cpu",
            "{cpu}",
            "Processors kept busy by watching this process.",
        )
        .gauge(parts),
        named(
            "gostray.overhead.budget",
            "{cpu}",
            "Processors that watching this process may keep busy.",
        )
        .gauge(overhead.budget_ratio.map(|budget| span.real(budget))),
        named(
            "gostray.mode",
            "1",
            "How much is watched: 1 for the mode it is in, 0 for the others.",
        )
        .gauge(modes),
        named(
            "gostray.coverage",
            "1",
            "Share of the goroutines created that are tracked, or were seen.",
        )
        .gauge([span.real(sample.status.coverage)]),
        named(
            "gostray.probe.drops",
            "{event}",
            "What the kernel side could not keep, by kind.",
        )
        .counter(drops),
    ]
}
