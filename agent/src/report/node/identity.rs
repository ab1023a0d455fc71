//! Who a watched process is.
//!
//! All text here comes from the target, its environment, or whoever named its container: it is never
//! part of a path, a command or a terminal's output without being escaped.

use std::{collections::BTreeMap, time::SystemTime};

use serde::Serialize;

use crate::report::ProcessInfo;

/// A process and where it runs. Found out once, when it is met; what an orchestrator adds later
/// makes a new one.
#[derive(Clone, Debug, Serialize)]
pub struct Identity {
    /// The process id in the agent's pid namespace.
    pub pid: i32,
    /// In its own pid namespace, where that is another one.
    pub namespace_pid: Option<i32>,
    /// When it was started.
    #[serde(serialize_with = "super::super::time::rfc3339")]
    pub started: SystemTime,
    /// Its command name: at most 15 bytes, as `ps` shows it.
    pub name: String,
    /// Its executable and the program in it.
    pub process: ProcessInfo,
    /// As which service it wants to be known.
    pub service: Service,
    /// The path of its cgroup (version 2, or of the memory controller), as in `/proc/PID/cgroup`.
    pub cgroup: Option<String>,
    /// The container it runs in.
    pub container: Option<Container>,
    /// The pod that is part of.
    pub pod: Option<Pod>,
}

impl Identity {
    /// The same, with what the executable told.
    #[must_use]
    pub fn examined(self, told: ProcessInfo) -> Self {
        let container_id = self.process.container_id;
        Self {
            process: ProcessInfo {
                container_id,
                ..told
            },
            ..self
        }
    }
}

/// The identity of a service in OpenTelemetry's sense.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Service {
    /// `OTEL_SERVICE_NAME`, or `service.name` of `OTEL_RESOURCE_ATTRIBUTES`, from the target's environment.
    pub name: Option<String>,
    /// All of `OTEL_RESOURCE_ATTRIBUTES`, decoded, without `service.name`.
    pub attributes: BTreeMap<String, String>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Container {
    /// Its id, usually 64 hexadecimal digits.
    pub id: String,
    /// What runs it, where the cgroup's path tells.
    pub engine: Option<Engine>,
    /// Its name, where an orchestrator tells.
    pub name: Option<String>,
    /// Its image's name, where an orchestrator tells.
    pub image: Option<String>,
}

/// What runs containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Docker.
    Docker,
    /// containerd, by its CRI plugin.
    Containerd,
    /// CRI-O.
    #[serde(rename = "cri-o")]
    CriO,
    /// Podman.
    Podman,
}

impl Engine {
    /// As in `container.runtime` of OpenTelemetry.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::CriO => "cri-o",
            Self::Podman => "podman",
        }
    }
}

/// A Kubernetes pod. Only the uid is in the cgroup's path; all else is told by the API server or the kubelet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pod {
    /// Its uid, with dashes.
    pub uid: String,
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// The node it runs on.
    pub node: Option<String>,
    /// The name of its container.
    pub container: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}
