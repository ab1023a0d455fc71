//! Which container and pod a process belongs to, from the paths of its cgroups.
//!
//! Nothing but these paths tells a container from outside for every engine alike: there is no such thing as
//! a container in the kernel. Each engine names the cgroup after the container's id, in a spelling of its
//! own; the kubelet puts the pod's uid into the path above it.

use crate::report::node::Engine;

/// Where a process is in the tree of cgroups, as far as it is of interest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The path of its cgroup: version 2, or of the memory controller where version 1 has that.
    pub path: Option<String>,
    /// The innermost container.
    pub container: Option<ContainerId>,
    /// The uid of the innermost pod: with dashes, or 32 hexadecimal digits for a pod from a file of the
    /// node's (a static pod, whose uid at the API server is another).
    pub pod: Option<String>,
}

/// A container as its cgroup's name tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerId {
    /// Usually 64 hexadecimal digits.
    pub id: String,
    /// What runs it, where the name tells.
    pub engine: Option<Engine>,
}

impl Placement {
    /// From the lines `number:controllers:path` of `/proc/PID/cgroup`.
    ///
    /// With both versions at once, an engine may use one and leave the process where it was in the
    /// other. So all paths are asked, the one that is told first.
    #[must_use]
    pub fn of_lines(lines: &str) -> Self {
        let mut paths: Vec<(Rank, &str)> = lines.lines().filter_map(ranked).collect();
        paths.sort_by_key(|(rank, _)| *rank);
        let mut placement = Self {
            path: paths
                .iter()
                .find(|(rank, _)| *rank != Rank::Other)
                .map(|(_, path)| (*path).to_owned()),
            ..Self::default()
        };
        for (_, path) in paths {
            let (container, pod) = in_path(path);
            placement.container = placement.container.or(container);
            placement.pod = placement.pod.or(pod);
        }
        placement
    }
}

/// Which path is the process's, where there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Of version 1's memory controller: it is there only if version 2 does not count memory.
    Memory,
    /// Of version 2.
    Unified,
    /// Of any other controller.
    Other,
}

fn ranked(line: &str) -> Option<(Rank, &str)> {
    // A path may have colons.
    let mut fields = line.splitn(3, ':');
    let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    // Said of one that was removed while the process was in it.
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let rank = if controllers.split(',').any(|name| name == "memory") {
        Rank::Memory
    } else if number == "0" && controllers.is_empty() {
        Rank::Unified
    } else {
        Rank::Other
    };
    Some((rank, path))
}

/// The innermost container of a cgroup's path, and the innermost pod.
fn in_path(path: &str) -> (Option<ContainerId>, Option<String>) {
    let mut container = None;
    let mut pod = None;
    let mut above = "";
    for part in path.split('/') {
        // containerd given systemd's names without systemd: `SLICE:cri-containerd:ID` in one part.
        let fields: Vec<&str> = part.splitn(4, ':').collect();
        if let [slice, prefix, id] = fields[..] {
            pod = pod_uid(slice).or(pod);
            container = scoped(prefix, id).or(container);
        } else {
            pod = pod_uid(part).or(pod);
            container = container_in(part, above).or(container);
        }
        above = part;
    }
    (container, pod)
}

/// The container of one part of a path, below the part `above`.
fn container_in(part: &str, above: &str) -> Option<ContainerId> {
    let name = part.strip_suffix(".scope").unwrap_or(part);
    if is_id(name) {
        // Without systemd some engines have a folder of their own, others use a name in it.
        let engine = match above {
            "docker" => Some(Engine::Docker),
            "libpod_parent" => Some(Engine::Podman),
            _ => None,
        };
        return Some(ContainerId {
            id: name.to_owned(),
            engine,
        });
    }
    PREFIXES.into_iter().find_map(|(prefix, _)| {
        let id = name.strip_prefix(prefix)?.strip_prefix('-')?;
        scoped(prefix, id)
    })
}

/// What stands before the id, and of which engine that is. `crio-conmon` and `libpod-conmon` are not in
/// it: these are the cgroups of a container's monitor, which runs outside of it.
const PREFIXES: [(&str, Engine); 6] = [
    ("docker", Engine::Docker),
    ("cri-containerd", Engine::Containerd),
    // containerd's own command line for people.
    ("nerdctl", Engine::Containerd),
    ("crio", Engine::CriO),
    ("libpod", Engine::Podman),
    // With a service's own cgroup divided between monitor and container (`--cgroups=split`).
    ("libpod-payload", Engine::Podman),
];

fn scoped(prefix: &str, id: &str) -> Option<ContainerId> {
    let (_, engine) = PREFIXES.into_iter().find(|(known, _)| *known == prefix)?;
    is_id(id).then(|| ContainerId {
        id: id.to_owned(),
        engine: Some(engine),
    })
}

/// The uid of a pod's own part of the path: `podUID` (cgroupfs), or `kubepods-burstable-podUID.slice`
/// with underscores for dashes, which in systemd's names divide slices.
fn pod_uid(part: &str) -> Option<String> {
    let uid = match part.strip_suffix(".slice") {
        Some(slice) => slice.rsplit_once("-pod")?.1,
        None => part.strip_prefix("pod")?,
    };
    let uid = uid.replace('_', "-");
    let is_uid = is_hexadecimal(&uid, 32) || is_grouped(&uid);
    is_uid.then_some(uid)
}

/// 64 hexadecimal digits; or as Amazon's ECS gives them out, 32 and a number.
fn is_id(text: &str) -> bool {
    is_hexadecimal(text, 64)
        || text.split_once('-').is_some_and(|(task, number)| {
            is_hexadecimal(task, 32)
                && (1..=20).contains(&number.len())
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// A UUID's digits in five groups.
fn is_grouped(text: &str) -> bool {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let mut groups = text.split('-');
    GROUPS.into_iter().all(|length| {
        groups
            .next()
            .is_some_and(|group| is_hexadecimal(group, length))
    }) && groups.next().is_none()
}

fn is_hexadecimal(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
