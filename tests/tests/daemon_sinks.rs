//! The daemon and all whom it tells: a leak arrives everywhere with the same content, whatever the others do.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use gostray_tests::collector::{Collector, attributes, only};
use gostray_tests::containers::{Container, Hierarchy, Member, SPELLINGS};
use gostray_tests::go::{self, Mode, Toolchain};
use gostray_tests::http::{Load, free_port};
use gostray_tests::lines::PATIENCE;
use gostray_tests::node::Node;
use gostray_tests::prometheus::{PROMETHEUS, Prometheus, Series, parse};
use gostray_tests::target::Target;
use gostray_tests::webhook::{Answers, Webhook};
use gostray_tests::{agent, need, need_root_and_releases};
use serde_json::{Value, json};

/// How long after the first who was told of a leak all others that work are told, on the slowest of machines. Who
/// waited for one that does not answer would be told after an hour.
const IN_TIME: Duration = Duration::from_secs(30);
const CONTAINER: &str = "5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e";

/// Whatever is told of one process, by name and what tells it apart.
type Figures = BTreeMap<String, f64>;

fn configuration(collector: &str, protocol: &str, slow: &Webhook, silent: &Webhook) -> String {
    let hooks = [(slow, "10s", "1h"), (silent, "500ms", "0s")].map(|(hook, timeout, retry)| {
        format!(
            "[[webhook]]\nurl = \"{}\"\nverdicts = [\"suspect\", \"likely\", \"proven\"]\n\
             timeout = \"{timeout}\"\nretry_for = \"{retry}\"\n",
            hook.url
        )
    });
    format!(
        "[node]\nbudget = \"50%\"\ninterval = \"500ms\"\nhistory = false\n\n\
         [otlp]\nendpoint = \"{collector}\"\nprotocol = \"{protocol}\"\ninterval = \"1s\"\nevents = \"all\"\n\n\
         {}\n[stdout]\nevents = \"all\"\nstatus = \"1s\"\n\n[[watch]]\nlabel = \"test.run={}\"\n",
        hooks.concat(),
        std::process::id()
    )
}

fn environment(service: &'static str) -> [(&'static str, String); 2] {
    let run = std::process::id();
    [
        ("OTEL_SERVICE_NAME", service.into()),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            format!("test.run={run},deployment.environment.name=t%C3%A9st"),
        ),
    ]
}

/// The leaking server in a container, and another program whose figures rest.
struct Programs {
    leaking: Member,
    address: String,
    resting: Target,
}

impl Programs {
    fn start(container: &Container, directory: &Path, toolchain: &Toolchain) -> Result<Self> {
        let exe = go::build("leakyserver", toolchain, Mode::Stripped)?;
        std::fs::copy(exe, directory.join("leakyserver"))?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let environment = self::environment("search");
        let environment = environment.each_ref().map(|(key, value)| (*key, &**value));
        let arguments = ["-addr", address.as_str()];
        let leaking = container.run_with("leakyserver", &arguments, &environment)?;
        let exe = go::build("figures", toolchain, Mode::Plain)?;
        let environment = self::environment("figures");
        let environment = environment.each_ref().map(|(key, value)| (*key, &**value));
        let mut resting = Target::start(&exe, &[], &environment)?;
        for command in ["allocate 5000 64", "start 20", "hand 500", "collect"] {
            resting.ask(command)?;
        }
        Ok(Self {
            leaking,
            address,
            resting,
        })
    }

    /// Searches, of which one in twenty leaves a goroutine behind.
    fn search(&self) -> Load {
        Load::start(&self.address, 2, |connection, _| {
            // The status of those that took too long is an error here.
            let _ = connection.request("GET", "/search?q=lamp", "");
            Ok(())
        })
    }

    /// What the resting program counts of itself, by the names of OpenTelemetry.
    fn figures(&mut self) -> Result<Figures> {
        let answer = self.resting.ask("figures")?;
        let mut own: BTreeMap<&str, &str> = BTreeMap::new();
        for figure in answer.split(' ') {
            let (name, value) = figure.split_once('=').context("no value")?;
            own.insert(name, value);
        }
        let figure = |name: &str| -> Result<f64> {
            let value = own.get(name).with_context(|| name.to_owned())?;
            Ok(value.parse()?)
        };
        let stacks = figure("/memory/classes/heap/stacks:bytes")?;
        let other = figure("/memory/classes/total:bytes")?
            - figure("/memory/classes/heap/released:bytes")?
            - stacks;
        let latencies = own["/sched/latencies:seconds"].split_terminator(',');
        let counts = latencies.map(|bucket| {
            let (_, count) = bucket.split_once(':').context("no count")?;
            Ok(count.parse::<f64>()?)
        });
        let figures = [
            ("go.memory.used stack", stacks),
            ("go.memory.used other", other),
            ("go.memory.allocated", figure("/gc/heap/allocs:bytes")?),
            ("go.memory.allocations", figure("/gc/heap/allocs:objects")?),
            ("go.memory.gc.goal", figure("/gc/heap/goal:bytes")?),
            (
                "go.goroutine.count",
                figure("/sched/goroutines:goroutines")?,
            ),
            ("go.processor.limit", figure("/sched/gomaxprocs:threads")?),
            ("go.config.gogc", figure("/gc/gogc:percent")?),
            ("go.schedule.duration", counts.sum::<Result<f64>>()?),
        ];
        Ok(figures.map(|(name, value)| (name.into(), value)).into())
    }
}

/// What `/metrics` has of the runtime of one process, by the names of OpenTelemetry.
fn of_prometheus(all: &BTreeMap<Series, f64>, service: &str) -> Figures {
    let names = [
        ("gostray_go_memory_used_bytes", "go.memory.used"),
        (
            "gostray_go_memory_allocated_bytes_total",
            "go.memory.allocated",
        ),
        (
            "gostray_go_memory_allocations_total",
            "go.memory.allocations",
        ),
        ("gostray_go_memory_gc_goal_bytes", "go.memory.gc.goal"),
        ("gostray_go_goroutines", "go.goroutine.count"),
        ("gostray_go_processor_limit", "go.processor.limit"),
        ("gostray_go_config_gogc_ratio", "go.config.gogc"),
        (
            "gostray_go_schedule_duration_seconds_count",
            "go.schedule.duration",
        ),
    ];
    let names = BTreeMap::from(names);
    let mut figures = Figures::new();
    for (series, value) in all {
        if series.get("service").map(String::as_str) != Some(service) {
            continue;
        }
        let Some(name) = names.get(series["__name__"].as_str()) else {
            continue;
        };
        let kind = series
            .get("type")
            .map_or(String::new(), |t| format!(" {t}"));
        let scale = if *name == "go.config.gogc" {
            100.0
        } else {
            1.0
        };
        figures.insert(format!("{name}{kind}"), value * scale);
    }
    figures
}

/// The same of a request of OTLP, if it has any of that service.
fn of_otlp(request: &Value, service: &str) -> Option<Figures> {
    let resource = resource(&request["resourceMetrics"], service)?;
    let mut figures = Figures::new();
    for metric in only(resource, "scopeMetrics").ok()?["metrics"].as_array()? {
        let name = metric["name"].as_str()?;
        if !name.starts_with("go.") {
            continue;
        }
        let data = ["sum", "gauge", "histogram"].map(|kind| &metric[kind]["dataPoints"]);
        for point in data.into_iter().filter_map(Value::as_array).flatten() {
            let kind = attributes(point)["go.memory.type"].clone();
            let kind = kind.as_str().map_or(String::new(), |k| format!(" {k}"));
            let value = point["asInt"].as_str().or(point["count"].as_str())?;
            figures.insert(format!("{name}{kind}"), value.parse().ok()?);
        }
    }
    Some(figures)
}

fn resource<'a>(resources: &'a Value, service: &str) -> Option<&'a Value> {
    let is = |resource: &&Value| attributes(&resource["resource"])["service.name"] == service;
    resources.as_array()?.iter().find(is)
}

fn sink<'a>(agent: &'a Value, name: &str) -> &'a Value {
    let sinks = agent["sinks"].as_array().into_iter().flatten();
    let mut named = sinks.filter(|sink| sink["name"] == name);
    named.next().unwrap_or(&Value::Null)
}

fn count(agent: &Value, name: &str, what: &str) -> u64 {
    sink(agent, name)[what].as_u64().unwrap_or_default()
}

/// What was dropped, as each who asks is told.
fn drops_are_shown(node: &mut Node, prometheus: &Prometheus) -> Result<()> {
    let lost = ["webhook_2", "stdout_status"];
    let agent = node.agent_until("drops", |agent| {
        lost.iter().all(|name| count(agent, name, "dropped") > 0)
    })?;
    for name in ["otlp_logs", "stdout", "webhook"] {
        ensure!(
            count(&agent, name, "dropped") == 0,
            "{}",
            sink(&agent, name)
        );
    }
    ensure!(count(&agent, "otlp_logs", "queued") > 0, "{agent}");
    ensure!(
        sink(&agent, "webhook_2")["errors"]["timeout"] != 0,
        "{agent}"
    );
    let scraped = prometheus.series(|all| {
        lost.iter().all(|name| {
            all.iter().any(|(series, value)| {
                series["__name__"] == "gostray_agent_sink_dropped_total"
                    && series["sink"] == **name
                    && *value > 0.0
            })
        })
    });
    scraped.context("drops in Prometheus")?;
    let said = agent::answer(&["status", "--address", &node.listen])?;
    let said = String::from_utf8(said)?;
    for name in lost {
        let mut lines = said.lines().filter(|line| line.starts_with(name));
        let row = lines.next().context("no such sink")?;
        let cells: Vec<&str> = row.split_whitespace().collect();
        // SINK QUEUED SENT DROPPED FAILED
        ensure!(cells.len() == 5 && cells[3] != "0", "{said}");
    }
    Ok(())
}

/// The site and how sure: what a leak is known by.
fn known_by(leak: &Value) -> Value {
    json!([leak["site"], leak["verdict"], leak["live"], leak["goids"]])
}

/// The same, from a record of OTLP.
fn check_record(record: &Value, leak: &Value) -> Result<()> {
    let got = attributes(record);
    let at = &leak["site"]["created_at"];
    for (name, expected) in [
        ("gostray.site.id", &leak["site"]["id"]),
        ("gostray.site.function.name", &at["function"]),
        ("gostray.site.file.path", &at["file"]),
        ("gostray.site.line.number", &at["line"]),
        ("gostray.leak.verdict", &leak["verdict"]),
        ("gostray.leak.rule", &leak["rule"]),
        ("gostray.leak.live", &leak["live"]),
        ("gostray.leak.created", &leak["created"]),
        ("gostray.leak.wait_reason", &leak["wait_reason"]),
        ("gostray.leak.goids", &leak["goids"]),
    ] {
        ensure!(&got[name] == expected, "{name}: {got:#} of {leak:#}");
    }
    ensure!(record["eventName"] == "gostray.goroutine.leak", "{record}");
    Ok(())
}

fn check_resource(attributes: &Value, pid: u32) -> Result<()> {
    for (name, expected) in [
        ("service.name", json!("search")),
        ("deployment.environment.name", json!("tést")),
        ("test.run", json!(std::process::id().to_string())),
        ("process.pid", json!(pid)),
        ("process.executable.name", json!("leakyserver")),
        (
            "process.executable.path",
            json!(Container::inside("leakyserver")),
        ),
        ("process.runtime.name", json!("go")),
        ("container.id", json!(CONTAINER)),
        ("container.runtime.name", json!("docker")),
    ] {
        ensure!(attributes[name] == expected, "{name}: {attributes:#}");
    }
    Ok(())
}

/// What the collector has of the leak, of the agent and of the figures at rest.
fn check_received(received: &[Value], leak: &Value, pid: u32, own: &Figures) -> Result<()> {
    let logs = received
        .iter()
        .filter_map(|request| resource(&request["resourceLogs"], "search"));
    let mut leaks = Vec::new();
    for resource in logs {
        check_resource(&attributes(&resource["resource"]), pid)?;
        let records = only(resource, "scopeLogs")?["logRecords"].as_array();
        let is_leak = |record: &&Value| record["eventName"] == "gostray.goroutine.leak";
        leaks.extend(records.into_iter().flatten().filter(is_leak));
    }
    check_record(leaks.first().context("no leak was received")?, leak)?;
    // Two exports at least were sent while it rested; behind them its runtime may have done something again.
    let figures = received.iter().rev();
    let mut figures = figures.filter_map(|it| of_otlp(it, "figures")).peekable();
    let last = figures.peek().context("no figures were received")?.clone();
    ensure!(
        figures.any(|figures| &figures == own),
        "{last:#?} instead of {own:#?}"
    );
    let agent = received.iter().rev();
    let mut agent = agent.filter_map(|it| resource(&it["resourceMetrics"], "gostray"));
    let agent = only(agent.next().context("no agent")?, "scopeMetrics")?.to_string();
    for name in [
        "process.cpu.time",
        "process.memory.usage",
        "gostray.agent.sink.dropped",
        "gostray.agent.process.count",
        "gostray.agent.reloads",
    ] {
        ensure!(agent.contains(&format!("\"{name}\"")), "{name}: {agent}");
    }
    Ok(())
}

/// What `go tool pprof` makes of a profile that it fetches itself.
fn fetched(toolchain: &Toolchain, node: &Node, kind: &str, pid: u32) -> Result<String> {
    let directory = tempfile::tempdir()?;
    let url = format!("http://{}/debug/pprof/{kind}?pid={pid}", node.listen);
    let done = toolchain
        .go()
        .args(["tool", "pprof", "-traces", "-lines", &url])
        .env("PPROF_TMPDIR", directory.path())
        .output()?;
    ensure!(done.status.success(), "{kind}: {done:?}");
    Ok(String::from_utf8(done.stdout)?)
}

/// Figures that did not move while `/metrics` was asked, and are the same there.
fn check_figures(node: &mut Node, programs: &mut Programs) -> Result<Figures> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = programs.figures()?;
        let told = of_prometheus(&parse(&node.get("/metrics")?)?, "figures");
        if told == before {
            return Ok(told);
        }
        // A sample is older than what the program says just now.
        if Instant::now() > deadline {
            bail!("{told:#?} instead of {before:#?}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn run(toolchain: &Toolchain) -> Result<()> {
    let mut collector = Collector::start(None)?;
    let slow = Webhook::start(Answers::After(Duration::from_secs(2)))?;
    let silent = Webhook::start(Answers::Never)?;
    let hierarchy = Hierarchy::new("sinks")?;
    let directory = tempfile::tempdir()?;
    let container = Container::start(&hierarchy, SPELLINGS[1], CONTAINER, directory.path())?;
    let by_grpc = configuration(&collector.grpc(), "grpc", &slow, &silent);
    let by_http = configuration(&collector.http(), "http", &slow, &silent);
    let mut node = Node::start(&by_grpc)?;
    let prometheus = Prometheus::scraping(&node.listen)?;
    let mut programs = Programs::start(&container, directory.path(), toolchain)?;
    let pid = programs.leaking.pid;

    // All is well: both are attached to, and everybody is told so.
    node.until(|watched| {
        ensure!(watched.len() == 2, "{watched:#?}");
        Ok(())
    })?;
    node.agent_until("delivered over gRPC", |agent| {
        count(agent, "otlp_logs", "sent") >= 2 && count(agent, "otlp_metrics", "sent") >= 1
    })?;

    // Then nobody reads stdout, the collector is away, and one webhook never answers; and there is a leak.
    collector.stop()?;
    node.agent.hold_output(true);
    assert!(node.reload(&by_http)?);
    let load = programs.search();
    let (when, leak) = slow.next(PATIENCE).context("no leak was found")?;
    let told = Instant::now();
    ensure!(leak["event"] == "leak" && leak["pid"] == pid, "{leak}");
    ensure!(
        leak["site"]["created_at"]["function"] == "main.search",
        "{leak}"
    );
    ensure!(leak["target"]["container"]["id"] == CONTAINER, "{leak}");
    let (other, same) = silent.next(IN_TIME)?;
    ensure!(
        known_by(&same) == known_by(&leak),
        "{same} instead of {leak}"
    );
    ensure!(
        other.max(when) - other.min(when) < IN_TIME,
        "one was told late"
    );
    node.until(|watched| {
        let leaks = watched[&pid]["leaks"].as_array().context("no leaks")?;
        let is = leaks
            .iter()
            .any(|open| open["site"]["id"] == leak["site"]["id"]);
        ensure!(is, "{leaks:?}");
        Ok(())
    })?;
    prometheus.series(|all| {
        let leaks = all.iter().filter(|(series, value)| {
            series["__name__"] == "gostray_leaks" && series["service"] == "search" && **value > 0.0
        });
        let container = |series: &Series| {
            series["__name__"] == "gostray_target_info"
                && series.get("container_id").is_some_and(|id| id == CONTAINER)
        };
        leaks.count() == 1 && all.keys().any(container)
    })?;
    ensure!(told.elapsed() < IN_TIME, "late: {:?}", told.elapsed());
    drops_are_shown(&mut node, &prometheus)?;

    // Profiles, meanwhile.
    for kind in ["goroutine", "goroutineleak"] {
        let traces = fetched(toolchain, &node, kind, pid)?;
        ensure!(traces.contains("main.search.func1"), "{kind}: {traces}");
    }
    node.agent_until("what profiles cost", |agent| {
        agent["profiles_seconds"].as_f64() > Some(0.0)
    })?;
    load.finish()?;

    // All are there again, and are told what they missed.
    collector.go_on()?;
    node.agent.hold_output(false);
    let line = node.agent.wait_for("leak", |_| true)?;
    ensure!(line == leak, "{line:#} instead of {leak:#}");
    node.agent_until("delivered over HTTP", |agent| {
        let logs = sink(agent, "otlp_logs");
        logs["queued"] == 0 && logs["last_error"].is_null() && logs["sent"].as_u64() >= Some(3)
    })?;
    let own = check_figures(&mut node, &mut programs)?;
    let sent = |agent: &Value| count(agent, "otlp_metrics", "sent");
    let before = sent(&node.status()?["agent"]);
    node.agent_until("two more exports", |agent| sent(agent) >= before + 2)?;
    ensure!(programs.figures()? == own, "the program did not rest");
    // It ends in time though nobody reads what it still has to say.
    node.agent.hold_output(true);
    let dropped = |agent: &Value| count(agent, "stdout_status", "dropped");
    let before = dropped(&node.status()?["agent"]);
    node.agent_until("a full pipe", |agent| dropped(agent) > before)?;
    let end = node.stop_unread()?;
    ensure!(end.code == Some(0), "{end:?}");
    collector.stop()?;
    check_received(&collector.received()?, &leak, pid, &own)
}

#[test]
#[ignore = "needs root, a kernel with uprobes and prometheus; builds an OpenTelemetry Collector; takes a minute"]
fn none_waits_for_another() {
    let releases = need_root_and_releases!();
    need!(
        Path::new(PROMETHEUS).exists(),
        "prometheus is not installed"
    );
    let began = Instant::now();
    run(&releases[releases.len() - 1]).unwrap();
    println!("{:.1?}", began.elapsed());
}
