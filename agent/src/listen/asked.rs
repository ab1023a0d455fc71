//! What the headers of a request come to that are read here by hand, whoever has sent them.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

use super::{HostName, guard, metrics};

/// What the listener makes of some headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whether they name one host, which is ours, and no page of another site.
    pub is_allowed: bool,
    /// Whether `/metrics` is to be OpenMetrics.
    pub open_metrics: bool,
    /// Whether the answer may be gzipped.
    pub gzip: bool,
}

impl Asked {
    /// Of a GET with these headers, in HTTP/1.1. What cannot be a header is left out: it comes to no listener.
    #[must_use]
    pub fn of<'h>(
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
        hosts: &[HostName],
    ) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_bytes(value))
            {
                map.append(name, value);
            }
        }
        let uri = Uri::from_static("/metrics");
        let allowed = guard::allowed(&Method::GET, Version::HTTP_11, &uri, &map, hosts);
        Self {
            is_allowed: allowed.is_ok(),
            open_metrics: metrics::Format::asked(&map) == metrics::Format::OpenMetrics,
            gzip: metrics::takes_gzip(&map),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_taken_together() {
        let headers: [(&str, &[u8]); 5] = [
            ("host", b"localhost:1"),
            ("accept", b"application/openmetrics-text"),
            ("accept-encoding", b"gzip;q=0"),
            ("no name", b""),
            ("x", b"\n"),
        ];
        let asked = Asked::of(headers, &[]);
        assert!(asked.is_allowed && asked.open_metrics && !asked.gzip);
        assert!(!Asked::of(headers.into_iter().chain([headers[0]]), &[]).is_allowed);
    }
}
