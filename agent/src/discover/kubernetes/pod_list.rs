//! A `PodList` as the API server and the kubelet write it, and what of it is of interest.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodList>

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::Deserialize;

use crate::report::node::Pod;

/// More than any node runs: the kubelet's default is 110.
const MAX_PODS: usize = 4096;

/// A pod and its containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnownPod {
    /// Without the name of a container.
    pub(super) pod: Pod,
    containers: Vec<KnownContainer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct KnownContainer {
    id: String,
    name: String,
    image: Option<String>,
}

impl KnownPod {
    /// Name and image of the container `id`, if it is one of the pod's.
    pub(super) fn container(&self, id: &str) -> Option<(&str, Option<&str>)> {
        let found = self.containers.iter().find(|known| known.id == id)?;
        Some((&found.name, found.image.as_deref()))
    }
}

/// Pods by each uid that a cgroup's path may have for them.
pub(super) type KnownPods = HashMap<String, Arc<KnownPod>>;

/// Reads an answer.
///
/// # Errors
/// It is no list of pods.
pub(super) fn parse(answer: &[u8]) -> Result<KnownPods, serde_json::Error> {
    let list: List = serde_json::from_slice(answer)?;
    let items = list.items.unwrap_or_default();
    if items.len() > MAX_PODS {
        tracing::warn!(
            pods = items.len(),
            "more pods than a node has: only {MAX_PODS} of them are known; is `node` right?"
        );
    }
    let mut pods = KnownPods::new();
    for item in items.into_iter().take(MAX_PODS) {
        let uids = item.uids();
        let pod = Arc::new(item.known());
        for uid in uids {
            pods.insert(uid, Arc::clone(&pod));
        }
    }
    Ok(pods)
}

#[derive(Deserialize)]
struct List {
    // Not `default`: what has no items is no list. A list without pods may say null.
    #[serde(deserialize_with = "Option::deserialize")]
    items: Option<Vec<Item>>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: Option<String>,
    uid: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<Annotations>,
}

/// Those of pods that come from a file of the node's: what the kubelet calls them by, which is in the
/// cgroup's path, while the API server gives its copy a uid of its own.
#[derive(Deserialize)]
struct Annotations {
    #[serde(rename = "kubernetes.io/config.hash")]
    hash: Option<String>,
    #[serde(rename = "kubernetes.io/config.mirror")]
    mirror: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    node_name: Option<String>,
    containers: Option<Vec<ContainerSpec>>,
    init_containers: Option<Vec<ContainerSpec>>,
    ephemeral_containers: Option<Vec<ContainerSpec>>,
}

#[derive(Deserialize)]
struct ContainerSpec {
    name: String,
    image: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    container_statuses: Option<Vec<ContainerStatus>>,
    init_container_statuses: Option<Vec<ContainerStatus>>,
    ephemeral_container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Deserialize)]
struct ContainerStatus {
    name: String,
    image: Option<String>,
    /// `containerd://ID`; not there before it was started.
    #[serde(rename = "containerID")]
    container_id: Option<String>,
}

impl Item {
    fn uids(&self) -> Vec<String> {
        let annotations = self.metadata.annotations.as_ref();
        let other = annotations.into_iter().flat_map(|annotations| {
            let both = [&annotations.hash, &annotations.mirror];
            both.into_iter().flatten().cloned()
        });
        other.chain([self.metadata.uid.clone()]).collect()
    }

    fn known(self) -> KnownPod {
        let Self {
            metadata,
            spec,
            status,
        } = self;
        let specs = [
            spec.containers,
            spec.init_containers,
            spec.ephemeral_containers,
        ];
        let images: BTreeMap<String, String> = specs
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|container| Some((container.name, container.image?)))
            .collect();
        let statuses = [
            status.container_statuses,
            status.init_container_statuses,
            status.ephemeral_container_statuses,
        ];
        let containers = statuses.into_iter().flatten().flatten();
        let containers = containers.filter_map(|container| {
            let (_, id) = container.container_id.as_deref()?.split_once("://")?;
            Some(KnownContainer {
                id: id.to_owned(),
                // As it was asked for: what the engine says may be a digest only.
                image: images.get(&container.name).cloned().or(container.image),
                name: container.name,
            })
        });
        KnownPod {
            containers: containers.collect(),
            pod: Pod {
                uid: metadata.uid,
                name: Some(metadata.name),
                namespace: metadata.namespace,
                node: spec.node_name,
                container: None,
                labels: metadata.labels.unwrap_or_default(),
            },
        }
    }
}
