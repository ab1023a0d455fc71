use std::collections::BTreeMap;

use super::super::running::Running;
use super::*;
use crate::report::{node::Engine, samples};

const UID: &str = "1f2e3d4c-5b6a-4789-8abc-def012345678";

/// Knows one pod.
struct OnePod;

impl Pods for OnePod {
    fn pod(&self, uid: &str, container_id: &str) -> Option<(Pod, Option<String>, Option<String>)> {
        let pod = Pod {
            uid: uid.to_owned(),
            name: Some("search-5d4f".into()),
            namespace: Some("shop".into()),
            labels: BTreeMap::from([("app".into(), "search".into())]),
            ..Pod::default()
        };
        let knows = container_id == "c1";
        (uid == UID).then(|| {
            let name = knows.then(|| "server".to_owned());
            (pod, name, knows.then(|| "example.com/search:1".to_owned()))
        })
    }
}

fn container(id: &str) -> Option<ContainerId> {
    Some(ContainerId {
        id: id.into(),
        engine: Some(Engine::Containerd),
    })
}

fn named() -> Named {
    Named {
        pod: Some("from-its-files".into()),
        namespace: Some("its-own".into()),
    }
}

#[test]
fn an_orchestrator_has_the_last_word() {
    let (found, pod) = described(container("c1"), Some(UID.into()), named(), Some(&OnePod));
    let (found, pod) = (found.expect("a container"), pod.expect("a pod"));
    assert_eq!(found.name.as_deref(), Some("server"));
    assert_eq!(found.image.as_deref(), Some("example.com/search:1"));
    assert_eq!(pod.name.as_deref(), Some("search-5d4f"));
    assert_eq!(pod.container.as_deref(), Some("server"));
}

#[test]
fn a_pod_that_nobody_knows_says_who_it_is() {
    let other = "00000000-0000-4000-8000-000000000000";
    let (found, pod) = described(container("c1"), Some(other.into()), named(), Some(&OnePod));
    assert_eq!(found.expect("a container").name, None);
    let pod = pod.expect("a pod");
    assert_eq!(pod.uid, other);
    assert_eq!(pod.name.as_deref(), Some("from-its-files"));
    assert_eq!(pod.namespace.as_deref(), Some("its-own"));
}

#[test]
fn outside_of_a_pod() {
    let (found, pod) = described(container("c1"), None, Named::default(), Some(&OnePod));
    assert!(found.is_some_and(|found| found.id == "c1"));
    assert_eq!(pod, None);
    let (found, pod) = described(None, Some(UID.into()), Named::default(), None);
    assert_eq!(
        (found, pod.map(|pod| pod.uid).as_deref()),
        (None, Some(UID))
    );
}

#[test]
fn names_are_names_or_nothing() {
    let name = |text: &str| dns_label(text.as_bytes());
    assert_eq!(name("search-5d4f\n").as_deref(), Some("search-5d4f"));
    let long = "x".repeat(64);
    for bad in [
        "",
        "\n",
        "-a",
        "a-",
        "a b",
        "a\nb",
        "A",
        "\u{1b}[31m",
        "../x",
        &long,
    ] {
        assert_eq!(name(bad), None, "{bad:?}");
    }
}

fn running() -> Running {
    Running::start(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=nap,a=b")])
}

#[test]
fn of_a_running_process() {
    let before = SystemTime::now() - Duration::from_millis(10);
    let running = running();
    let pid = running.pid();
    let process = target::Process::open(pid).expect("it runs");
    let identity = identify(&process, samples::attached().process, None);
    assert_eq!(identity.pid, pid);
    assert_eq!(identity.name, "cat");
    assert_eq!(identity.namespace_pid, None);
    assert_eq!(identity.service.name.as_deref(), Some("nap"));
    assert!(identity.cgroup.is_some_and(|path| path.starts_with('/')));
    assert!(
        identity.started >= before,
        "{:?} {before:?}",
        identity.started
    );
    assert!(identity.started <= SystemTime::now() + Duration::from_millis(10));
    let again = identify(&process, samples::attached().process, None);
    let apart = again.started.duration_since(identity.started);
    assert!(apart.is_ok_and(|apart| apart <= Duration::from_millis(10)));
}

#[test]
fn nothing_of_a_process_with_the_same_pid() {
    let running = running();
    let pid = running.pid();
    let mut process = target::Process::open(pid).expect("it runs");
    process.identity.start_time -= 1;
    let identity = identify(&process, samples::attached().process, None);
    assert_eq!(identity.service.name, None);
    assert_eq!(identity.cgroup, None);
    assert_eq!(identity.name, "cat", "of its executable");
}
