//! Where a signal goes and how: the section, then the agent's environment, then defaults.

use std::{path::PathBuf, time::Duration};

use reqwest::Url;

use crate::export::{
    ExportError, Secret,
    config::{Compression, Endpoint, OtlpConfig, Protocol},
    files::{self, Headers, Tls},
    words,
};

pub(super) const SECTION: &str = "otlp";

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::export) enum Signal {
    Logs,
    Metrics,
}

impl Signal {
    /// As in variables' names.
    fn variable(self) -> &'static str {
        match self {
            Self::Logs => "LOGS",
            Self::Metrics => "METRICS",
        }
    }

    /// What is added to an endpoint over HTTP.
    fn path(self) -> &'static str {
        match self {
            Self::Logs => "/v1/logs",
            Self::Metrics => "/v1/metrics",
        }
    }

    /// The method over gRPC.
    pub(super) fn method(self) -> &'static str {
        match self {
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        }
    }
}

/// All of it, for one signal.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::export) struct OtlpSettings {
    pub(super) signal: Signal,
    pub(super) protocol: Protocol,
    pub(super) url: Url,
    pub(super) headers: Headers,
    pub(super) gzip: bool,
    pub(super) timeout: Duration,
    pub(super) tls: Tls,
    /// Sites with series of their own; of no meaning for logs.
    pub(super) sites: usize,
}

impl OtlpSettings {
    /// Resolves the section. `variable` reads the agent's environment.
    pub(in crate::export) fn of(
        config: &OtlpConfig,
        signal: Signal,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ExportError> {
        let environment = Environment { signal, variable };
        let protocol = match config.protocol {
            Some(protocol) => protocol,
            None => environment
                .parsed("PROTOCOL", |text| match text {
                    "grpc" => Some(Protocol::Grpc),
                    "http/protobuf" => Some(Protocol::Http),
                    _ => None,
                })?
                .unwrap_or(Protocol::Grpc),
        };
        let headers = match &config.headers {
            Some(headers) => headers.clone(),
            None => environment
                .parsed("HEADERS", header_list)?
                .unwrap_or_default(),
        };
        let compression = match config.compression {
            Some(compression) => compression,
            None => environment
                .parsed("COMPRESSION", |text| match text {
                    "gzip" => Some(Compression::Gzip),
                    "none" => Some(Compression::None),
                    _ => None,
                })?
                .unwrap_or(Compression::Gzip),
        };
        let timeout = match config.timeout {
            Some(timeout) => timeout.get(),
            None => environment
                .parsed("TIMEOUT", |text| {
                    let milliseconds = text.parse().ok()?;
                    (100..=300_000)
                        .contains(&milliseconds)
                        .then_some(milliseconds)
                })?
                .map_or(Duration::from_secs(10), Duration::from_millis),
        };
        let file = |stated: &Option<PathBuf>, name| {
            let variable = || environment.get(name).map(|(_, text)| PathBuf::from(text));
            stated.clone().or_else(variable)
        };
        let tls = files::tls(
            SECTION,
            file(&config.ca_file, "CERTIFICATE").as_ref(),
            file(&config.certificate_file, "CLIENT_CERTIFICATE").as_ref(),
            file(&config.key_file, "CLIENT_KEY").as_ref(),
        )?;
        Ok(Self {
            signal,
            protocol,
            url: environment.url(config, protocol)?,
            headers: files::headers(SECTION, &headers, config.headers_file.as_ref())?,
            gzip: compression == Compression::Gzip,
            timeout,
            tls,
            sites: config.sites.get(),
        })
    }

    /// What nobody may quote.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.headers.values().cloned().collect()
    }
}

/// The agent's own, as the specification of OTLP's exporters has it.
struct Environment<'a> {
    signal: Signal,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Environment<'_> {
    /// A variable and its name: the signal's own before that of all.
    fn get(&self, name: &str) -> Option<(String, String)> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{name}", self.signal.variable());
        let all = format!("OTEL_EXPORTER_OTLP_{name}");
        [own, all].into_iter().find_map(|name| {
            let text = (self.variable)(&name)?;
            // An empty one is as none, by the specification.
            let text = text.trim();
            (!text.is_empty()).then(|| (name, text.to_owned()))
        })
    }

    fn parsed<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ExportError> {
        let Some((name, text)) = self.get(name) else {
            return Ok(None);
        };
        // Not what it is: headers are secrets.
        let reason = "the variable has a value that is not understood".to_owned();
        let value = parse(&text).ok_or(ExportError::Value {
            section: SECTION,
            key: name,
            reason,
        })?;
        Ok(Some(value))
    }

    fn url(&self, config: &OtlpConfig, protocol: Protocol) -> Result<Url, ExportError> {
        let insecure = match config.insecure {
            Some(insecure) => insecure,
            None => self
                .parsed("INSECURE", |text| match text.to_lowercase().as_str() {
                    "true" => Some(true),
                    "false" => Some(false),
                    _ => None,
                })?
                .unwrap_or(false),
        };
        let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", self.signal.variable());
        let (endpoint, is_whole) = match &config.endpoint {
            Some(endpoint) => (endpoint.clone(), false),
            None => match self.get("ENDPOINT") {
                Some((name, text)) => {
                    let endpoint = Endpoint::try_from(text);
                    let endpoint = endpoint.map_err(|reason| ExportError::Value {
                        section: SECTION,
                        key: name.clone(),
                        reason: reason.into(),
                    })?;
                    (endpoint, name == own)
                }
                None => {
                    let port = match protocol {
                        Protocol::Grpc => 4317,
                        Protocol::Http => 4318,
                    };
                    let endpoint = format!("http://localhost:{port}");
                    (Endpoint::try_from(endpoint).map_err(wrong)?, false)
                }
            },
        };
        let mut url = endpoint.url(insecure).map_err(wrong)?;
        if protocol == Protocol::Http && !is_whole {
            let path = format!("{}{}", url.path().trim_end_matches('/'), self.signal.path());
            url.set_path(&path);
        }
        Ok(url)
    }
}

fn wrong(reason: &str) -> ExportError {
    ExportError::Value {
        section: SECTION,
        key: "endpoint".into(),
        reason: reason.into(),
    }
}

/// `name=value,name=value`, values with per cent signs as in W3C's baggage.
fn header_list(text: &str) -> Option<Headers> {
    let mut headers = Headers::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let value = words::percent_decoded(value.trim())?;
        headers.insert(name.trim().to_lowercase(), Secret::new(value));
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn resolved(
        section: &str,
        signal: Signal,
        variables: &[(&str, &str)],
    ) -> Result<OtlpSettings, ExportError> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        let variable = |name: &str| variables.get(name).map(|text| (*text).to_owned());
        let config = toml::from_str(section).expect("right");
        OtlpSettings::of(&config, signal, &variable)
    }

    fn url(section: &str, variables: &[(&str, &str)]) -> String {
        let settings = resolved(section, Signal::Logs, variables).expect("right");
        settings.url.to_string()
    }

    #[test]
    fn endpoints_are_as_the_specification_has_them() {
        assert_eq!(url("", &[]), "http://localhost:4317/");
        assert_eq!(
            url("protocol = 'http'", &[]),
            "http://localhost:4318/v1/logs"
        );
        assert_eq!(
            url("protocol = 'http'\nendpoint = 'https://a:1/otlp/'", &[]),
            "https://a:1/otlp/v1/logs"
        );
        assert_eq!(url("endpoint = 'a:4317'", &[]), "https://a:4317/");
        assert_eq!(
            url("endpoint = 'a:4317'\ninsecure = true", &[]),
            "http://a:4317/"
        );
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:1");
        let own = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://own:1/as/it/is");
        let http = "protocol = 'http'";
        assert_eq!(url(http, &[all]), "http://all:1/v1/logs");
        assert_eq!(url(http, &[all, own]), "http://own:1/as/it/is");
        assert_eq!(
            url(
                "protocol = 'http'\nendpoint = 'http://section:1'",
                &[all, own]
            ),
            "http://section:1/v1/logs"
        );
    }

    #[test]
    fn the_environment_says_what_the_section_does_not() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=a%20b,x=y="),
        ];
        let settings = resolved("", Signal::Metrics, &variables).expect("right");
        assert_eq!(settings.protocol, Protocol::Http);
        assert_eq!(settings.timeout, Duration::from_millis(2500));
        assert!(!settings.gzip);
        assert_eq!(settings.headers["api-key"].reveal(), "a b");
        assert_eq!(settings.headers["x"].reveal(), "y=");
        let section = "timeout = '1s'\ncompression = 'gzip'\nheaders = {}\nprotocol = 'grpc'";
        let settings = resolved(section, Signal::Metrics, &variables).expect("right");
        assert_eq!(settings.protocol, Protocol::Grpc);
        assert_eq!(settings.timeout, Duration::from_secs(1));
        assert!(settings.gzip && settings.headers.is_empty());
    }

    #[test]
    fn a_variable_that_is_wrong_is_named_and_not_quoted() {
        let name = "OTEL_EXPORTER_OTLP_HEADERS";
        let error = resolved("", Signal::Logs, &[(name, "hunter2")]).expect_err("no header");
        assert_eq!(
            error.to_string(),
            format!("[otlp] {name}: the variable has a value that is not understood")
        );
        let shown = resolved("", Signal::Logs, &[(name, "a=hunter2")]).expect("right");
        assert!(!format!("{shown:?}").contains("hunter2"));
    }
}
