//! Which format a client takes.

use axum::http::{HeaderMap, HeaderValue, header};

/// Formats of `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::listen) enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Text,
}

impl Format {
    /// What `headers` ask for: OpenMetrics for those who name it and like nothing better.
    pub(in crate::listen) fn asked(headers: &HeaderMap) -> Self {
        let (mut open_metrics, mut text) = (0, 0);
        for range in listed(headers, header::ACCEPT) {
            let (name, parameters) = range;
            let version = parameter(&parameters, "version");
            let quality = quality(&parameters);
            match name.as_str() {
                "application/openmetrics-text" if matches!(version, None | Some("1.0.0")) => {
                    open_metrics = open_metrics.max(quality);
                }
                "text/plain" if matches!(version, None | Some("0.0.4")) => text = text.max(quality),
                "text/*" | "*/*" => text = text.max(quality),
                _ => {}
            }
        }
        if open_metrics > 0 && open_metrics >= text {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// The `Content-Type`.
    pub(in crate::listen) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        })
    }
}

/// Whether the client takes gzip.
pub(in crate::listen) fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut takes = false;
    for (name, parameters) in listed(headers, header::ACCEPT_ENCODING) {
        match name.as_str() {
            "gzip" => return quality(&parameters) > 0,
            "*" => takes = quality(&parameters) > 0,
            _ => {}
        }
    }
    takes
}

/// A list of names with parameters, in lower case.
fn listed(headers: &HeaderMap, name: header::HeaderName) -> Vec<(String, Vec<String>)> {
    let values = headers.get_all(name).iter();
    let entries = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    entries
        .map(|entry| {
            let mut parts = entry
                .split(';')
                .map(|part| part.trim().to_ascii_lowercase());
            (parts.next().unwrap_or_default(), parts.collect())
        })
        .collect()
}

fn parameter<'a>(parameters: &'a [String], name: &str) -> Option<&'a str> {
    parameters.iter().find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        (key.trim() == name).then(|| value.trim().trim_matches('"'))
    })
}

/// In thousandths; 1000 where nothing is said, 0 where that makes no sense.
fn quality(parameters: &[String]) -> u32 {
    match parameter(parameters, "q") {
        None => 1000,
        Some(text) => match text.parse::<f64>() {
            // A whole number between 0 and 1000.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it was brought within bounds"
            )]
            Ok(share) => (share.clamp(0.0, 1.0) * 1000.0) as u32,
            Err(_) => 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn open_metrics_is_for_those_who_ask_for_it() {
        let asked = |accept| Format::asked(&headers(header::ACCEPT, accept));
        for accept in [
            // Prometheus 2.42 and 3.0.
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; Version=\"1.0.0\"",
        ] {
            assert_eq!(asked(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "text/plain;version=0.0.4",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.3,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text;q=much",
        ] {
            assert_eq!(asked(accept), Format::Text, "{accept}");
        }
        assert_eq!(Format::asked(&HeaderMap::new()), Format::Text);
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        let takes = |value| takes_gzip(&headers(header::ACCEPT_ENCODING, value));
        assert!(takes("gzip") && takes("br, GZIP;q=0.5") && takes("*"));
        assert!(!takes("identity") && !takes("gzip;q=0, *") && !takes("") && !takes("*;q=0"));
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
