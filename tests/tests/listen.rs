//! The daemon's listener, asked by those it is made for: promtool, Prometheus, `go tool pprof`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use gostray::{
    binary::BinaryCache,
    listen::{
        ListenAddress, ListenConfig, Listener, Node, Profile, ProfileError, ProfileKind,
        take_profile,
    },
    report::{
        SiteCounts,
        node::{
            AgentSample, BucketCount, Identity, NodeSample, ScheduleLatencies, Service, SinkSample,
            TargetSample,
        },
    },
    session::ProveOptions,
};
use gostray_tests::{
    go::{self, Mode},
    lines::PATIENCE,
    need, need_root_and_releases, pprof,
    prometheus::{PROMETHEUS, PROMTOOL, Prometheus, Series, parse},
    prove::Proofs,
    samples, skip,
    target::Target,
};
use nix::{sys::signal::Signal, unistd::Pid};

/// What a daemon would know of some processes.
struct Told {
    sample: Mutex<Arc<NodeSample>>,
    binaries: BinaryCache,
}

impl Node for Told {
    fn sample(&self) -> Arc<NodeSample> {
        self.sample.lock().unwrap().clone()
    }

    fn readiness(&self) -> Result<(), String> {
        Ok(())
    }

    fn liveness(&self) -> Result<(), String> {
        Ok(())
    }

    fn profile(&self, pid: i32, kind: ProfileKind) -> Result<Profile, ProfileError> {
        take_profile(pid, kind, &self.binaries, &ProveOptions::default())
    }
}

fn listen(targets: Vec<TargetSample>) -> Result<Listener> {
    let config = ListenConfig {
        address: ListenAddress(([127, 0, 0, 1], 0).into()),
        ..ListenConfig::default()
    };
    let told = Told {
        sample: Mutex::new(Arc::new(node(targets))),
        binaries: BinaryCache::new(),
    };
    Ok(Listener::start(&config, Arc::new(told))?)
}

fn node(targets: Vec<TargetSample>) -> NodeSample {
    NodeSample {
        targets: targets.into_iter().map(Arc::new).collect(),
        agent: AgentSample {
            budget_ratio: Some(0.02),
            spent_ratio: Some(0.006),
            modes: BTreeMap::from([("lifetimes", 2)]),
            sinks: vec![SinkSample {
                name: "otlp_logs".into(),
                errors: BTreeMap::from([("connect", 4)]),
                ..SinkSample::default()
            }],
            errors: BTreeMap::from([("attach", 1)]),
            drops: BTreeMap::from([("exec_events", 0)]),
            ..samples::agent()
        },
    }
}

/// A process with so many sites.
fn target(pid: i32, name: &str, sites: u32) -> TargetSample {
    let identity = Identity {
        pid,
        name: name.into(),
        service: Service {
            name: Some("se\\ar\"ch\n".into()),
            attributes: BTreeMap::new(),
        },
        ..(*samples::identity()).clone()
    };
    let mut target = samples::target(&Arc::new(identity));
    let site = target.status.sites.remove(0);
    target.status.sites = (1..=sites).map(|n| numbered(&site, n)).collect();
    target.runtime.schedule = Some(ScheduleLatencies {
        buckets: vec![BucketCount {
            below_seconds: 0.001,
            count: 100,
        }],
    });
    target
}

fn numbered(site: &SiteCounts, n: u32) -> SiteCounts {
    let mut site = site.clone();
    site.site.id = format!("{n:#x}");
    site.site.created_at.function = format!("main.search[go.shape.{n}]");
    site.site.start.function = format!("main.search.func{n}");
    site.live = 1000 - u64::from(n);
    site
}

/// Two processes, one with more sites than are told apart.
fn two() -> Vec<TargetSample> {
    vec![
        target(4321, "server", 30),
        target(4322, "worker\u{1b}[2J", 3),
    ]
}

/// The body of the answer.
fn get(listener: &Listener, path: &str, headers: &str) -> Result<Vec<u8>> {
    let (head, body) = exchange(listener, path, headers)?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
    Ok(body)
}

fn exchange(listener: &Listener, path: &str, headers: &str) -> Result<(String, Vec<u8>)> {
    let address = listener.address();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = answer.split_off(end.context("no head")? + 4);
    Ok((String::from_utf8(answer)?, body))
}

/// What a program makes of `input`; an error if it fails.
fn piped(command: &mut Command, input: &[u8]) -> Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("piped")?.write_all(input)?;
    let done = child.wait_with_output()?;
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    ensure!(done.status.success(), "{}: {said}", done.status);
    Ok(said)
}

const OPEN_METRICS: &str = "Accept: application/openmetrics-text;version=1.0.0\r\n";

#[test]
#[ignore = "needs promtool"]
fn promtool_finds_nothing_to_say() {
    need!(Path::new(PROMTOOL).exists(), "prometheus is not installed");
    let listener = listen(two()).unwrap();
    let text = get(&listener, "/metrics", "").unwrap();
    let said = piped(Command::new(PROMTOOL).args(["check", "metrics"]), &text);
    assert_eq!(said.unwrap(), "");
}

/// The parser of the Prometheus project's own Python client is the strictest there is.
#[test]
#[ignore = "needs Python's prometheus_client"]
fn the_reference_parser_reads_open_metrics() {
    // Debian's, for which the set-up installs the module: another may come first in PATH.
    const PYTHON: &str = "/usr/bin/python3";
    const READ: &str = "import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
for family in parse(sys.stdin.read()):
    for sample in family.samples: print(sample.name)";
    let python =
        |script: &str, input: &[u8]| piped(Command::new(PYTHON).args(["-c", script]), input);
    need!(
        python("import prometheus_client", b"").is_ok(),
        "python3-prometheus-client is not installed"
    );
    let listener = listen(two()).unwrap();
    let open = get(&listener, "/metrics", OPEN_METRICS).unwrap();
    let read = python(READ, &open).unwrap();
    let text = String::from_utf8(open).unwrap();
    let written = text.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(read.lines().count(), written.count());
}

/// Without what changes with each request.
fn lasting(mut all: BTreeMap<Series, f64>) -> BTreeMap<Series, f64> {
    all.retain(|series, _| !series["__name__"].starts_with("gostray_agent_http_"));
    all
}

#[test]
#[ignore = "needs prometheus"]
fn prometheus_has_what_is_told() {
    need!(
        Path::new(PROMETHEUS).exists(),
        "prometheus is not installed"
    );
    let listener = listen(two()).unwrap();
    let text = String::from_utf8(get(&listener, "/metrics", "").unwrap()).unwrap();
    let told = lasting(parse(&text).unwrap());
    assert!(told.len() > 500, "{}", told.len());
    let open = String::from_utf8(get(&listener, "/metrics", OPEN_METRICS).unwrap()).unwrap();
    assert_eq!(lasting(parse(&open).unwrap()), told, "the formats differ");

    let prometheus = Prometheus::scraping(&listener.address().to_string()).unwrap();
    let scraped = lasting(prometheus.series(|all| !all.is_empty()).unwrap());
    assert_eq!(scraped.len(), told.len());
    for (series, value) in &told {
        let got = scraped.get(series);
        assert_eq!(got, Some(value), "{series:?}");
    }
    let metadata = prometheus.ask("/api/v1/metadata").unwrap();
    for (name, kind) in [
        ("gostray_site_created_total", "counter"),
        ("gostray_site_created", "counter"),
        ("gostray_site_lifetime_seconds", "histogram"),
        ("gostray_target", "info"),
    ] {
        if let Some(about) = metadata.get(name) {
            assert_eq!(about[0]["type"], kind, "{name}");
        }
    }
    // 2.42 asks for OpenMetrics, and knows a counter by its family's name.
    assert_eq!(metadata["gostray_site_created"][0]["type"], "counter");
}

fn known(pid: u32) -> TargetSample {
    target(i32::try_from(pid).unwrap(), "counters", 1)
}

#[test]
#[ignore = "needs root"]
fn pprof_fetches_profiles() {
    let releases = need_root_and_releases!();
    let newest = releases.last().unwrap();
    let mut counters = Target::of("counters", newest, Mode::Stripped).unwrap();
    counters.ask("leak 500").unwrap();
    let pid = counters.pid();
    let listener = listen(vec![known(pid)]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = format!(
        "http://{}/debug/pprof/goroutine?pid={pid}",
        listener.address()
    );
    let fetch = |report: &[&str], url: &str| {
        let done = newest
            .go()
            .args(["tool", "pprof"])
            .args(report)
            .arg(url)
            .env("PPROF_TMPDIR", directory.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    let raw = fetch(&["-raw"], &url);
    assert!(raw.contains("goroutine/count"), "{raw}");
    // pprof keeps what it fetched; that is read as any other.
    let kept = std::fs::read_dir(directory.path()).unwrap();
    let kept = kept.map(|entry| entry.unwrap().path()).next().unwrap();
    let samples = pprof::samples(newest, &kept).unwrap();
    let locked = samples.iter().filter(|(sample, _)| {
        sample
            .frames
            .iter()
            .any(|f| f.starts_with("main.lockForever "))
    });
    assert_eq!(locked.map(|(_, count)| count).sum::<u64>(), 50);

    // The only one that is watched need not be named.
    let text = get(&listener, "/debug/pprof/goroutine?debug=1", "").unwrap();
    let text = String::from_utf8(text).unwrap();
    let total: u64 = samples.values().sum();
    assert!(
        text.starts_with(&format!("goroutine profile: total {total}\n")),
        "{total}: {text:.200}"
    );
    let each = get(&listener, "/debug/pprof/goroutine?debug=2", "").unwrap();
    let each = String::from_utf8(each).unwrap();
    let heads = each.lines().filter(|line| line.starts_with("goroutine "));
    assert_eq!(heads.count() as u64, total);
    assert!(each.contains("[sync.Mutex.Lock]:"), "{each:.2000}");

    counters.kill().unwrap();
    counters.wait().unwrap();
    let (head, body) = exchange(&listener, "/debug/pprof/goroutine", "").unwrap();
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    let said = String::from_utf8(body).unwrap();
    assert!(said.contains(&format!("process {pid} has ended")), "{said}");
}

#[test]
#[ignore = "needs root"]
fn proven_leaks_are_a_profile() {
    let releases = need_root_and_releases!();
    let newest = releases.last().unwrap();
    let proofs = Proofs::new(newest, Mode::Plain, "all").unwrap();
    let listener = listen(vec![known(proofs.target.pid())]).unwrap();
    let path = "/debug/pprof/goroutineleak?debug=2";
    let text = String::from_utf8(get(&listener, path, "").unwrap()).unwrap();
    let proven: Vec<u64> = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("goroutine ")?
                .split_once(" [")?
                .0
                .parse()
                .ok()
        })
        .collect();
    let leaked: Vec<u64> = proofs.truth.leaked().map(|(goid, _)| goid).collect();
    let wrong: Vec<_> = proven
        .iter()
        .filter(|goid| !leaked.contains(goid))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(
        proven.len() * 100 >= leaked.len() * 99,
        "{} of {}",
        proven.len(),
        leaked.len()
    );
    assert!(text.contains(" (leaked)]:"), "{text:.500}");

    let profile = get(&listener, "/debug/pprof/goroutineleak", "").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("leaks.pb.gz");
    std::fs::write(&file, profile).unwrap();
    let samples = pprof::samples(newest, &file).unwrap();
    let sum: u64 = samples.values().sum();
    assert!(sum * 100 >= leaked.len() as u64 * 99, "{sum}");
}

/// A process that ends while its heap is looked through.
#[test]
#[ignore = "needs root"]
fn who_ends_meanwhile_has_no_profile() {
    need!(skip::is_root(), "needs root");
    let newest = go::newest().unwrap();
    let mut target = Target::of("counters", &newest, Mode::Stripped).unwrap();
    target.ask("leak 500").unwrap();
    let pid = target.pid();
    let listener = Arc::new(listen(vec![known(pid)]).unwrap());
    let asked = listener.clone();
    let asking = std::thread::spawn(move || {
        loop {
            let (head, body) = exchange(&asked, "/debug/pprof/goroutineleak", "").unwrap();
            // Unless the other was there first.
            if !head.starts_with("HTTP/1.1 503") {
                return (head, body);
            }
        }
    });
    // A second one is refused as soon as the first has begun.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (head, _) = exchange(&listener, "/debug/pprof/goroutine?debug=1", "").unwrap();
        if head.starts_with("HTTP/1.1 503") {
            break;
        }
        assert!(Instant::now() < deadline, "{head}");
    }
    nix::sys::signal::kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
    let (head, body) = asking.join().unwrap();
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    let said = String::from_utf8(body).unwrap();
    assert!(said.contains("has ended"), "{said}");
    target.wait().unwrap();
}
