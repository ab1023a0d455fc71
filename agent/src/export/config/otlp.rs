//! `[otlp]`.

use std::{collections::BTreeMap, path::PathBuf};

use reqwest::Url;
use serde::Deserialize;

use super::{Events, Number, Period};
use crate::export::Secret;

/// Where OpenTelemetry's protocol is spoken to. What is `None` is taken from the agent's
/// `OTEL_EXPORTER_OTLP_*` variables, and has a default where those say nothing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OtlpConfig {
    /// The receiver.
    pub endpoint: Option<Endpoint>,
    /// How.
    pub protocol: Option<Protocol>,
    /// Plain text, where the endpoint has no scheme.
    pub insecure: Option<bool>,
    /// Headers of each request.
    pub headers: Option<BTreeMap<String, Secret>>,
    /// A file with more of them.
    pub headers_file: Option<PathBuf>,
    /// Of requests.
    pub compression: Option<Compression>,
    /// For an answer.
    pub timeout: Option<Period<100, 300_000>>,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The agent's own certificate (PEM).
    pub certificate_file: Option<PathBuf>,
    /// And its key (PEM).
    pub key_file: Option<PathBuf>,
    /// Which events become log records.
    pub events: Events,
    /// Whether metrics are sent.
    pub metrics: bool,
    /// How often.
    pub interval: Period<1000, 3_600_000>,
    /// Sites of a process with series of their own.
    pub sites: Number<0, 500>,
    /// How many events may wait.
    pub queue: Number<1, 100_000>,
    /// How long an export that failed is made again.
    pub retry_for: Period<0, 86_400_000>,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: None,
            insecure: None,
            headers: None,
            headers_file: None,
            compression: None,
            timeout: None,
            ca_file: None,
            certificate_file: None,
            key_file: None,
            events: Events::default(),
            metrics: true,
            interval: Period::of_milliseconds(60_000),
            sites: Number::of(20),
            queue: Number::of(1024),
            retry_for: Period::of_milliseconds(3_600_000),
        }
    }
}

impl OtlpConfig {
    /// The section with all its keys.
    pub const EXAMPLE: &str = r#"# Events as log records, and metrics, to a receiver of OpenTelemetry's protocol (OTLP). docs/otlp.md has all
# names. A key that is not here is taken from the agent's environment, where OTEL_EXPORTER_OTLP_* has it.
[otlp]

# The receiver. Over HTTP "/v1/logs" and "/v1/metrics" are added to it.
# Default: "http://localhost:4317" for grpc, "http://localhost:4318" for http.
#endpoint = "http://localhost:4317"

# "grpc", or "http" for protobuf over HTTP.
# Default: "grpc".
#protocol = "grpc"

# Without TLS, where the endpoint has no scheme (HOST:PORT).
# Default: false.
#insecure = false

# Headers of each request; values are never shown.
# Default: none.
#headers = {}

# A file with more headers, one "NAME: VALUE" a line; it is read again on reload.
# Default: none.
#headers_file = "/etc/gostray/otlp.headers"

# Of requests: "gzip" or "none".
# Default: "gzip".
#compression = "gzip"

# How long to wait for an answer, from 100ms to 5m.
# Default: "10s".
#timeout = "10s"

# Certificates (PEM) that are trusted instead of the system's.
# Default: the system's.
#ca_file = "/etc/gostray/ca.pem"

# The agent's own certificate and its key (PEM), where the receiver asks for one.
# Default: none.
#certificate_file = "/etc/gostray/agent.pem"
#key_file = "/etc/gostray/agent.key"

# Which events become log records: "leaks" (leaks and resolved ones), "all" (also attached, mode and detached),
# "none".
# Default: "leaks".
#events = "leaks"

# Whether metrics are sent.
# Default: true.
#metrics = true

# How often metrics are sent, from 1s to 1h.
# Default: "60s".
#interval = "60s"

# How many creation sites of each process have series of their own, from 0 to 500: so many of those with most
# goroutines, and as many of those that leak. All others are summed as "other".
# Default: 20.
#sites = 20

# How many events may wait, from 1 to 100000; the oldest is dropped, and counted, for the next.
# Default: 1024.
#queue = 1024

# How long an export that failed is made again, at growing intervals, up to 24h; what fails for longer is
# dropped and counted. Metrics do not wait: a newer sample takes the place of the one that failed.
# Default: "1h".
#retry_for = "1h"
"#;
}

/// How OTLP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Protocol {
    /// gRPC.
    #[serde(rename = "grpc")]
    Grpc,
    /// Protobuf over HTTP.
    #[serde(rename = "http", alias = "http/protobuf")]
    Http,
}

/// Of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// gzip.
    Gzip,
    /// None.
    None,
}

/// A receiver's address: `http://…`, `https://…`, or a host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Endpoint(String);

impl Endpoint {
    /// With its scheme: one without is reached by TLS, unless it is to be `insecure`.
    ///
    /// # Errors
    /// It is no address, which has been ruled out when it was made.
    pub(in crate::export) fn url(&self, insecure: bool) -> Result<Url, &'static str> {
        let scheme = if insecure { "http" } else { "https" };
        let url = if self.0.contains("://") {
            Url::parse(&self.0)
        } else {
            Url::parse(&format!("{scheme}://{}", self.0))
        };
        url.map_err(|_| "this is no address; write http://HOST:PORT or https://HOST:PORT")
    }
}

impl TryFrom<String> for Endpoint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let endpoint = Self(text);
        let url = endpoint.url(true)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("an endpoint begins with http:// or https://, or is HOST:PORT");
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err("an endpoint is shown in logs: put what is secret into headers");
        }
        Ok(endpoint)
    }
}
