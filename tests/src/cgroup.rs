//! A cgroup of the test's own with a limit of memory, of whichever version counts memory here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// One with a limit, and one below it without; both are removed when dropped, once whoever is in them
/// has ended.
pub struct LimitedGroup {
    limited: PathBuf,
    inner: PathBuf,
    /// As reports call the version.
    pub kind: &'static str,
    usage: &'static str,
}

impl LimitedGroup {
    /// Makes one whose processes may use so many bytes together.
    ///
    /// # Errors
    /// This machine has no hierarchy that counts memory, or it cannot be written to.
    pub fn new(name: &str, bytes: u64) -> Result<Self> {
        let (root, kind) = root()?;
        let name = format!("gostray-{name}-{}", std::process::id());
        let limited = root.join(name);
        let (limit, usage) = match kind {
            "cgroup_v2" => ("memory.max", "memory.current"),
            _ => ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        };
        let group = Self {
            inner: limited.join("inner"),
            limited,
            kind,
            usage,
        };
        if kind == "cgroup_v2" {
            write(&root.join("cgroup.subtree_control"), "+memory")?;
        }
        fs::create_dir(&group.limited)
            .with_context(|| format!("making {}", group.limited.display()))?;
        write(&group.limited.join(limit), &bytes.to_string())?;
        if kind == "cgroup_v2" {
            write(&group.limited.join("cgroup.subtree_control"), "+memory")?;
        }
        fs::create_dir(&group.inner)?;
        Ok(group)
    }

    /// What starts `exe` in the group below the limited one.
    #[must_use]
    pub fn command(&self, exe: &Path) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", "echo $$ > \"$1\" && exec \"$2\"", "sh"])
            .arg(self.inner.join("cgroup.procs"))
            .arg(exe);
        command
    }

    /// What its processes use, as the kernel counts it, in bytes.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn used(&self) -> Result<u64> {
        let path = self.limited.join(self.usage);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(text.trim().parse()?)
    }

    /// The name of the limited one.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.limited.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

impl Drop for LimitedGroup {
    fn drop(&mut self) {
        // The kernel counts a process that has ended for a moment longer.
        let deadline = Instant::now() + Duration::from_secs(5);
        for directory in [&self.inner, &self.limited] {
            while fs::remove_dir(directory).is_err()
                && directory.exists()
                && Instant::now() < deadline
            {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Where the hierarchy that counts memory is mounted, and its version as reports call it.
pub(crate) fn root() -> Result<(PathBuf, &'static str)> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let mut unified = None;
    for line in mounts.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let &[_, point, kind, options, ..] = &fields[..] else {
            continue;
        };
        let point = PathBuf::from(point);
        if kind == "cgroup" && options.split(',').any(|option| option == "memory") {
            return Ok((point, "cgroup_v1"));
        }
        if kind == "cgroup2" {
            unified = Some(point);
        }
    }
    if let Some(point) = unified {
        let controllers = fs::read_to_string(point.join("cgroup.controllers"))?;
        if controllers.split_whitespace().any(|name| name == "memory") {
            return Ok((point, "cgroup_v2"));
        }
    }
    bail!("no cgroup hierarchy on this machine counts memory")
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {text:?} to {}", path.display()))
}
