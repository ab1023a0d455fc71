//! What is told, and that what only rises does.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{Exposition, Format, Served};
use crate::{
    detect::Verdict,
    report::{
        Impact, OpenLeak, SiteCounts,
        node::{BucketCount, NodeSample, TargetSample, samples},
        samples::{place, site_counts},
    },
};

fn write(exposition: &Exposition, node: NodeSample, format: Format) -> String {
    let served = Served {
        answers: BTreeMap::from([(200, 17), (403, 1)]),
        turned_away: 2,
    };
    exposition.write(Arc::new(node), served, format).unwrap()
}

fn text(node: NodeSample) -> String {
    write(&Exposition::new(20, 1000), node, Format::Text)
}

#[test]
fn all_that_is_known_is_told() {
    let mut node = samples::node();
    node.targets[0].status.leaks = vec![leak(&node.targets[0].status.sites[0])];
    insta::assert_snapshot!(text(node), @"");
}

#[test]
fn open_metrics_has_units_and_an_end() {
    let text = write(
        &Exposition::new(20, 1000),
        samples::node(),
        Format::OpenMetrics,
    );
    for line in [
        "# TYPE gostray_target info\n",
        "# TYPE gostray_site_created counter\n",
        "# UNIT gostray_site_lifetime_seconds seconds\n",
        "# UNIT gostray_coverage_ratio ratio\n",
        "# TYPE gostray_agent_cpu_seconds counter\n",
        "\ngostray_agent_cpu_seconds_total{} 0.31\n",
    ] {
        assert!(text.contains(line), "no {line:?} in {text}");
    }
    assert!(text.ends_with("\n# EOF\n"));
}

#[test]
fn every_metric_is_in_the_documentation() {
    let documented = include_str!("../../../../docs/metrics.md");
    let mut node = samples::node();
    node.targets[0].status.leaks = vec![leak(&node.targets[0].status.sites[0])];
    node.targets[0].runtime.memory_limit_bytes = Some(1 << 30);
    let process = &mut node.targets[0].status.process;
    process.rss_bytes = Some(1);
    process.heap_bytes = Some(1);
    process.cpu_ratio = Some(0.5);
    process.memory_limit_bytes = Some(1);
    process.memory_used_bytes = Some(1);
    let text = text(node);
    let told = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let told: Vec<_> = told.filter_map(|about| about.split_once(' ')).collect();
    for (name, kind) in &told {
        let row = format!("| `{name}` | {kind} |");
        assert!(documented.contains(&row), "docs/metrics.md lacks {row:?}");
    }
    let rows = documented
        .lines()
        .filter(|line| line.starts_with("| `gostray_"));
    for row in rows {
        let name = row.split('`').nth(1).unwrap();
        assert!(
            told.iter().any(|(told, _)| *told == name),
            "{name} is not told"
        );
    }
}

fn leak(site: &SiteCounts) -> OpenLeak {
    OpenLeak {
        id: site.site.id.clone(),
        site: site.site.clone(),
        verdict: Verdict::Likely,
        impact: Impact {
            goroutines_per_hour: Some(120.0),
            ..Impact::default()
        },
    }
}

/// The site number `n`, of which so many live.
fn site(n: u32, live: u64, counted: u64) -> SiteCounts {
    let mut site = site_counts(place(&format!("main.f{n}"), "/src/app/f.go", n), false);
    site.site.id = format!("{n:#x}");
    site.live = live;
    site.created = counted + live;
    site.exited = counted;
    site.lifetimes = vec![BucketCount {
        below_seconds: 1.024e-6,
        count: counted,
    }];
    site
}

fn target(pid: i32, mut sites: Vec<SiteCounts>) -> TargetSample {
    let mut target = samples::target();
    let mut identity = (*target.target).clone();
    identity.pid = pid;
    target.target = identity.into();
    sites.sort_by(|a, b| b.live.cmp(&a.live).then(b.created.cmp(&a.created)));
    target.status.sites = sites;
    target
}

fn node(targets: Vec<TargetSample>) -> NodeSample {
    NodeSample {
        targets,
        ..samples::node()
    }
}

/// Values of `metric` by the label `site`.
fn values(text: &str, metric: &str) -> BTreeMap<String, u64> {
    let start = format!("{metric}{{");
    let lines = text.lines().filter(|line| line.starts_with(&start));
    lines
        .map(|line| {
            let site = line.split("site=\"").nth(1).unwrap();
            let site = site.split('"').next().unwrap().to_owned();
            let value = line.rsplit(' ').next().unwrap().parse().unwrap();
            (site, value)
        })
        .collect()
}

const CREATED: &str = "gostray_site_created_total";

#[test]
fn sites_beyond_the_bound_are_summed() {
    let exposition = Exposition::new(2, 1000);
    let sites = (1..=5).map(|n| site(n, u64::from(n), 100)).collect();
    let text = write(&exposition, node(vec![target(1, sites)]), Format::Text);
    let created = values(&text, CREATED);
    let expected = [("main.f5:5", 105), ("main.f4:4", 104), ("other", 306)];
    let expected = expected.map(|(site, count)| (site.to_owned(), count));
    assert_eq!(created, BTreeMap::from(expected));
    assert_eq!(values(&text, "gostray_site_goroutines")["other"], 6);
    assert_eq!(
        values(&text, "gostray_site_lifetime_seconds_count")["other"],
        300
    );
}

#[test]
fn a_site_that_leaks_is_taken_in_and_nothing_falls() {
    let exposition = Exposition::new(1, 1000);
    let tell = |sites: Vec<SiteCounts>, leaks: &[u32]| {
        let mut target = target(1, sites);
        let leaking = |n: &u32| {
            target
                .status
                .sites
                .iter()
                .find(|s| s.site.id == format!("{n:#x}"))
        };
        target.status.leaks = leaks.iter().filter_map(leaking).map(leak).collect();
        values(
            &write(&exposition, node(vec![target]), Format::Text),
            CREATED,
        )
    };
    let first = tell(vec![site(1, 9, 0), site(2, 1, 50)], &[]);
    assert_eq!((first["main.f1:1"], first["other"]), (9, 51));
    // What site 2 had counted stays where it was.
    let second = tell(vec![site(1, 9, 0), site(2, 5, 50)], &[2]);
    assert_eq!((second["main.f2:2"], second["other"]), (0, 55));
    let third = tell(vec![site(1, 9, 0), site(2, 500, 50)], &[]);
    assert_eq!((third["main.f2:2"], third["other"]), (495, 55));
    // Once told apart it stays so, also when it is not the largest.
    let fourth = tell(vec![site(1, 9, 0), site(2, 0, 600), site(3, 70, 0)], &[]);
    assert_eq!((fourth["main.f2:2"], fourth["other"]), (545, 125));
}

#[test]
fn the_runtimes_own_sites_take_no_room() {
    let mut own = site(7, 1000, 0);
    own.system = true;
    let node = node(vec![target(1, vec![own, site(1, 1, 0)])]);
    let text = write(&Exposition::new(1, 1000), node, Format::Text);
    let live = values(&text, "gostray_site_goroutines");
    assert_eq!(live.len(), 2, "{live:?}");
    assert_eq!((live["runtime"], live["main.f1:1"]), (1000, 1));
}

#[test]
fn two_statements_in_one_line_are_one() {
    let mut same = site(1, 4, 0);
    same.site.id = "0xffff".into();
    let node = node(vec![target(1, vec![site(1, 3, 0), same])]);
    let text = write(&Exposition::new(5, 1000), node, Format::Text);
    assert_eq!(values(&text, CREATED)["main.f1:1"], 7);
}

#[test]
fn another_process_with_the_same_pid_begins_anew() {
    let exposition = Exposition::new(1, 1000);
    let tell = |counted, started| {
        let mut target = target(1, vec![site(1, 1, counted), site(2, 0, counted)]);
        target.began = samples::moment(started);
        values(
            &write(&exposition, node(vec![target]), Format::Text),
            CREATED,
        )
    };
    assert_eq!(tell(100, 0)["other"], 100);
    assert_eq!(
        tell(10, 0)["other"],
        100,
        "a count that falls is an error of ours"
    );
    assert_eq!(tell(10, 5)["other"], 10);
}

/// Ten thousand sites in each of two hundred processes.
#[test]
fn an_answer_is_bounded() {
    let sites: Vec<_> = (1..=10_000).map(|n| site(n, u64::from(n), 100)).collect();
    let targets = (1..=200).map(|pid| target(pid, sites.clone())).collect();
    let node = Arc::new(node(targets));
    let exposition = Exposition::new(20, 1000);
    let began = Instant::now();
    let served = Served::default();
    let text = exposition.write(node, served, Format::Text).unwrap();
    let took = began.elapsed();
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    println!("{} bytes, {series} series in {took:?}", text.len());
    assert_eq!(
        values(&text, CREATED).len(),
        6,
        "five of each process, and the others"
    );
    assert!(series < 50_000, "{series}");
    assert!(text.len() < 12 << 20, "{} bytes", text.len());
    // Not a bench; but no square of anything.
    assert!(took < Duration::from_secs(20), "{took:?}");
}

proptest! {
    /// Whatever sites do, and whoever comes and goes: no counter that is told falls, and all counters
    /// together rise by no more than was counted.
    #[test]
    fn counters_only_rise(
        steps in prop::collection::vec(
            (prop::collection::vec((0_u64..50, 0_u64..50), 12), 1_i32..6, prop::collection::vec(1_u32..13, 0..3)),
            1..12,
        ),
    ) {
        let exposition = Exposition::new(3, 6);
        let mut counted = [0_u64; 12];
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        let mut sum_before: Option<(u64, u64)> = None;
        for (sites, processes, leaks) in steps {
            let sites: Vec<_> = sites.iter().zip(1..).zip(&mut counted).map(|(((live, more), n), counted)| {
                *counted += more;
                let mut site = site(n, *live, *counted);
                site.created = *counted + 50;
                site
            }).collect();
            let all: u64 = sites.iter().map(|site| site.created).sum();
            let mut first = target(1, sites.clone());
            first.status.leaks = sites.iter().zip(1..).filter(|(_, n)| leaks.contains(n)).map(|(site, _)| leak(site)).collect();
            // Others, who take of the room for all.
            let mut targets = vec![first];
            targets.extend((2..=processes).map(|pid| target(pid, Vec::new())));
            let text = write(&exposition, node(targets), Format::Text);
            let told = values(&text, CREATED);
            for (site, count) in &told {
                if let Some(before) = last.get(site) {
                    prop_assert!(count >= before, "{site} fell from {before} to {count}");
                }
            }
            let gone: u64 = last.iter().filter(|(site, _)| !told.contains_key(*site)).map(|(_, n)| n).sum();
            let sum: u64 = told.values().sum();
            if let Some((sum_before, all_before)) = sum_before {
                prop_assert_eq!(sum + gone - sum_before, all - all_before);
            } else {
                prop_assert_eq!(sum, all);
            }
            sum_before = Some((sum, all));
            last = told;
        }
    }
}
