//! All sinks together, against receivers that say what they are told to say.

mod grpc;
mod grpc_receiver;
mod receiver;

use std::{
    io::{self, Write},
    sync::mpsc,
    time::Duration,
};

use opentelemetry_proto::tonic::collector::{
    logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse},
    metrics::v1::ExportMetricsServiceRequest,
};
use prost::Message as _;
use serde_json::Value;

use super::{
    config::{OtlpConfig, StdoutConfig, WebhookConfig},
    *,
};
use crate::report::{EventKind, node::samples, samples as events};
use receiver::{Answer, Receiver};

/// Longer than anything takes; what is done is not waited for.
const LONG: Duration = Duration::from_secs(60);

/// Lines, each as it is written.
struct Pipe(mpsc::Sender<Vec<u8>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.send(bytes.to_vec());
        sent.map(|()| bytes.len())
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pipe() -> (Output, mpsc::Receiver<Vec<u8>>) {
    let (sender, receiver) = mpsc::channel();
    (Output::new(Pipe(sender)), receiver)
}

fn start(config: &ExportConfig) -> Exports {
    Exports::with_output(config, &HostIdentity::sample(), pipe().0).expect("right")
}

fn hook(url: &str) -> WebhookConfig {
    let url = Secret::new(url).try_into();
    WebhookConfig::to(url.expect("an address"))
}

fn to_hooks(hooks: Vec<WebhookConfig>) -> ExportConfig {
    ExportConfig {
        webhooks: hooks,
        ..ExportConfig::default()
    }
}

fn otlp(address: &str, more: &str) -> ExportConfig {
    let section = format!("endpoint = '{address}'\nprotocol = 'http'\n{more}");
    let otlp: OtlpConfig = toml::from_str(&section).expect("right");
    ExportConfig {
        otlp: Some(otlp),
        ..ExportConfig::default()
    }
}

fn leak() -> TargetEvent {
    TargetEvent {
        target: samples::identity(),
        event: events::event(EventKind::Leak(Box::new(events::leak()))),
    }
}

fn say(status: u16) -> Answer {
    Answer::Say(status, String::new(), Vec::new())
}

fn say_later(status: u16) -> Answer {
    Answer::Say(status, "retry-after: 0\r\n".into(), Vec::new())
}

fn sink(sinks: &[SinkSample], name: &str) -> SinkSample {
    let sink = sinks.iter().find(|sink| sink.name == name);
    sink.unwrap_or_else(|| panic!("no {name} in {sinks:?}"))
        .clone()
}

/// Queued, sent, dropped.
fn fate(sink: &SinkSample) -> (u64, u64, u64) {
    (sink.queued, sink.sent, sink.dropped)
}

#[test]
fn a_webhook_is_called_again_until_it_takes_the_event() {
    let receiver = Receiver::start(vec![say_later(503), say_later(429), say(204)]);
    let mut config = hook(&format!("{}/hooks/hunter2", receiver.address));
    config.headers = [("X-Token".into(), Secret::new("t0ken"))].into();
    let exports = start(&to_hooks(vec![config]));
    exports.event(leak());
    let end = sink(&exports.finish(LONG), "webhook");
    assert_eq!(fate(&end), (0, 1, 0));
    assert_eq!(end.errors, [("status", 2)].into());
    assert_eq!(end.last_error, None, "it was right in the end");
    let came = [receiver.next(), receiver.next(), receiver.next()];
    assert!(came[0].head.starts_with("post /hooks/hunter2 http/1.1"));
    assert!(came[0].head.contains("x-token: t0ken"));
    assert!(came[0].head.contains("content-type: application/json"));
    assert!(came.iter().all(|request| request.body == came[0].body));
    let body: Value = serde_json::from_slice(&came[0].body).expect("JSON");
    assert_eq!(body["event"], "leak");
    assert_eq!(body["verdict"], "likely");
    assert_eq!(body["target"]["pod"]["name"], "search-5d4f");
}

#[test]
fn what_a_webhook_refuses_is_not_sent_again() {
    let elsewhere = Receiver::start(Vec::new());
    let location = format!("location: {}/\r\n", elsewhere.address);
    let receiver = Receiver::start(vec![
        say(400),
        Answer::Say(307, location.clone(), Vec::new()),
        Answer::Say(302, location, Vec::new()),
        say(200),
    ]);
    let exports = start(&to_hooks(vec![hook(&receiver.address)]));
    (0..4).for_each(|_| exports.event(leak()));
    let end = sink(&exports.finish(LONG), "webhook");
    assert_eq!(fate(&end), (0, 1, 3));
    assert_eq!(end.errors, [("refused", 3)].into());
    assert_eq!(receiver.rest().len(), 4);
    assert_eq!(elsewhere.rest().len(), 0, "nothing went to another place");
}

#[test]
fn a_webhook_is_told_what_it_wants_to_know() {
    let receiver = Receiver::start(Vec::new());
    let exports = start(&to_hooks(vec![hook(&receiver.address)]));
    let mut suspect = events::leak();
    suspect.verdict = crate::detect::Verdict::Suspect;
    let mut known = events::leak();
    known.suppressed = Some("it is known".into());
    for kind in [
        EventKind::Leak(Box::new(suspect)),
        EventKind::Leak(Box::new(known)),
        EventKind::Resolved(events::resolved()),
        EventKind::Status(events::status()),
        EventKind::Leak(Box::new(events::leak())),
    ] {
        let (target, event) = (samples::identity(), events::event(kind));
        exports.event(TargetEvent { target, event });
    }
    assert_eq!(fate(&sink(&exports.finish(LONG), "webhook")), (0, 1, 0));
}

#[test]
fn who_does_not_answer_delays_nobody_else_and_its_queue_is_bounded() {
    let silent = Receiver::start(vec![Answer::Nothing, Answer::Nothing]);
    let (output, lines) = pipe();
    let config = ExportConfig {
        stdout: Some(StdoutConfig::default()),
        webhooks: vec![WebhookConfig {
            queue: super::config::Number::of(2),
            timeout: super::config::Period::of_milliseconds(300_000),
            ..hook(&silent.address)
        }],
        ..ExportConfig::default()
    };
    let exports = Exports::with_output(&config, &HostIdentity::sample(), output).expect("right");
    exports.event(leak());
    silent.next();
    (0..4).for_each(|_| exports.event(leak()));
    let mut count = 0;
    while count < 5 {
        let text = lines.recv_timeout(LONG).expect("stdout goes on");
        count += text.iter().filter(|byte| **byte == b'\n').count();
    }
    let now = sink(&exports.sinks(), "webhook");
    assert_eq!(fate(&now), (3, 0, 2), "one under way, two that wait");
    let sinks = exports.finish(Duration::from_millis(1));
    assert_eq!(fate(&sink(&sinks, "webhook")), (0, 0, 5));
    assert_eq!(fate(&sink(&sinks, "stdout")), (0, 5, 0));
}

#[test]
fn log_records_go_over_http_and_what_is_not_taken_is_counted() {
    let part = ExportLogsServiceResponse {
        partial_success: Some(ExportLogsPartialSuccess {
            rejected_log_records: 1,
            error_message: "no room for key-of-ours".into(),
        }),
    };
    let part = Answer::Say(200, String::new(), part.encode_to_vec());
    // 500 is not among the statuses after which one comes back.
    let receiver = Receiver::start(vec![say_later(502), part, say_later(500)]);
    let more = "compression = 'none'\nmetrics = false\nheaders = { api-key = 'key-of-ours' }";
    let exports = start(&otlp(&receiver.address, more));
    (0..3).for_each(|_| exports.event(leak()));
    let came = receiver.next();
    assert!(came.head.starts_with("post /v1/logs http/1.1"), "{came:?}");
    assert!(came.head.contains("content-type: application/x-protobuf"));
    assert!(came.head.contains("api-key: key-of-ours"));
    let request = ExportLogsServiceRequest::decode(&came.body[..]).expect("protobuf");
    let scopes = request.resource_logs.iter().flat_map(|l| &l.scope_logs);
    let records: usize = scopes.map(|scope| scope.log_records.len()).sum();
    assert_eq!(records, 3, "one request for all");
    receiver.next();
    while sink(&exports.sinks(), "otlp_logs").queued > 0 {
        std::thread::yield_now();
    }
    let now = sink(&exports.sinks(), "otlp_logs");
    assert_eq!(fate(&now), (0, 2, 1));
    assert_eq!(now.errors, [("refused", 1), ("status", 1)].into());
    assert_eq!(
        now.last_error.as_deref(),
        Some("1 of an export were not taken: no room for ***")
    );
    exports.event(leak());
    let end = sink(&exports.finish(LONG), "otlp_logs");
    assert_eq!(fate(&end), (0, 2, 2));
    assert_eq!(end.errors["refused"], 2);
}

#[test]
fn metrics_wait_for_their_time_and_the_newest_is_sent() {
    let receiver = Receiver::start(vec![say_later(503)]);
    let config = otlp(&receiver.address, "events = 'none'\ncompression = 'none'");
    let exports = start(&config);
    assert_eq!(exports.metrics_interval(), Some(Duration::from_secs(60)));
    let at = |seconds| {
        let mut sample = samples::node();
        sample.agent.taken = samples::moment(seconds);
        Arc::new(sample)
    };
    // The second comes too early for a minute's interval.
    [100, 130, 160]
        .map(at)
        .into_iter()
        .for_each(|sample| exports.sample(sample));
    let sinks = exports.finish(LONG);
    let end = sink(&sinks, "otlp_metrics");
    assert_eq!(end.sent + end.dropped, 2, "{end:?}");
    let last = receiver.rest().pop().expect("a request");
    assert!(last.head.starts_with("post /v1/metrics http/1.1"));
    let request = ExportMetricsServiceRequest::decode(&last.body[..]).expect("protobuf");
    assert_eq!(
        request.resource_metrics.len(),
        2,
        "the agent and one process"
    );
}

#[test]
fn no_secret_is_in_an_error() {
    // Nobody listens there any more.
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("bound")
    };
    let mut hook = hook(&format!("http://{nobody}/hooks/hunter2"));
    hook.retry_for = super::config::Period::of_milliseconds(0);
    let mut config = otlp(
        &format!("http://{nobody}"),
        "retry_for = '0s'\nheaders = { authorization = 'Bearer hunter2' }",
    );
    config.webhooks = vec![hook];
    let exports = start(&config);
    exports.event(leak());
    exports.sample(Arc::new(samples::node()));
    let shown = format!("{exports:?}");
    for sink in exports.finish(LONG) {
        assert_eq!(fate(&sink), (0, 0, 1), "{sink:?}");
        assert_eq!(sink.errors, [("connect", 1)].into());
        let error = sink.last_error.expect("it failed");
        assert!(error.contains("refused"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_closed_stdout_ends_that_sink_only() {
    let receiver = Receiver::start(Vec::new());
    let config = ExportConfig {
        stdout: Some(StdoutConfig {
            status: Some(super::config::Period::of_milliseconds(1000)),
            ..StdoutConfig::default()
        }),
        ..to_hooks(vec![hook(&receiver.address)])
    };
    let (output, lines) = pipe();
    let exports = Exports::with_output(&config, &HostIdentity::sample(), output).expect("right");
    assert_eq!(exports.metrics_interval(), Some(Duration::from_secs(1)));
    exports.sample(Arc::new(samples::node()));
    let line = lines.recv_timeout(LONG).expect("a status");
    let line: Value = serde_json::from_slice(&line).expect("one line of JSON");
    assert_eq!(line["event"], "status");
    drop(lines);
    exports.event(leak());
    while sink(&exports.sinks(), "stdout").dropped == 0 {
        std::thread::yield_now();
    }
    exports.event(leak());
    let sinks = exports.finish(LONG);
    assert_eq!(fate(&sink(&sinks, "stdout")), (0, 0, 2));
    assert_eq!(fate(&sink(&sinks, "webhook")), (0, 2, 0));
}

#[test]
fn another_configuration_loses_nothing() {
    let silent = Receiver::start(vec![Answer::Nothing]);
    let (first, second) = (Receiver::start(Vec::new()), Receiver::start(Vec::new()));
    let mut exports = start(&ExportConfig {
        webhooks: vec![hook(&first.address)],
        ..otlp(&silent.address, "metrics = false")
    });
    exports.event(leak());
    silent.next();
    first.next();
    let with_two = ExportConfig {
        webhooks: vec![hook(&second.address), hook(&first.address)],
        // Another endpoint: what waits goes there.
        ..otlp(&second.address, "metrics = false")
    };
    exports.reconfigure(&with_two).expect("right");
    assert!(second.next().head.starts_with("post /v1/logs"));
    let names: Vec<_> = exports.sinks().into_iter().map(|sink| sink.name).collect();
    assert_eq!(names, ["otlp_logs", "webhook", "webhook_2"]);
    let wrong = otlp(&second.address, "ca_file = '/nonexistent/ca.pem'");
    let error = exports.reconfigure(&wrong).expect_err("no such file");
    assert!(
        error
            .to_string()
            .starts_with("[otlp] ca_file: /nonexistent")
    );
    exports.event(leak());
    let sinks = exports.finish(LONG);
    assert_eq!(fate(&sink(&sinks, "otlp_logs")), (0, 2, 0));
    assert_eq!(fate(&sink(&sinks, "webhook")), (0, 2, 0), "it was kept");
    assert_eq!(fate(&sink(&sinks, "webhook_2")), (0, 1, 0));
}
