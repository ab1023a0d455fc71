//! A list as the API server gives it, shortened where nothing of interest is.

use super::super::pod_list::parse;

pub(super) const UID: &str = "1f2e3d4c-5b6a-4789-8abc-def012345678";
pub(super) const CONTAINER: &str =
    "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

pub(super) const POD_LIST: &str = include_str!("pod_list.json");

#[test]
fn all_kinds_of_containers() {
    let pods = parse(POD_LIST.as_bytes()).expect("a list");
    let pod = &pods[UID];
    assert_eq!(pod.pod.namespace.as_deref(), Some("shop"));
    assert_eq!(pod.pod.node.as_deref(), Some("node-1"));
    assert_eq!(pod.pod.labels["app.kubernetes.io/name"], "search");
    assert_eq!(
        pod.container(CONTAINER),
        Some(("server", Some("registry.example.com/shop/search:1.4")))
    );
    let of = |digit: &str| pod.container(&digit.repeat(64)).map(|(name, _)| name);
    assert_eq!(of("1"), Some("migrate"), "before the others");
    assert_eq!(of("2"), Some("debugger-x7k2p"), "added later");
    assert_eq!(of("3"), None);
}

#[test]
fn a_pod_that_is_being_created_has_no_containers() {
    let pods = parse(POD_LIST.as_bytes()).expect("a list");
    let pod = &pods["0a0b0c0d-0000-4000-8000-000000000002"];
    assert_eq!(pod.pod.name.as_deref(), Some("waiting"));
    assert!(pod.pod.labels.is_empty());
    assert_eq!(pod.container(""), None);
}

#[test]
fn a_static_pod_is_known_by_the_uid_in_its_cgroup_too() {
    let pods = parse(POD_LIST.as_bytes()).expect("a list");
    let pod = &pods["b3ec1ad5f4a8c7e6d5b4a3928170f6e5"];
    assert_eq!(pod.pod.name.as_deref(), Some("kube-apiserver-node-1"));
    assert_eq!(pods[&pod.pod.uid].pod, pod.pod);
}
