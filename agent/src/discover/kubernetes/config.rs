//! `[kubernetes]` of the configuration.

use std::{net::IpAddr, path::PathBuf};

use serde::Deserialize;

use crate::config::Period;

/// Whom to ask for a node's pods, and how. There is no secret in it: the token is in a file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct KubernetesConfig {
    /// Whom to ask.
    pub source: Source,
    /// Where; by default where a pod finds the API server, or the kubelet's port of the node.
    pub url: Option<ServerUrl>,
    /// The node; by default what the environment variable `NODE_NAME` says.
    pub node: Option<NodeName>,
    /// The file with the token to show, read anew each time, since tokens expire.
    pub token_file: PathBuf,
    /// The file with the certificates that the server's has to lead to.
    pub ca_file: PathBuf,
    /// Whether the server's certificate is not checked at all.
    pub insecure_skip_verify: bool,
    /// How often to ask.
    pub interval: Period<5000, 3_600_000>,
}

impl KubernetesConfig {
    /// The section with all its keys.
    pub const EXAMPLE: &str = r#"# Names and labels of the pods that watched programs run in. Without it a pod's uid is known, and mostly
# its name and namespace, from files in its containers.
[kubernetes]
# Whom to ask: "none", "api" (the API server; list pods has to be allowed), or "kubelet" (of this node;
# get nodes/proxy has to be allowed). Default: "none".
#source = "none"
# Where. Default: as KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT say in a pod; for the kubelet port
# 10250 of the node. Without encryption only on this machine, and then no token is sent.
#url = "https://10.96.0.1:443"
# The name of this node. Default: what the environment variable NODE_NAME says.
#node = "node-1"
# The file with the token to show, read each time. Default: the service account's.
#token_file = "/var/run/secrets/kubernetes.io/serviceaccount/token"
# The file with the certificates of those who may sign the server's. Default: the cluster's.
#ca_file = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
# Do not check the server's certificate: kubelets often have one that nobody has signed. Whoever can take the
# server's place gets the token then. Default: false.
#insecure_skip_verify = false
# How often to ask, from 5s to 1h; pods that are not known are asked for sooner. Default: 30s.
#interval = "30s"
"#;
}

impl Default for KubernetesConfig {
    fn default() -> Self {
        const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
        Self {
            source: Source::None,
            url: None,
            node: None,
            token_file: PathBuf::from(format!("{ACCOUNT}/token")),
            ca_file: PathBuf::from(format!("{ACCOUNT}/ca.crt")),
            insecure_skip_verify: false,
            interval: Period::of_milliseconds(30_000),
        }
    }
}

/// Who tells the pods of a node.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Nobody.
    #[default]
    None,
    /// The API server.
    Api,
    /// The node's kubelet.
    Kubelet,
}

/// The base of all addresses of a server: scheme, host and port, a path in front of it where it is behind
/// a proxy. Without a slash at its end.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct ServerUrl(String);

impl ServerUrl {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether what is sent there is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl TryFrom<String> for ServerUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (is_encrypted, rest) = if let Some(rest) = text.strip_prefix("https://") {
            (true, rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            (false, rest)
        } else {
            return Err("write it as https://HOST:PORT");
        };
        let place = rest.split('/').next().unwrap_or_default();
        // Never repeated in a message: whoever wrote it may have meant it as a secret.
        if place.contains('@') {
            return Err("no user and password belong there; the token is in token_file");
        }
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?#\\\"<>".contains(&byte);
        if place.is_empty() || !rest.bytes().all(is_plain) {
            return Err("write it as https://HOST:PORT");
        }
        if !is_encrypted && !is_loopback(place) {
            return Err("without encryption (http) only this machine may be asked");
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// Whether `HOST:PORT` is an address of this machine's own.
fn is_loopback(place: &str) -> bool {
    let host = match place.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => place.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// A node's name: becomes part of an address, so it has to be one.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct NodeName(String);

impl NodeName {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for NodeName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_inside =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        let is_name = (1..=253).contains(&text.len()) && text.bytes().all(is_inside);
        let has_ends = |text: &str| !text.starts_with(['-', '.']) && !text.ends_with(['-', '.']);
        if is_name && has_ends(&text) {
            Ok(Self(text))
        } else {
            Err("a node's name has lower-case letters, digits, `-` and `.`")
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn the_example_without_its_marks_is_right() {
        let is_key = |line: &str| line.starts_with('#') && !line.starts_with("# ");
        let text: String = KubernetesConfig::EXAMPLE
            .lines()
            .map(|line| if is_key(line) { &line[1..] } else { line })
            .map(|line| format!("{line}\n"))
            .collect();
        #[derive(Deserialize)]
        struct File {
            kubernetes: KubernetesConfig,
        }
        let File { kubernetes } = toml::from_str(&text).expect("it is right");
        assert_eq!(
            kubernetes.url.as_ref().map(ServerUrl::as_str),
            Some("https://10.96.0.1:443")
        );
        assert_eq!(
            kubernetes.node.as_ref().map(NodeName::as_str),
            Some("node-1")
        );
        // All else is at its default.
        let rest = KubernetesConfig {
            url: None,
            node: None,
            ..kubernetes
        };
        assert_eq!(rest, KubernetesConfig::default());
        let File { kubernetes } = toml::from_str(KubernetesConfig::EXAMPLE).expect("as it stands");
        assert_eq!(kubernetes, KubernetesConfig::default());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let wrong = [
            "source = 'etcd'",
            "\nurl = 'node:10250'",
            "url = 'https://me:hunter2@node:10250'",
            "url = 'http://node:10250'",
            "url = 'https://node/?x'",
            "url = 'https://'",
            "node = 'Node 1'",
            "node = '../x'",
            "interval = '1s'",
            "interval = '2h'",
            "interval = 30",
            "token = 'x'",
        ];
        let said = wrong.map(|text| {
            let error = toml::from_str::<KubernetesConfig>(text).expect_err("it is wrong");
            let span = error.span().expect("a place");
            let line = text[..span.start].matches('\n').count() + 1;
            format!("line {line}: {}", error.message())
        });
        assert_snapshot!(said.join("\n"), @r#"
        line 1: unknown variant `etcd`, expected one of `none`, `api`, `kubelet`
        line 2: write it as https://HOST:PORT
        line 1: no user and password belong there; the token is in token_file
        line 1: without encryption (http) only this machine may be asked
        line 1: write it as https://HOST:PORT
        line 1: write it as https://HOST:PORT
        line 1: a node's name has lower-case letters, digits, `-` and `.`
        line 1: a node's name has lower-case letters, digits, `-` and `.`
        line 1: this time lies between 5s and 1h
        line 1: this time lies between 5s and 1h
        line 1: invalid type: integer `30`, expected a string
        line 1: unknown field `token`, expected one of `source`, `url`, `node`, `token_file`, `ca_file`, `insecure_skip_verify`, `interval`
        "#);
    }

    #[test]
    fn addresses() {
        let url = |text: &str| ServerUrl::try_from(text.to_owned());
        for right in [
            "https://node:10250/",
            "http://127.0.0.1:8001",
            "http://[::1]:8001",
            "http://localhost:1",
            "https://10.0.0.1/k8s/clusters/c-1",
        ] {
            assert!(url(right).is_ok(), "{right}");
        }
        assert_eq!(
            url("https://node:1/").map(|url| url.0),
            Ok("https://node:1".into())
        );
        for wrong in [
            "http://10.0.0.1:1",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com:1",
            "ftp://x",
            "https://a b",
        ] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }
}
