use std::{collections::BTreeMap, path::PathBuf};

use insta::assert_snapshot;
use serde::Deserialize;

use super::*;
use crate::export::Secret;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    otlp: Option<OtlpConfig>,
    webhook: Vec<WebhookConfig>,
    stdout: Option<StdoutConfig>,
}

/// The example with its marks removed.
fn all_keys(example: &str) -> String {
    let keys = example.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') && !key.is_empty() => key,
        _ => line,
    });
    keys.collect::<Vec<_>>().join("\n")
}

fn read(text: &str) -> File {
    toml::from_str(text).expect("an example is right")
}

#[test]
fn the_examples_are_the_defaults() {
    assert_eq!(read(OtlpConfig::EXAMPLE).otlp, Some(OtlpConfig::default()));
    let url = Secret::new("https://alerts.example.com/hooks/gostray");
    let hook = WebhookConfig::to(url.try_into().expect("an address"));
    assert_eq!(read(WebhookConfig::EXAMPLE).webhook, [hook]);
    let plain = Some(StdoutConfig::default());
    assert_eq!(read(StdoutConfig::EXAMPLE).stdout, plain);
}

#[test]
fn the_examples_keys_are_real_and_say_the_defaults() {
    let otlp = read(&all_keys(OtlpConfig::EXAMPLE)).otlp;
    let endpoint = Endpoint::try_from("http://localhost:4317".to_owned());
    let file = |name: &str| Some(PathBuf::from(format!("/etc/gostray/{name}")));
    let stated = OtlpConfig {
        endpoint: Some(endpoint.expect("an address")),
        protocol: Some(Protocol::Grpc),
        insecure: Some(false),
        headers: Some(BTreeMap::new()),
        headers_file: file("otlp.headers"),
        compression: Some(Compression::Gzip),
        timeout: Some(Period::of_milliseconds(10_000)),
        ca_file: file("ca.pem"),
        certificate_file: file("agent.pem"),
        key_file: file("agent.key"),
        ..OtlpConfig::default()
    };
    assert_eq!(otlp, Some(stated));
    let hooks = read(&all_keys(WebhookConfig::EXAMPLE)).webhook;
    let least = WebhookConfig::to(hooks[0].url.clone());
    let stated = WebhookConfig {
        headers_file: file("webhook.headers"),
        ca_file: file("ca.pem"),
        ..least
    };
    assert_eq!(hooks, [stated]);
    let stdout = read(&all_keys(StdoutConfig::EXAMPLE)).stdout;
    let stated = StdoutConfig {
        status: Some(Period::of_milliseconds(60_000)),
        ..StdoutConfig::default()
    };
    assert_eq!(stdout, Some(stated));
}

#[test]
fn what_is_wrong_is_said_without_secrets() {
    let wrong = [
        "[otlp]\nendpoint = 'ftp://host:1'",
        "[otlp]\nendpoint = 'https://user:hunter2@host'",
        "[otlp]\nprotocol = 'udp'",
        "[otlp]\ntimeout = 5",
        "[otlp]\ninterval = '5'",
        "[otlp]\nsites = 501",
        "[otlp]\nheaders = { authorization = 1234567 }",
        "[otlp]\nendpiont = 'a:1'",
        "[[webhook]]\nurl = 'hunter2'",
        "[[webhook]]\nurl = 'file:///hunter2'",
        "[[webhook]]\nverdicts = []",
        "[[webhook]]\nurl = 'http://a'\nverdicts = ['sure']",
        "[stdout]\nstatus = '10ms'",
    ];
    let said = wrong.map(|text| {
        let error = toml::from_str::<File>(text).expect_err("it is wrong");
        let line = error
            .span()
            .map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        format!("{line}: {}", error.message())
    });
    assert_snapshot!(said.join("\n"), @r#"
    2: an endpoint begins with http:// or https://, or is HOST:PORT
    2: an endpoint is shown in logs: put what is secret into headers
    2: unknown variant `udp`, expected one of `grpc`, `http`, `http/protobuf`
    2: invalid type: integer `5`, expected a string
    2: `5` is no time; write a number and its unit, such as 500ms, 30s, 5m or 1h
    2: this number lies between 0 and 500
    2: a secret is text: put it in quotes
    2: unknown field `endpiont`, expected one of `endpoint`, `protocol`, `insecure`, `headers`, `headers_file`, `compression`, `timeout`, `ca_file`, `certificate_file`, `key_file`, `events`, `metrics`, `interval`, `sites`, `queue`, `retry_for`
    2: this is no address; write https://HOST/PATH
    2: the address begins with http:// or https://
    1: missing field `url`
    3: unknown variant `sure`, expected one of `suspect`, `likely`, `proven`
    2: this time lies between 1s and 24h
    "#);
}

#[test]
fn nothing_secret_is_shown() {
    let text = "[otlp]\nheaders = { a = 'hunter2' }\n[[webhook]]\nurl = 'http://a/hunter2'\n\
        headers = { b = 'hunter2' }";
    let shown = format!("{:?}", read(text));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(shown.matches("***").count(), 3, "{shown}");
}
