//! Which container a process belongs to, from its cgroup's path.

use procfs::process::Process;

/// The 64 hexadecimal digits that Docker, containerd, CRI-O and podman put into cgroup paths.
pub(super) fn container_id(process: &Process) -> Option<String> {
    let groups = process.cgroups().ok()?;
    groups
        .into_iter()
        .find_map(|group| id_in_path(&group.pathname))
}

fn id_in_path(path: &str) -> Option<String> {
    const LENGTH: usize = 64;
    path.rsplit(['/', '-', ':', '.'])
        .find(|part| part.len() == LENGTH && part.bytes().all(|b| b.is_ascii_hexdigit()))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::id_in_path;

    #[test]
    fn finds_the_id_in_the_runtimes_spellings() {
        let id = "0123456789abcdef".repeat(4);
        for path in [
            format!("/docker/{id}"),
            format!("/system.slice/docker-{id}.scope"),
            format!("/kubepods.slice/kubepods-pod12.slice/cri-containerd-{id}.scope"),
            format!("/machine.slice/libpod-{id}.scope/container"),
        ] {
            assert_eq!(id_in_path(&path).as_deref(), Some(id.as_str()), "{path}");
        }
        assert_eq!(id_in_path("/user.slice/user-0.slice"), None);
    }
}
