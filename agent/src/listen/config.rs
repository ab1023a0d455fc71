//! `[listen]` of the configuration file.

use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

use super::ListenError;
use crate::config::Number;

/// The port of Prometheus' exporters that OpenTelemetry has for its own.
pub const DEFAULT_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// Where the daemon answers HTTP requests, and how much it answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenConfig {
    /// Whether it listens at all; whoever starts the listener looks at this first.
    pub enabled: bool,
    /// Address and port; port 0 is any that is free.
    pub address: ListenAddress,
    /// Whether the address may be one that other machines reach.
    pub allow_remote: bool,
    /// Names by which it may be asked, besides IP addresses and `localhost`.
    pub hosts: Vec<HostName>,
    /// Connections that are served at once; more are turned away.
    pub connections: Number<1, 256>,
    /// Creation sites of a process that metrics tell apart; the others are told in sum.
    pub sites: Number<1, 1000>,
    /// The same of all processes together.
    pub sites_of_all: Number<1, 100_000>,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            address: ListenAddress(DEFAULT_ADDRESS),
            allow_remote: false,
            hosts: Vec::new(),
            connections: Number::of(16),
            sites: Number::of(20),
            sites_of_all: Number::of(1000),
        }
    }
}

impl ListenConfig {
    /// Refuses an address that other machines reach, unless they are meant to.
    ///
    /// # Errors
    /// [`ListenError::Remote`].
    pub fn check(&self) -> Result<(), ListenError> {
        let address = self.address.0;
        if address.ip().to_canonical().is_loopback() || self.allow_remote {
            return Ok(());
        }
        Err(ListenError::Remote { address })
    }
}

/// The section with all its keys.
pub const EXAMPLE: &str = r#"# HTTP: /metrics for Prometheus, /healthz, /readyz, /status, and /debug/pprof/ with goroutine profiles.
# Whoever reaches it may read what runs here and where its goroutines wait: there is no password.
[listen]
# Whether to listen at all.
#enabled = true
# IP address and port; port 0 is any that is free.
#address = "127.0.0.1:9464"
# Whether the address may be one that other machines reach. Without this such an address is refused.
#allow_remote = false
# Names by which it may be asked, besides IP addresses and localhost; a request under any other name is
# refused, so that no web page can read what is here through a name of its own.
#hosts = []
# Connections that are served at once, 1 to 256; more are turned away with status 503.
#connections = 16
# Creation sites of a process that /metrics tells apart, 1 to 1000: those with the most goroutines, and
# as many again that leak. The others are told in sum, as site="other".
#sites = 20
# The same of all processes together, 1 to 100000: with many processes each has fewer of its own.
#sites_of_all = 1000
"#;

/// An IP address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ListenAddress(pub SocketAddr);

impl TryFrom<String> for ListenAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            format!(
                "{text:?} is no address; write an IP address and a port, such as \"127.0.0.1:9464\" \
                 or \"[::1]:9464\""
            )
        })
    }
}

/// A host's name, in lower case and without a port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HostName(String);

impl HostName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HostName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if text.len() <= 253 && text.split('.').all(part) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(format!(
                "{text:?} is no host name; write it without a port, such as \"node-1.example.com\""
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        listen: ListenConfig,
    }

    fn parse(text: &str) -> Result<ListenConfig, toml::de::Error> {
        toml::from_str::<File>(text).map(|file| file.listen)
    }

    #[test]
    fn the_example_says_what_holds_without_it() {
        assert_eq!(parse(EXAMPLE).unwrap(), ListenConfig::default());
        let keys = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => key,
            _ => line,
        });
        let text: Vec<_> = keys.collect();
        let text = text.join("\n");
        assert!(text.contains("\nsites_of_all = 1000"), "{text}");
        assert_eq!(parse(&text).unwrap(), ListenConfig::default());
    }

    #[test]
    fn what_is_wrong_is_said_where_it_is() {
        for (line, said) in [
            ("address = \"9464\"", "is no address; write"),
            ("address = \"localhost:9464\"", "is no address; write"),
            ("hosts = [\"a.b:80\"]", "is no host name"),
            ("hosts = [\"\"]", "is no host name"),
            ("connections = 0", "lies between 1 and 256"),
            ("sites = -1", "lies between 1 and 1000"),
            ("adress = \"127.0.0.1:1\"", "unknown field"),
        ] {
            let text = format!("[listen]\n{line}\n");
            let error = parse(&text).unwrap_err();
            assert!(error.message().contains(said), "{line}: {error}");
            assert!(error.span().is_some_and(|span| span.start >= 9), "{line}");
        }
        let named = parse("[listen]\nhosts = [\"Node-1.Example.com\"]").unwrap();
        assert_eq!(named.hosts[0].as_str(), "node-1.example.com");
    }

    #[test]
    fn other_machines_are_let_in_only_when_told_so() {
        for (address, remote) in [
            ("127.0.0.1:0", false),
            ("127.8.9.1:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("192.0.2.1:1", true),
        ] {
            let mut config = parse(&format!("[listen]\naddress = \"{address}\"")).unwrap();
            assert_eq!(config.check().is_err(), remote, "{address}");
            config.allow_remote = true;
            assert!(config.check().is_ok(), "{address}");
        }
        let config = parse("[listen]\naddress = \"0.0.0.0:9464\"").unwrap();
        let said = config.check().unwrap_err().to_string();
        assert!(said.contains("allow_remote = true"), "{said}");
    }
}
