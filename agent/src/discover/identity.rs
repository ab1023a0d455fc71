//! Who a process is: what the kernel, its cgroups, its environment and an orchestrator say, put together.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use nix::time::{ClockId, clock_gettime};

use super::{
    cgroup::{ContainerId, Placement},
    environment::Environment,
    patience, proc_files,
    root::{Root, RootError},
};
use crate::{
    report::{
        ProcessInfo,
        node::{Container, Identity, Pod},
    },
    target,
};

/// Whoever knows a node's pods.
pub trait Pods: Send + Sync {
    /// The pod with this uid; with the name and the image of its container `container_id`. `None` if it is not
    /// known, which may be for now only. Answers at once, from what was learnt before.
    fn pod(&self, uid: &str, container_id: &str) -> Option<(Pod, Option<String>, Option<String>)>;
}

/// For everything that is read of a process's own.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who `process` is. What cannot be found out is `None`, and why goes to the log: nothing of it keeps a
/// program from being watched. Takes a second at most.
#[must_use]
pub fn identify(
    process: &target::Process,
    mut info: ProcessInfo,
    pods: Option<&dyn Pods>,
) -> Identity {
    let pid = process.pid();
    let placement = proc_files::cgroups(pid).map_or_else(
        |error| {
            tracing::debug!(pid, %error, "the cgroups of a process are not known");
            Placement::default()
        },
        |lines| Placement::of_lines(&lines),
    );
    let is_in_pod = placement.pod.is_some();
    let own = patience::within(PATIENCE, move || Own::of_process(pid, is_in_pod));
    let own = own.unwrap_or_else(|error| {
        tracing::warn!(pid, %error, "environment and files of a process were not read");
        Own::default()
    });
    // A process that ended meanwhile may have left its pid to another, which all that was the answer of.
    let is_same = target::Process::open(pid).is_ok_and(|now| now.identity == process.identity);
    for problem in own.environment.problems.iter().filter(|_| is_same) {
        tracing::warn!(pid, %problem, "not all of a process's identity is known");
    }
    let (placement, own) = if is_same {
        (placement, own)
    } else {
        Default::default()
    };
    let container = placement.container.or_else(|| {
        let id = info.container_id.take()?;
        Some(ContainerId { id, engine: None })
    });
    info.container_id = container.as_ref().map(|container| container.id.clone());
    let (container, pod) = described(container, placement.pod, own.named, pods);
    Identity {
        pid,
        namespace_pid: own.namespace_pid,
        started: started(process),
        name: own.name.unwrap_or_else(|| file_name(&process.exe)),
        process: info,
        service: own.environment.service,
        cgroup: placement.path,
        container,
        pod,
    }
}

/// Container and pod with their names: an orchestrator's where it knows them, else what the container's
/// own files say.
fn described(
    container: Option<ContainerId>,
    uid: Option<String>,
    named: Named,
    pods: Option<&dyn Pods>,
) -> (Option<Container>, Option<Pod>) {
    let id = container.as_ref().map_or("", |container| &container.id);
    let known = uid
        .as_deref()
        .and_then(|uid| pods.and_then(|pods| pods.pod(uid, id)));
    let (pod, name, image) = match (known, uid) {
        (Some((pod, name, image)), _) => (Some(pod), name, image),
        (None, Some(uid)) => {
            let pod = Pod {
                uid,
                name: named.pod,
                namespace: named.namespace,
                ..Pod::default()
            };
            (Some(pod), None, None)
        }
        (None, None) => (None, None, None),
    };
    let pod = pod.map(|pod| Pod {
        container: pod.container.or_else(|| name.clone()),
        ..pod
    });
    let container = container.map(|ContainerId { id, engine }| Container {
        id,
        engine,
        name,
        image,
    });
    (container, pod)
}

/// What is read of a process's own memory and files.
#[derive(Debug, Default)]
struct Own {
    name: Option<String>,
    namespace_pid: Option<i32>,
    environment: Environment,
    named: Named,
}

/// What the files in a pod's container say of the pod.
#[derive(Debug, Default)]
struct Named {
    pod: Option<String>,
    namespace: Option<String>,
}

impl Own {
    fn of_process(pid: i32, is_in_pod: bool) -> Self {
        Self {
            name: proc_files::command_name(pid).ok(),
            namespace_pid: namespace_pid(pid),
            environment: Environment::of_process(pid),
            named: if is_in_pod {
                Named::of_process(pid).unwrap_or_else(|error| {
                    tracing::debug!(pid, %error, "the name of a pod was not read");
                    Named::default()
                })
            } else {
                Named::default()
            },
        }
    }
}

impl Named {
    /// The longest host name (`HOST_NAME_MAX` of Linux is 64, a label's limit 63).
    const MAX_LABEL: usize = 63;
    const MAX_BYTES: u64 = 256;

    fn of_process(pid: i32) -> Result<Self, RootError> {
        let root = Root::of_process(pid)?;
        // Not there is the usual case: a pod may have no service account.
        let label = |path: &str| {
            let text = root.read(Path::new(path), Self::MAX_BYTES);
            text.ok().and_then(|text| dns_label(&text))
        };
        // A pod with the node's own network has the node's host name too.
        let host = if shares_host_name(pid) {
            None
        } else {
            // The kubelet cuts longer ones off.
            label("etc/hostname").filter(|name| name.len() < Self::MAX_LABEL)
        };
        let namespace = label("var/run/secrets/kubernetes.io/serviceaccount/namespace");
        Ok(Self {
            pod: host,
            namespace,
        })
    }
}

/// Text that is a name by Kubernetes' rules, which all names of pods and namespaces are; nothing else
/// that a container's owner may have written there.
fn dns_label(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?.trim_end();
    let is_inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = !text.is_empty()
        && text.len() <= Named::MAX_LABEL
        && text.bytes().all(is_inside)
        && !text.starts_with('-')
        && !text.ends_with('-');
    is_label.then(|| text.to_owned())
}

/// Whether process `pid` has the machine's own host name. If that is not known, it is better not to believe
/// the name.
fn shares_host_name(pid: i32) -> bool {
    /// `PROC_UTS_INIT_INO`
    /// (<https://github.com/torvalds/linux/blob/v6.12/include/linux/proc_ns.h#L40-L48>).
    const FIRST_UTS_NAMESPACE: &str = "uts:[4026531838]";
    fs::read_link(format!("/proc/{pid}/ns/uts")).map_or(true, |namespace| {
        namespace.as_os_str() == FIRST_UTS_NAMESPACE
    })
}

/// Its pid in the innermost pid namespace, if that is another than the agent's.
fn namespace_pid(pid: i32) -> Option<i32> {
    let status = procfs::process::Process::new(pid).ok()?.status().ok()?;
    // From the namespace that /proc was mounted in to the innermost.
    let pids = status.nspid?;
    pids.get(1..)?.last().copied()
}

/// By the wall clock as it is set now. Whole hundredths of a second, as the kernel counts them, so that it
/// comes out the same each time.
fn started(process: &target::Process) -> SystemTime {
    let now = SystemTime::now();
    let uptime = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from);
    let age = process
        .started()
        .and_then(|started| uptime.checked_sub(started))
        .unwrap_or_default();
    now.checked_sub(age).map_or(now, to_hundredths)
}

fn to_hundredths(moment: SystemTime) -> SystemTime {
    const HUNDREDTH: u128 = 10_000_000;
    let Ok(since) = moment.duration_since(SystemTime::UNIX_EPOCH) else {
        return moment;
    };
    let surplus = (since.as_nanos() + HUNDREDTH / 2) % HUNDREDTH;
    let surplus = u64::try_from(surplus).unwrap_or(0);
    moment + Duration::from_nanos(5_000_000) - Duration::from_nanos(surplus)
}

fn file_name(exe: &Path) -> String {
    let name = exe.file_name().unwrap_or(exe.as_os_str()).to_string_lossy();
    name.strip_suffix(" (deleted)").unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests;
