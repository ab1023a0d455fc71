//! Paths as the engines' documentation, issues and test suites show them; ids shortened there are filled up.

use proptest::prelude::*;

use super::*;

const ID: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";
const NODE: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const UID: &str = "1f2e3d4c-5b6a-4789-8abc-def012345678";
const UID_UNDERSCORES: &str = "1f2e3d4c_5b6a_4789_8abc_def012345678";

/// A path with `ID`, `NODE`, `UID` and `U_ID` in it; what it says of container and pod.
type Case = (&'static str, Option<Option<Engine>>, bool);

const CASES: &[Case] = &[
    // Docker: systemd on version 2 and 1, cgroupfs, a parent of one's own.
    (
        "/system.slice/docker-ID.scope",
        Some(Some(Engine::Docker)),
        false,
    ),
    ("/docker/ID", Some(Some(Engine::Docker)), false),
    (
        "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope",
        Some(Some(Engine::Docker)),
        false,
    ),
    (
        "/user.slice/user-1000.slice/user@1000.service/docker/ID",
        Some(Some(Engine::Docker)),
        false,
    ),
    ("/actions_job/ID", Some(None), false),
    (
        "/system.slice/docker-ID.scope/init.scope",
        Some(Some(Engine::Docker)),
        false,
    ),
    ("/system.slice:docker:ID", Some(Some(Engine::Docker)), false),
    // Kubernetes: dockershim, containerd, CRI-O; each class of service; both drivers.
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_ID.slice/docker-ID.scope",
        Some(Some(Engine::Docker)),
        true,
    ),
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_ID.slice/cri-containerd-ID.scope",
        Some(Some(Engine::Containerd)),
        true,
    ),
    (
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podU_ID.slice/cri-containerd-ID.scope",
        Some(Some(Engine::Containerd)),
        true,
    ),
    (
        "/kubepods.slice/kubepods-podU_ID.slice/cri-containerd-ID.scope",
        Some(Some(Engine::Containerd)),
        true,
    ),
    (
        "/kubepods.slice/kubepods-podU_ID.slice/crio-ID.scope",
        Some(Some(Engine::CriO)),
        true,
    ),
    (
        "/kubepods.slice/kubepods-podU_ID.slice/crio-ID.scope/container",
        Some(Some(Engine::CriO)),
        true,
    ),
    (
        "/kubepods/burstable/podUID/crio-ID",
        Some(Some(Engine::CriO)),
        true,
    ),
    ("/kubepods/burstable/podUID/ID", Some(None), true),
    ("/kubepods/podUID/ID", Some(None), true),
    (
        "/system.slice/containerd.service/kubepods-burstable-podU_ID.slice:cri-containerd:ID",
        Some(Some(Engine::Containerd)),
        true,
    ),
    (
        "/kubepods-burstable-podU_ID.slice:cri-containerd:ID",
        Some(Some(Engine::Containerd)),
        true,
    ),
    // A container's monitor is not in it.
    (
        "/kubepods.slice/kubepods-podU_ID.slice/crio-conmon-ID.scope",
        None,
        true,
    ),
    ("/kubepods/burstable/podUID/crio-conmon-ID", None, true),
    ("/machine.slice/libpod-conmon-ID.scope", None, false),
    // Podman: root's, a user's, in a pod of its own (whose id is no container's), divided services.
    (
        "/machine.slice/libpod-ID.scope",
        Some(Some(Engine::Podman)),
        false,
    ),
    (
        "/machine.slice/libpod-ID.scope/container",
        Some(Some(Engine::Podman)),
        false,
    ),
    (
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
        Some(Some(Engine::Podman)),
        false,
    ),
    (
        "/machine.slice/machine-libpod_pod_NODE.slice/libpod-ID.scope",
        Some(Some(Engine::Podman)),
        false,
    ),
    ("/machine.slice/machine-libpod_pod_NODE.slice", None, false),
    (
        "/libpod_parent/libpod-ID",
        Some(Some(Engine::Podman)),
        false,
    ),
    ("/libpod_parent/ID", Some(Some(Engine::Podman)), false),
    (
        "/system.slice/shop.service/libpod-payload-ID",
        Some(Some(Engine::Podman)),
        false,
    ),
    (
        "/system.slice/shop.service/libpod-payload-ID/runtime",
        Some(Some(Engine::Podman)),
        false,
    ),
    // containerd without Kubernetes.
    (
        "/system.slice/nerdctl-ID.scope",
        Some(Some(Engine::Containerd)),
        false,
    ),
    ("/default/ID", Some(None), false),
    // Amazon's ECS.
    (
        "/ecs/1f2e3d4c5b6a47898abcdef012345678/ID",
        Some(None),
        false,
    ),
    // kind, k3d, minikube: a node that is a container; the innermost counts.
    (
        "/docker/NODE/kubelet/kubepods/besteffort/podUID/ID",
        Some(None),
        true,
    ),
    (
        "/docker/NODE/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-podU_ID.slice/cri-containerd-ID.scope",
        Some(Some(Engine::Containerd)),
        true,
    ),
    (
        "/system.slice/docker-NODE.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podU_ID.slice/cri-containerd-ID.scope",
        Some(Some(Engine::Containerd)),
        true,
    ),
    (
        "/docker/ID/system.slice/containerd.service",
        Some(Some(Engine::Docker)),
        false,
    ),
    // Docker in a pod.
    (
        "/kubepods/burstable/podUID/NODE/docker/ID",
        Some(Some(Engine::Docker)),
        true,
    ),
    // Seen from another cgroup namespace.
    (
        "/../../kubepods-burstable-podU_ID.slice/cri-containerd-ID.scope",
        Some(Some(Engine::Containerd)),
        true,
    ),
    (
        "/../cri-containerd-ID.scope",
        Some(Some(Engine::Containerd)),
        false,
    ),
    ("/../ID", Some(None), false),
    ("/../../../podUID/ID", Some(None), true),
    // Neither.
    ("/", None, false),
    ("", None, false),
    ("/init.scope", None, false),
    ("/user.slice/user-0.slice/session-1.scope", None, false),
    ("/system.slice/docker.service", None, false),
    ("/system.slice/containerd.service", None, false),
    ("/system.slice/podman-1234.scope", None, false),
    ("/docker/buildkit/x6bq2kx1mpkjd9xwqk2v1pp7l", None, false),
    ("/system.slice/system-podUID.service", None, false),
    ("/podcast/poder", None, false),
    // One digit too few or too many, or none at all.
    ("/docker/IDa", None, false),
    ("/docker/a1b2c3", None, false),
    ("/docker/ID-x", None, false),
    ("/kubepods/podUIDa/x", None, false),
    (
        "/kubepods/pod1f2e3d4c-5b6a-4789-8abc-def01234567/x",
        None,
        false,
    ),
    ("/system.slice/docker-ID.mount", None, false),
];

fn spelt(path: &str) -> String {
    path.replace("NODE", NODE)
        .replace("U_ID", UID_UNDERSCORES)
        .replace("UID", UID)
        .replace("ID", ID)
}

#[test]
fn published_paths() {
    for (path, container, is_pod) in CASES {
        let (found, pod) = in_path(&spelt(path));
        let engine = found.as_ref().map(|found| found.engine);
        assert_eq!(engine, *container, "{path}");
        assert!(found.is_none_or(|found| found.id == ID), "{path}");
        assert_eq!(pod.as_deref(), is_pod.then_some(UID), "{path}");
    }
}

#[test]
fn a_static_pod_has_a_uid_without_dashes() {
    let uid = "b3ec1ad5f4a8c7e6d5b4a3928170f6e5";
    let path = format!(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice/cri-containerd-{ID}.scope"
    );
    assert_eq!(in_path(&path).1.as_deref(), Some(uid));
}

#[test]
fn a_task_of_ecs_without_machines() {
    let id = "34dc0b5e626f2c5c4c5170e34b10e765-1234567890";
    let (container, _) = in_path(&format!("/ecs/34dc0b5e626f2c5c4c5170e34b10e765/{id}"));
    assert_eq!(container.map(|container| container.id).as_deref(), Some(id));
}

#[test]
fn version_2() {
    let placement = Placement::of_lines(&spelt("0::/system.slice/docker-ID.scope\n"));
    assert_eq!(placement.path, Some(spelt("/system.slice/docker-ID.scope")));
    assert_eq!(placement.container.map(|c| c.id).as_deref(), Some(ID));
    assert_eq!(placement.pod, None);
}

#[test]
fn version_1() {
    let lines = spelt(
        "12:pids:/kubepods/burstable/podUID/ID\n11:memory:/kubepods/burstable/podUID/ID\n\
         10:cpu,cpuacct:/kubepods/burstable/podUID/ID\n1:name=systemd:/kubepods/burstable/podUID/ID\n",
    );
    let placement = Placement::of_lines(&lines);
    assert_eq!(placement.path, Some(spelt("/kubepods/burstable/podUID/ID")));
    assert_eq!(placement.container.map(|c| c.id).as_deref(), Some(ID));
    assert_eq!(placement.pod.as_deref(), Some(UID));
}

#[test]
fn with_both_versions_the_path_that_tells_counts() {
    let lines = spelt("5:memory:/docker/ID\n0::/system.slice/containerd.service\n");
    let placement = Placement::of_lines(&lines);
    assert_eq!(placement.path, Some(spelt("/docker/ID")));
    assert_eq!(placement.container.map(|c| c.id).as_deref(), Some(ID));
    // Memory is not limited, but processes are.
    let lines = spelt("5:memory:/\n3:pids:/docker/ID\n0::/\n");
    let placement = Placement::of_lines(&lines);
    assert_eq!(placement.path.as_deref(), Some("/"));
    assert_eq!(placement.container.map(|c| c.id).as_deref(), Some(ID));
}

#[test]
fn a_cgroup_that_was_removed() {
    let placement = Placement::of_lines(&spelt("0::/system.slice/docker-ID.scope (deleted)\n"));
    assert_eq!(placement.path, Some(spelt("/system.slice/docker-ID.scope")));
    assert!(placement.container.is_some());
}

#[test]
fn what_is_no_line_is_passed_over() {
    assert_eq!(Placement::of_lines(""), Placement::default());
    assert_eq!(Placement::of_lines("nonsense\n:\n::"), Placement::default());
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(lines in "\\PC*") {
        let _ = Placement::of_lines(&lines);
    }

    #[test]
    fn whatever_is_found_has_the_shape_of_an_id(
        parts in prop::collection::vec(
            prop_oneof![
                "[0-9a-f]{60,66}",
                "(docker|cri-containerd|crio|crio-conmon|libpod)-[0-9a-f]{63,65}(\\.scope)?",
                "(kubepods-burstable-)?pod[0-9a-f_-]{30,40}(\\.slice)?",
                "[a-z.:-]{0,12}",
                "\\PC{0,8}",
            ],
            0..6,
        )
    ) {
        let placement = Placement::of_lines(&format!("0::/{}\n", parts.join("/")));
        if let Some(container) = placement.container {
            prop_assert!(is_id(&container.id));
        }
        if let Some(pod) = placement.pod {
            prop_assert!(pod.len() == 32 || pod.len() == 36);
        }
    }
}
