//! One question to the API server or the kubelet, and the answer within bounds.

use std::{
    env,
    error::Error as _,
    fmt::Write as _,
    fs::File,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{
    Certificate, Client, StatusCode,
    header::{ACCEPT, AUTHORIZATION, HeaderValue},
    redirect::Policy,
};

use super::{
    KubernetesConfig, KubernetesError, NodeName, ServerUrl, Source,
    pod_list::{self, KnownPods},
};
use crate::discover::proc_files;

/// For connection, question and answer together.
const LIMIT: Duration = Duration::from_secs(20);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// A hundred pods take about a megabyte.
const MAX_ANSWER: usize = 64 << 20;
const MAX_TOKEN: u64 = 64 << 10;
const MAX_CERTIFICATES: u64 = 1 << 20;

/// Whom to ask for what.
#[derive(Debug)]
pub(super) struct Question {
    server: ServerUrl,
    path: String,
    token_file: PathBuf,
    ca_file: PathBuf,
    insecure_skip_verify: bool,
    limit: Duration,
    max_answer: usize,
}

impl Question {
    /// As configured; what is not is taken from the environment.
    ///
    /// # Errors
    /// It is not known whom to ask, or for which node.
    pub(super) fn new(config: &KubernetesConfig) -> Result<Self, KubernetesError> {
        Self::with(config, |name| env::var(name).ok())
    }

    pub(super) fn with(
        config: &KubernetesConfig,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, KubernetesError> {
        let of_environment =
            || variable("NODE_NAME").and_then(|name| NodeName::try_from(name).ok());
        let node = config.node.clone().or_else(of_environment);
        let node = node.as_ref().map(NodeName::as_str);
        let (path, server) = if config.source == Source::Kubelet {
            let server = || {
                let node = node.ok_or(KubernetesError::NoNode)?;
                Ok(format!("https://{node}:10250"))
            };
            (
                "/pods".to_owned(),
                config.url.clone().map_or_else(|| checked(server()?), Ok)?,
            )
        } else {
            let node = node.ok_or(KubernetesError::NoNode)?;
            let server = || {
                let host = variable("KUBERNETES_SERVICE_HOST").ok_or(KubernetesError::NoServer)?;
                let port = variable("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".to_owned());
                let host = if host.contains(':') {
                    format!("[{host}]")
                } else {
                    host
                };
                Ok(format!("https://{host}:{port}"))
            };
            // From the server's memory, not from its database: a pod more or less does not matter.
            let path =
                format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}&resourceVersion=0");
            (
                path,
                config.url.clone().map_or_else(|| checked(server()?), Ok)?,
            )
        };
        Ok(Self {
            server,
            path,
            token_file: config.token_file.clone(),
            ca_file: config.ca_file.clone(),
            insecure_skip_verify: config.insecure_skip_verify,
            limit: LIMIT,
            max_answer: MAX_ANSWER,
        })
    }

    /// With other bounds, so that a test need not wait.
    #[cfg(test)]
    pub(super) fn within(mut self, limit: Duration, max_answer: usize) -> Self {
        self.limit = limit;
        self.max_answer = max_answer;
        self
    }

    /// Where it goes.
    #[cfg(test)]
    pub(super) fn address(&self) -> String {
        format!("{}{}", self.server.as_str(), self.path)
    }

    /// Asks. Token and certificates are read each time, because both are renewed while we run.
    pub(super) async fn ask(&self) -> Result<KnownPods, KubernetesError> {
        let answer = tokio::time::timeout(self.limit, self.answer()).await;
        let answer = answer.map_err(|_| self.too_slow())??;
        pod_list::parse(&answer).map_err(|error| KubernetesError::Malformed {
            server: self.name(),
            reason: error.to_string(),
        })
    }

    async fn answer(&self) -> Result<Vec<u8>, KubernetesError> {
        let address = format!("{}{}", self.server.as_str(), self.path);
        let mut request = self
            .client()?
            .get(address)
            .header(ACCEPT, "application/json");
        if self.server.is_encrypted() {
            request = request.header(AUTHORIZATION, self.token()?);
        }
        let mut answer = request.send().await.map_err(|error| self.failed(&error))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => {
                return Err(KubernetesError::Unauthorised {
                    server: self.name(),
                    path: self.token_file.clone(),
                });
            }
            StatusCode::FORBIDDEN => {
                return Err(KubernetesError::Forbidden {
                    server: self.name(),
                });
            }
            status => {
                return Err(KubernetesError::Status {
                    server: self.name(),
                    status: status.as_u16(),
                });
            }
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(&error))? {
            if bytes.len() + chunk.len() > self.max_answer {
                return Err(KubernetesError::TooLong {
                    server: self.name(),
                    limit: self.max_answer,
                });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn client(&self) -> Result<Client, KubernetesError> {
        // Somebody else in this process may have been first, with the same one.
        let _: Result<(), _> = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            // Neither another server than configured nor a proxy is shown the token.
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_LIMIT.min(self.limit))
            .timeout(self.limit);
        if self.insecure_skip_verify {
            builder = builder.tls_danger_accept_invalid_certs(true);
        } else if self.server.is_encrypted() {
            let pem = read("the certificates in", &self.ca_file, MAX_CERTIFICATES)?;
            let certificates =
                Certificate::from_pem_bundle(&pem).map_err(|error| self.file_error(&error))?;
            if certificates.is_empty() {
                return Err(self.file_error(&"there is no certificate in it"));
            }
            builder = builder.tls_certs_only(certificates);
        }
        builder
            .build()
            .map_err(|error| KubernetesError::Client(reason(&error)))
    }

    fn file_error(&self, reason: &dyn ToString) -> KubernetesError {
        KubernetesError::File {
            what: "the certificates in",
            path: self.ca_file.clone(),
            source: io::Error::other(reason.to_string()),
        }
    }

    fn token(&self) -> Result<HeaderValue, KubernetesError> {
        let bytes = read("the token in", &self.token_file, MAX_TOKEN)?;
        let header = [b"Bearer ", bytes.trim_ascii()].concat();
        let mut header = HeaderValue::from_bytes(&header).map_err(|_| KubernetesError::File {
            what: "the token in",
            path: self.token_file.clone(),
            // Not what it holds.
            source: io::Error::other("it holds something else than a token"),
        })?;
        header.set_sensitive(true);
        Ok(header)
    }

    fn name(&self) -> String {
        self.server.as_str().to_owned()
    }

    fn too_slow(&self) -> KubernetesError {
        KubernetesError::Timeout {
            server: self.name(),
            seconds: self.limit.as_secs(),
        }
    }

    fn failed(&self, error: &reqwest::Error) -> KubernetesError {
        let (server, reason) = (self.name(), reason(error));
        if error.is_timeout() {
            self.too_slow()
        } else if error.is_connect() {
            KubernetesError::Connect { server, reason }
        } else {
            KubernetesError::Other { server, reason }
        }
    }
}

fn checked(url: String) -> Result<ServerUrl, KubernetesError> {
    ServerUrl::try_from(url).map_err(|_| KubernetesError::NoServer)
}

fn read(what: &'static str, path: &Path, limit: u64) -> Result<Vec<u8>, KubernetesError> {
    let failed = |source| KubernetesError::File {
        what,
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let contents = proc_files::bounded(&file, limit).map_err(failed)?;
    if contents.is_cut {
        return Err(failed(io::Error::other("it is too long")));
    }
    Ok(contents.bytes)
}

/// What reqwest says is the least part of it; what caused it says more.
fn reason(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let colon = if text.is_empty() { "" } else { ": " };
        let _ = write!(text, "{colon}{error}");
        cause = error.source();
    }
    if text.is_empty() {
        "it did not work".to_owned()
    } else {
        text
    }
}
