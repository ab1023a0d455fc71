//! What a container is to the kernel: namespaces of its own, and a cgroup whose path names it, as each engine
//! spells that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::cgroup;
use crate::lines::{Lines, PATIENCE};
use crate::target::Target;

/// Where programs find what was put into their container: a directory that every machine has, and in
/// whose place another is mounted.
const INSIDE: &str = "/media";
/// What a container's first process does: it mounts what belongs there, and waits.
const FIRST: &str = "mount --bind \"$1\" /media && mount -t proc proc /proc && echo UP && exec cat";

/// How an engine and its driver of cgroups spell a container's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spelling {
    /// The path; `ID` and `UID` stand for those of the container and its pod.
    path: &'static str,
    /// As reports call the engine; `None` where the path does not tell.
    pub engine: Option<&'static str>,
}

/// Those of Docker, containerd, CRI-O and Podman.
pub const SPELLINGS: [Spelling; 7] = [
    spelling("docker/ID", Some("docker")),
    spelling("system.slice/docker-ID.scope", Some("docker")),
    spelling(
        "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_ID.slice/cri-containerd-ID.scope",
        Some("containerd"),
    ),
    spelling("kubepods/besteffort/podU-ID/ID", None),
    spelling(
        "kubepods.slice/kubepods-podU_ID.slice/crio-ID.scope",
        Some("cri-o"),
    ),
    spelling("machine.slice/libpod-ID.scope", Some("podman")),
    spelling("libpod_parent/libpod-ID", Some("podman")),
];

const fn spelling(path: &'static str, engine: Option<&'static str>) -> Spelling {
    Spelling { path, engine }
}

impl Spelling {
    fn path(self, id: &str) -> String {
        let uid = |separator: &str| {
            let parts = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..32]];
            parts.join(separator)
        };
        let path = self.path.replace("U_ID", &uid("_"));
        path.replace("U-ID", &uid("-")).replace("ID", id)
    }

    /// The pod's uid, where it has a pod.
    fn pod(self, id: &str) -> Option<String> {
        let parts = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..32]];
        self.path.contains("pods").then(|| parts.join("-"))
    }
}

/// A part of the hierarchy of cgroups that counts memory; removed when dropped, once all in it have ended.
pub struct Hierarchy {
    root: PathBuf,
    name: String,
}

impl Hierarchy {
    /// Makes one.
    ///
    /// # Errors
    /// This machine has none that counts memory, or it cannot be written to.
    pub fn new(name: &str) -> Result<Self> {
        let (root, _) = cgroup::root()?;
        let name = format!("gostray-{name}-{}", std::process::id());
        let root = root.join(&name);
        fs::create_dir(&root).with_context(|| format!("making {}", root.display()))?;
        Ok(Self { root, name })
    }

    /// Its path as processes in it tell it.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/{}", self.name)
    }
}

impl Drop for Hierarchy {
    fn drop(&mut self) {
        let deadline = Instant::now() + std::time::Duration::from_secs(5);
        while remove(&self.root).is_err() && Instant::now() < deadline {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// Removes a tree of cgroups: their files are the kernel's, and go with them.
fn remove(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    Ok(fs::remove_dir(directory)?)
}

/// A running container; all in it are killed when it is dropped.
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: String,
    /// How its path is spelt.
    pub spelling: Spelling,
    /// Its cgroup.
    group: PathBuf,
    /// `unshare`, which dies with its first process and the other way round.
    unshare: Child,
    /// That first process's pid.
    first: u32,
}

impl Container {
    /// Starts one in which the files of `programs` are in a directory of its own.
    ///
    /// # Errors
    /// Something of it cannot be made.
    pub fn start(
        hierarchy: &Hierarchy,
        spelling: Spelling,
        id: &str,
        programs: &Path,
    ) -> Result<Self> {
        ensure!(id.len() == 64, "{id} is no id of a container");
        let group = hierarchy.root.join(spelling.path(id));
        fs::create_dir_all(&group).with_context(|| format!("making {}", group.display()))?;
        let mut unshare = in_group(&group)
            .args(["unshare", "--pid", "--fork", "--kill-child", "--mount"])
            .args(["--ipc", "--uts", "--", "sh", "-c", FIRST, "sh"])
            .arg(programs)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting unshare")?;
        let lines = Lines::new(unshare.stdout.take().context("stdout is piped")?);
        let up = lines.next_before(Instant::now() + PATIENCE)?;
        ensure!(
            up.is_some_and(|(_, line)| line == "UP"),
            "the container did not start: {:?}",
            unshare.wait()
        );
        Ok(Self {
            id: id.to_owned(),
            spelling,
            group,
            first: child_of(unshare.id())?,
            unshare,
        })
    }

    /// The uid of the pod its path tells of.
    #[must_use]
    pub fn pod(&self) -> Option<String> {
        self.spelling.pod(&self.id)
    }

    /// The path of a program as processes in the container see it.
    #[must_use]
    pub fn inside(program: &str) -> String {
        format!("{INSIDE}/{program}")
    }

    /// Starts one of the programs.
    ///
    /// # Errors
    /// It does not start, or does not say that it is ready.
    pub fn run(&self, program: &str) -> Result<Member> {
        self.run_with(program, &[], &[])
    }

    /// Starts one of the programs with arguments and more environment.
    ///
    /// # Errors
    /// It does not start, or does not say that it is ready.
    pub fn run_with(
        &self,
        program: &str,
        arguments: &[&str],
        env: &[(&str, &str)],
    ) -> Result<Member> {
        let mut command = in_group(&self.group);
        command.args(["nsenter", "--target", &self.first.to_string()]);
        command.args(["--pid", "--mount", "--ipc", "--uts", "--wd=/", "--"]);
        command.arg(Self::inside(program)).args(arguments);
        command.envs(env.iter().copied());
        let target = Target::spawn(command).with_context(|| format!("starting {program}"))?;
        let pid = child_of(target.pid())?;
        Ok(Member { target, pid })
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // The kernel ends all that are in its pid namespace before its first process is gone.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

/// A program in a container.
pub struct Member {
    /// What starts it is outside; its input and output are the program's.
    pub target: Target,
    /// The program's own pid as we see it.
    pub pid: u32,
}

impl Member {
    /// Ends it at once, and waits for that.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid)?);
        // It may have ended by itself.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        self.target.wait()?;
        Ok(())
    }
}

/// A command that begins in this cgroup.
fn in_group(group: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "echo $$ > \"$0\" && exec \"$@\""])
        .arg(group.join("cgroup.procs"));
    command
}

/// The one child of a process.
fn child_of(pid: u32) -> Result<u32> {
    let deadline = Instant::now() + PATIENCE;
    let path = format!("/proc/{pid}/task/{pid}/children");
    loop {
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        if let Some(child) = text.split_whitespace().next() {
            return Ok(child.parse()?);
        }
        if Instant::now() > deadline {
            bail!("process {pid} has no child");
        }
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_as_engines_spell_them() {
        let id = "0123456789abcdef".repeat(4);
        let uid = "01234567_89ab_cdef_0123_456789abcdef";
        assert_eq!(
            SPELLINGS[2].path(&id),
            format!(
                "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice/cri-containerd-{id}.scope"
            )
        );
        assert_eq!(SPELLINGS[0].path(&id), format!("docker/{id}"));
        assert_eq!(SPELLINGS[0].pod(&id), None);
        assert_eq!(SPELLINGS[3].pod(&id), Some(uid.replace('_', "-")));
    }
}
