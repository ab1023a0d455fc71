//! What can be wrong between the agent and Kubernetes.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why a node's pods are not known. Never with a token in it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KubernetesError {
    /// The node's name is needed and not known.
    #[error(
        "the name of this node is not known: set node in [kubernetes], or the environment variable \
         NODE_NAME (in a pod from spec.nodeName)"
    )]
    NoNode,
    /// The API server's address is not known.
    #[error(
        "the API server's address is not known: KUBERNETES_SERVICE_HOST is not set, as it is in a pod; \
         set url in [kubernetes]"
    )]
    NoServer,
    /// The client cannot be set up.
    #[error("a client for Kubernetes cannot be made: {0}")]
    Client(String),
    /// A file of the configuration.
    #[error("{what} {}: {source}", path.display())]
    File {
        /// Which.
        what: &'static str,
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// No connection, or the server's certificate is not to be trusted.
    #[error("{server} cannot be reached: {reason}")]
    Connect {
        /// Where.
        server: String,
        /// Why.
        reason: String,
    },
    /// No answer, or not all of it.
    #[error("{server} took longer than {seconds} s to answer")]
    Timeout {
        /// Where.
        server: String,
        /// The limit.
        seconds: u64,
    },
    /// It does not accept the token.
    #[error("{server} does not accept the token of {} (401): it may have expired", path.display())]
    Unauthorised {
        /// Where.
        server: String,
        /// The token's file.
        path: PathBuf,
    },
    /// It does not allow it.
    #[error(
        "{server} does not allow to see pods (403): the service account needs `list` on `pods`, and for \
         the kubelet `get` on `nodes/proxy`"
    )]
    Forbidden {
        /// Where.
        server: String,
    },
    /// Another answer than wanted.
    #[error("{server} answered with status {status}")]
    Status {
        /// Where.
        server: String,
        /// The HTTP status.
        status: u16,
    },
    /// Longer than is believed.
    #[error("{server} answered with more than {limit} bytes")]
    TooLong {
        /// Where.
        server: String,
        /// The limit.
        limit: usize,
    },
    /// Not a list of pods.
    #[error("{server} answered with something else than a list of pods: {reason}")]
    Malformed {
        /// Where.
        server: String,
        /// Line, column, and what is wrong.
        reason: String,
    },
    /// The connection broke, or the like.
    #[error("{server}: {reason}")]
    Other {
        /// Where.
        server: String,
        /// What.
        reason: String,
    },
}

impl KubernetesError {
    /// One word for counting.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoNode | Self::NoServer | Self::Client(_) => "configuration",
            Self::File { .. } => "file",
            Self::Connect { .. } => "connect",
            Self::Timeout { .. } => "timeout",
            Self::Unauthorised { .. } | Self::Forbidden { .. } => "refused",
            Self::Status { .. } => "status",
            Self::TooLong { .. } | Self::Malformed { .. } => "answer",
            Self::Other { .. } => "other",
        }
    }
}
