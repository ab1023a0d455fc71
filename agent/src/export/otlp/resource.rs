//! Resources: a watched process, and the agent itself, by the semantic conventions.

use opentelemetry_proto::tonic::{common::v1::KeyValue, resource::v1::Resource};

use super::attributes::Attributes;
use crate::{
    export::HostIdentity,
    report::{
        node::{Container, Identity, Pod},
        timestamp,
    },
};

/// Labels of a pod, and attributes of a service, beyond these are left out.
const MOST: usize = 64;

/// The resource of a watched process. What its own environment says in `OTEL_RESOURCE_ATTRIBUTES` stands
/// above what we found out.
pub(super) fn of_target(target: &Identity, host: &HostIdentity) -> Resource {
    let mut ours = Attributes::default();
    let process = &target.process;
    ours.text("service.name", service_name(target))
        .text("service.instance.id", instance(target, host))
        .number("process.pid", target.pid)
        .number_of("process.vpid", target.namespace_pid)
        .text("process.creation.time", timestamp(target.started))
        .text("process.executable.name", file_name(&process.exe))
        .text("process.executable.path", &process.exe)
        .text("process.runtime.name", "go")
        .text("process.runtime.version", &process.go_version)
        .text_of("process.linux.cgroup", target.cgroup.as_ref())
        .text("host.arch", &process.architecture)
        .text("host.name", &host.name)
        .text_of("host.id", host.id.as_ref())
        .text_of("vcs.ref.head.revision", process.vcs_revision.as_ref());
    if let Some(id) = &process.build_id {
        // Go's own has slashes between its parts; the linker's is hexadecimal.
        let key = match id.contains('/') {
            true => "process.executable.build_id.go",
            false => "process.executable.build_id.gnu",
        };
        ours.text(key, id);
    }
    ours.text_of("gostray.main_module", process.main_module.as_ref());
    match (&target.container, &process.container_id) {
        (Some(container), _) => of_container(&mut ours, container),
        (None, id) => {
            ours.text_of("container.id", id.as_ref());
        }
    }
    if let Some(pod) = &target.pod {
        of_pod(&mut ours, pod);
    }
    let mut own = Attributes::default();
    for (key, value) in target.service.attributes.iter().take(MOST) {
        own.text(key, value);
    }
    let overridden = |ours: &KeyValue| own.0.iter().any(|own| own.key == ours.key);
    ours.0.retain(|ours| !overridden(ours));
    ours.0.append(&mut own.0);
    resource(ours)
}

/// The resource of the agent.
pub(super) fn of_agent(host: &HostIdentity) -> Resource {
    let mut attributes = Attributes::default();
    attributes
        .text("service.name", "gostray")
        .text("service.version", host.version)
        .text("service.instance.id", &host.instance)
        .number("process.pid", std::process::id())
        .text("process.executable.name", "gostray")
        .text("host.name", &host.name)
        .text_of("host.id", host.id.as_ref());
    resource(attributes)
}

fn resource(attributes: Attributes) -> Resource {
    Resource {
        attributes: attributes.0,
        ..Resource::default()
    }
}

/// By which name a service is known: what it says itself, its pod's label, its module, its executable.
pub(super) fn service_name(target: &Identity) -> String {
    let own = target.service.name.as_deref();
    let label = || {
        let labels = &target.pod.as_ref()?.labels;
        labels.get("app.kubernetes.io/name").map(String::as_str)
    };
    let module = || target.process.main_module.as_deref().and_then(last_part);
    let name = own
        .or_else(label)
        .or_else(module)
        .filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| file_name(&target.process.exe));
    match name {
        "" => "unknown_service:go".into(),
        name => name.to_owned(),
    }
}

/// The last part of a module's path that is a name: `example.com/app/v2` is `app`.
fn last_part(module: &str) -> Option<&str> {
    // What `go run` and `go build FILE` call it says nothing.
    if module == "command-line-arguments" {
        return None;
    }
    let mut parts = module.rsplit('/');
    let last = parts.next()?;
    let is_version = last
        .strip_prefix('v')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    match is_version {
        true => parts.next().or(Some(last)),
        false => Some(last),
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Of one process among all: another one that gets its pid was started at another time.
fn instance(target: &Identity, host: &HostIdentity) -> String {
    let started = target.started.duration_since(std::time::UNIX_EPOCH);
    let started = started.unwrap_or_default().as_secs();
    let machine = host.id.as_ref().unwrap_or(&host.name);
    format!("{machine}/{}/{started}", target.pid)
}

fn of_container(attributes: &mut Attributes, container: &Container) {
    attributes
        .text("container.id", &container.id)
        .text_of("container.name", container.name.as_ref())
        .text_of(
            "container.runtime.name",
            container.engine.map(|engine| engine.as_str()),
        );
    if let Some(image) = &container.image {
        let (name, tag) = image_parts(image);
        attributes
            .text("container.image.name", name)
            .texts("container.image.tags", tag);
    }
}

/// `registry:5000/name:tag@digest` as its name and tag.
fn image_parts(image: &str) -> (&str, Option<&str>) {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    match image.rsplit_once(':') {
        // What follows a port's colon has slashes.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (image, None),
    }
}

fn of_pod(attributes: &mut Attributes, pod: &Pod) {
    attributes
        .text("k8s.pod.uid", &pod.uid)
        .text_of("k8s.pod.name", pod.name.as_ref())
        .text_of("k8s.namespace.name", pod.namespace.as_ref())
        .text_of("k8s.node.name", pod.node.as_ref())
        .text_of("k8s.container.name", pod.container.as_ref());
    for (label, value) in pod.labels.iter().take(MOST) {
        attributes.text(&format!("k8s.pod.label.{label}"), value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::report::node::samples;

    fn named(change: impl FnOnce(&mut Identity)) -> String {
        let mut target = Arc::unwrap_or_clone(samples::identity());
        change(&mut target);
        service_name(&target)
    }

    #[test]
    fn a_service_is_known_by_what_is_closest_to_its_own_word() {
        assert_eq!(named(|_| {}), "search");
        assert_eq!(named(|target| target.service.name = None), "app");
        let labelled = named(|target| {
            target.service.name = None;
            let pod = target.pod.as_mut().expect("there is one");
            let label = ("app.kubernetes.io/name".into(), "finder".into());
            pod.labels.extend([label]);
        });
        assert_eq!(labelled, "finder");
        for (module, name) in [
            (None, "server"),
            (Some("command-line-arguments"), "server"),
            (Some("go.example.com/etcd/v3"), "etcd"),
            (Some("v2"), "v2"),
            (Some(""), "server"),
        ] {
            let named = named(|target| {
                target.service.name = None;
                target.process.main_module = module.map(str::to_owned);
            });
            assert_eq!(named, name, "{module:?}");
        }
    }

    #[test]
    fn the_targets_own_word_wins() {
        let mut target = Arc::unwrap_or_clone(samples::identity());
        let own = ("host.name".into(), "its-host".into());
        target.service.attributes.extend([own]);
        let resource = of_target(&target, &HostIdentity::sample());
        let hosts: Vec<_> = resource
            .attributes
            .iter()
            .filter(|attribute| attribute.key == "host.name")
            .collect();
        assert_eq!(hosts.len(), 1);
        assert!(format!("{hosts:?}").contains("its-host"));
    }

    #[test]
    fn images_are_taken_apart() {
        assert_eq!(image_parts("a.b:5000/c"), ("a.b:5000/c", None));
        assert_eq!(
            image_parts("a.b:5000/c:1@sha256:00"),
            ("a.b:5000/c", Some("1"))
        );
    }
}
