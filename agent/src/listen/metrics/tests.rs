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
    let leaks = vec![leak(&node.targets[0].status.sites[0])];
    std::sync::Arc::make_mut(&mut node.targets[0]).status.leaks = leaks;
    let text = text(node);
    let target = "pid=\"4321\",name=\"server\",service=\"search\",namespace=\"shop\",\
                  pod=\"search-5d4f\",container=\"search\"";
    // What they mean is in the documentation, and one bucket is as another.
    let told = text.lines().filter(|line| {
        !line.starts_with("# HELP") && (!line.contains("_bucket{") || line.contains("=\"0.0"))
    });
    let told: Vec<_> = told.map(|line| line.replace(target, "TARGET")).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    # TYPE gostray_target_info gauge
    gostray_target_info{TARGET,exe="/srv/app/server",go_version="go1.27.4",architecture="amd64",build_id="8f2c01",main_module="example.com/app",vcs_revision="5a1b2c3d",cgroup="/kubepods.slice/kubepods-pod12.slice/cri-containerd-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope",container_id="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",container_image="example.com/search:1.4",container_runtime="containerd",pod_uid="8f2c01aa-0000-4000-8000-000000000012",node="node-1",namespace_pid="1",pod_label_app="search"} 1
    # TYPE gostray_target_start_time_seconds gauge
    gostray_target_start_time_seconds{TARGET} 1795000000.0
    # TYPE gostray_watch_start_time_seconds gauge
    gostray_watch_start_time_seconds{TARGET} 1795000010.0
    # TYPE gostray_sample_time_seconds gauge
    gostray_sample_time_seconds{TARGET} 1795000070.0
    # TYPE gostray_coverage_ratio gauge
    gostray_coverage_ratio{TARGET} 1.0
    # TYPE gostray_budget_ratio gauge
    gostray_budget_ratio{TARGET} 0.01
    # TYPE gostray_probes gauge
    gostray_probes{TARGET} 2.0
    # TYPE gostray_observation_interval_seconds gauge
    gostray_observation_interval_seconds{TARGET} 1.0
    # TYPE gostray_goroutines_alive gauge
    gostray_goroutines_alive{TARGET} 421.0
    # TYPE gostray_mode gauge
    gostray_mode{TARGET,mode="full"} 0
    gostray_mode{TARGET,mode="lifetimes"} 1
    gostray_mode{TARGET,mode="focused"} 0
    gostray_mode{TARGET,mode="census"} 0
    # TYPE gostray_overhead_ratio gauge
    gostray_overhead_ratio{TARGET,part="agent"} 0.0012
    gostray_overhead_ratio{TARGET,part="target"} 0.0003
    # TYPE gostray_probe_hits_total counter
    gostray_probe_hits_total{TARGET} 20412
    # TYPE gostray_probe_refused_hits_total counter
    gostray_probe_refused_hits_total{TARGET} 0
    # TYPE gostray_drops_total counter
    gostray_drops_total{TARGET,kind="map_error"} 0
    gostray_drops_total{TARGET,kind="site_map_full"} 0
    # TYPE gostray_goroutines gauge
    gostray_goroutines{TARGET,state="waiting",wait_reason="chan send"} 412
    gostray_goroutines{TARGET,state="running"} 9
    # TYPE gostray_leaks gauge
    gostray_leaks{TARGET,verdict="suspect"} 0
    gostray_leaks{TARGET,verdict="likely"} 1
    gostray_leaks{TARGET,verdict="proven"} 0
    # TYPE gostray_leaks_told_total counter
    gostray_leaks_told_total{TARGET,verdict="suspect"} 0
    gostray_leaks_told_total{TARGET,verdict="likely"} 1
    gostray_leaks_told_total{TARGET,verdict="proven"} 0
    # TYPE gostray_leak_growth_per_minute gauge
    gostray_leak_growth_per_minute{TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 2.0
    # TYPE gostray_sites gauge
    gostray_sites{TARGET} 2
    # TYPE gostray_site_goroutines gauge
    gostray_site_goroutines{TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 412
    gostray_site_goroutines{TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 412
    # TYPE gostray_site_older_goroutines gauge
    gostray_site_older_goroutines{TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 7
    gostray_site_older_goroutines{TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 7
    # TYPE gostray_site_created_total counter
    gostray_site_created_total{TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 10412
    gostray_site_created_total{TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 10412
    # TYPE gostray_site_exited_total counter
    gostray_site_exited_total{TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 10000
    gostray_site_exited_total{TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 10000
    # TYPE gostray_site_lifetime_seconds histogram
    gostray_site_lifetime_seconds_sum{TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 409.73107200000006
    gostray_site_lifetime_seconds_count{TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 10000
    gostray_site_lifetime_seconds_bucket{le="0.000001024",TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 0
    gostray_site_lifetime_seconds_bucket{le="0.000004096",TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 0
    gostray_site_lifetime_seconds_bucket{le="0.000016384",TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 0
    gostray_site_lifetime_seconds_bucket{le="0.000065536",TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 0
    gostray_site_lifetime_seconds_bucket{le="0.000262144",TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 0
    gostray_site_lifetime_seconds_bucket{le="0.001048576",TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 9000
    gostray_site_lifetime_seconds_bucket{le="0.004194304",TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 9000
    gostray_site_lifetime_seconds_bucket{le="0.016777216",TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 9000
    gostray_site_lifetime_seconds_bucket{le="0.067108864",TARGET,site="main.search:31",start="main.search.func1",file="/src/app/search.go"} 9000
    gostray_site_lifetime_seconds_sum{TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 409.73107200000006
    gostray_site_lifetime_seconds_count{TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 10000
    gostray_site_lifetime_seconds_bucket{le="0.000001024",TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 0
    gostray_site_lifetime_seconds_bucket{le="0.000004096",TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 0
    gostray_site_lifetime_seconds_bucket{le="0.000016384",TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 0
    gostray_site_lifetime_seconds_bucket{le="0.000065536",TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 0
    gostray_site_lifetime_seconds_bucket{le="0.000262144",TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 0
    gostray_site_lifetime_seconds_bucket{le="0.001048576",TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 9000
    gostray_site_lifetime_seconds_bucket{le="0.004194304",TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 9000
    gostray_site_lifetime_seconds_bucket{le="0.016777216",TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 9000
    gostray_site_lifetime_seconds_bucket{le="0.067108864",TARGET,site="main.(*pool).start:12",start="main.search.func1",file="/src/app/pool.go"} 9000
    # TYPE gostray_go_goroutines gauge
    gostray_go_goroutines{TARGET} 416
    # TYPE gostray_go_memory_used_bytes gauge
    gostray_go_memory_used_bytes{TARGET,type="stack"} 1048576
    gostray_go_memory_used_bytes{TARGET,type="other"} 12582912
    # TYPE gostray_go_memory_allocated_bytes_total counter
    gostray_go_memory_allocated_bytes_total{TARGET} 3000000000
    # TYPE gostray_go_memory_allocations_total counter
    gostray_go_memory_allocations_total{TARGET} 40000000
    # TYPE gostray_go_memory_gc_goal_bytes gauge
    gostray_go_memory_gc_goal_bytes{TARGET} 4194304
    # TYPE gostray_go_processor_limit gauge
    gostray_go_processor_limit{TARGET} 4
    # TYPE gostray_go_config_gogc_ratio gauge
    gostray_go_config_gogc_ratio{TARGET} 1.0
    # TYPE gostray_go_schedule_duration_seconds histogram
    gostray_go_schedule_duration_seconds_sum{TARGET} 0.1009
    gostray_go_schedule_duration_seconds_count{TARGET} 1000
    gostray_go_schedule_duration_seconds_bucket{le="0.000001024",TARGET} 900
    gostray_go_schedule_duration_seconds_bucket{le="0.000004096",TARGET} 900
    gostray_go_schedule_duration_seconds_bucket{le="0.000016384",TARGET} 900
    gostray_go_schedule_duration_seconds_bucket{le="0.000065536",TARGET} 900
    gostray_go_schedule_duration_seconds_bucket{le="0.000262144",TARGET} 900
    gostray_go_schedule_duration_seconds_bucket{le="0.001048576",TARGET} 1000
    gostray_go_schedule_duration_seconds_bucket{le="0.004194304",TARGET} 1000
    gostray_go_schedule_duration_seconds_bucket{le="0.016777216",TARGET} 1000
    gostray_go_schedule_duration_seconds_bucket{le="0.067108864",TARGET} 1000
    # TYPE gostray_agent_info gauge
    gostray_agent_info{version="0.1.0"} 1
    # TYPE gostray_agent_start_time_seconds gauge
    gostray_agent_start_time_seconds 1795000000.0
    # TYPE gostray_agent_budget_ratio gauge
    gostray_agent_budget_ratio 0.02
    # TYPE gostray_agent_spent_ratio gauge
    gostray_agent_spent_ratio 0.006
    # TYPE gostray_agent_resident_memory_bytes gauge
    gostray_agent_resident_memory_bytes 61000000.0
    # TYPE gostray_agent_memory_budget_bytes gauge
    gostray_agent_memory_budget_bytes 256000000.0
    # TYPE gostray_agent_cpu_seconds_total counter
    gostray_agent_cpu_seconds_total 0.31
    # TYPE gostray_agent_profiles_cpu_seconds_total counter
    gostray_agent_profiles_cpu_seconds_total 0.1
    # TYPE gostray_agent_probes_cpu_seconds_total counter
    gostray_agent_probes_cpu_seconds_total 0.05
    # TYPE gostray_agent_processes gauge
    gostray_agent_processes{state="watched"} 1
    gostray_agent_processes{state="left_alone"} 2
    gostray_agent_processes{state="failed"} 1
    # TYPE gostray_agent_modes gauge
    gostray_agent_modes{mode="lifetimes"} 1
    # TYPE gostray_agent_binaries_total counter
    gostray_agent_binaries_total 3
    # TYPE gostray_agent_programs_seen_total counter
    gostray_agent_programs_seen_total 57
    # TYPE gostray_agent_sink_queued gauge
    gostray_agent_sink_queued{sink="otlp_logs"} 2
    # TYPE gostray_agent_sink_capacity gauge
    gostray_agent_sink_capacity{sink="otlp_logs"} 1024
    # TYPE gostray_agent_sink_sent_total counter
    gostray_agent_sink_sent_total{sink="otlp_logs"} 17
    # TYPE gostray_agent_sink_dropped_total counter
    gostray_agent_sink_dropped_total{sink="otlp_logs"} 3
    # TYPE gostray_agent_sink_errors_total counter
    gostray_agent_sink_errors_total{sink="otlp_logs",kind="connect"} 4
    # TYPE gostray_agent_errors_total counter
    gostray_agent_errors_total{kind="attach"} 1
    # TYPE gostray_agent_drops_total counter
    gostray_agent_drops_total{kind="exec_events"} 0
    # TYPE gostray_agent_reloads_total counter
    gostray_agent_reloads_total 1
    # TYPE gostray_agent_http_responses_total counter
    gostray_agent_http_responses_total{code="200"} 17
    gostray_agent_http_responses_total{code="403"} 1
    # TYPE gostray_agent_http_refused_connections_total counter
    gostray_agent_http_refused_connections_total 2
    "#);
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
        "\ngostray_agent_cpu_seconds_total 0.31\n",
    ] {
        assert!(text.contains(line), "no {line:?} in {text}");
    }
    assert!(text.ends_with("\n# EOF\n"));
}

#[test]
fn every_metric_is_in_the_documentation() {
    let documented = include_str!("../../../../docs/metrics.md");
    let mut node = samples::node();
    let leaks = vec![leak(&node.targets[0].status.sites[0])];
    std::sync::Arc::make_mut(&mut node.targets[0]).status.leaks = leaks;
    std::sync::Arc::make_mut(&mut node.targets[0])
        .runtime
        .memory_limit_bytes = Some(1 << 30);
    let process = &mut std::sync::Arc::make_mut(&mut node.targets[0])
        .status
        .process;
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
        targets: targets.into_iter().map(std::sync::Arc::new).collect(),
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
