//! `[[webhook]]`.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use reqwest::Url;
use serde::Deserialize;

use super::{Number, Period, WantedVerdict};
use crate::export::Secret;

/// Leaks, each as a POST of JSON.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where to.
    pub url: WebUrl,
    /// Which leaks.
    #[serde(default = "verdicts")]
    pub verdicts: Vec<WantedVerdict>,
    /// Whether it is told, too, that a leak is resolved.
    #[serde(default)]
    pub resolved: bool,
    /// Headers of each request.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// A file with more of them.
    #[serde(default)]
    pub headers_file: Option<PathBuf>,
    /// Certificates (PEM) to trust instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// For an answer.
    #[serde(default = "timeout")]
    pub timeout: Period<100, 300_000>,
    /// How long a request that failed is made again.
    #[serde(default = "retry_for")]
    pub retry_for: Period<0, 86_400_000>,
    /// How many events may wait.
    #[serde(default = "queue")]
    pub queue: Number<1, 100_000>,
}

fn verdicts() -> Vec<WantedVerdict> {
    vec![WantedVerdict::Likely, WantedVerdict::Proven]
}

fn timeout() -> Period<100, 300_000> {
    Period::of_milliseconds(10_000)
}

fn retry_for() -> Period<0, 86_400_000> {
    Period::of_milliseconds(3_600_000)
}

fn queue() -> Number<1, 100_000> {
    Number::of(1024)
}

impl WebhookConfig {
    /// The section with all its keys.
    pub const EXAMPLE: &str = r#"# Leaks, each as a POST of one JSON object: the event as on stdout. May be there several times. A status of 2xx
# is success; 408, 429, 5xx and failed connections are tried again, any other answer is not.
[[webhook]]

# Where to. It may hold a token, so it is never shown.
url = "https://alerts.example.com/hooks/gostray"

# Which leaks: "suspect", "likely", "proven".
# Default: ["likely", "proven"].
#verdicts = ["likely", "proven"]

# Whether it is told, too, that a leak is resolved.
# Default: false.
#resolved = false

# Headers of each request; values are never shown.
# Default: none.
#headers = {}

# A file with more headers, one "NAME: VALUE" a line; it is read again on reload.
# Default: none.
#headers_file = "/etc/gostray/webhook.headers"

# Certificates (PEM) that are trusted instead of the system's.
# Default: the system's.
#ca_file = "/etc/gostray/ca.pem"

# How long to wait for an answer, from 100ms to 5m.
# Default: "10s".
#timeout = "10s"

# How long a request that failed is made again, at growing intervals, up to 24h; what fails for longer is
# dropped and counted.
# Default: "1h".
#retry_for = "1h"

# How many events may wait, from 1 to 100000; the oldest is dropped, and counted, for the next.
# Default: 1024.
#queue = 1024
"#;

    /// The least that is needed.
    #[must_use]
    pub fn to(url: WebUrl) -> Self {
        Self {
            url,
            verdicts: verdicts(),
            resolved: false,
            headers: BTreeMap::new(),
            headers_file: None,
            ca_file: None,
            timeout: timeout(),
            retry_for: retry_for(),
            queue: queue(),
        }
    }

    /// For an answer.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.get()
    }
}

/// An `http` or `https` address, which may hold a token.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Secret")]
pub struct WebUrl(Secret);

impl WebUrl {
    /// The address, for whom it is meant.
    pub(in crate::export) fn secret(&self) -> &Secret {
        &self.0
    }
}

impl TryFrom<Secret> for WebUrl {
    type Error = &'static str;

    fn try_from(secret: Secret) -> Result<Self, &'static str> {
        // What is wrong with it is not quoted.
        let url = Url::parse(secret.reveal())
            .map_err(|_| "this is no address; write https://HOST/PATH")?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Self(secret)),
            _ => Err("the address begins with http:// or https://"),
        }
    }
}
