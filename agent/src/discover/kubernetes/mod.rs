//! Names and labels of a node's pods, from the API server or from the node's own kubelet.
//!
//! A cgroup's path has the pod's uid and the container's id; all else only Kubernetes knows. It is asked for
//! all pods of this node at once, now and then, in a thread of its own: nobody waits for an answer.

#[cfg(not(feature = "kubernetes"))]
mod absent;
#[cfg(feature = "kubernetes")]
mod client;
mod config;
#[cfg(feature = "kubernetes")]
mod error;
mod health;
#[cfg(feature = "kubernetes")]
mod pod_list;
#[cfg(feature = "kubernetes")]
mod watcher;

#[cfg(not(feature = "kubernetes"))]
pub use absent::{Kubernetes, KubernetesError};
pub use config::{KubernetesConfig, NodeName, ServerUrl, Source};
#[cfg(feature = "kubernetes")]
pub use error::KubernetesError;
pub use health::Health;
#[cfg(feature = "kubernetes")]
pub use watcher::Kubernetes;

#[cfg(all(test, feature = "kubernetes"))]
mod tests;
