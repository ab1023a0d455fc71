//! Debian packages: what is installed, and installing the rest.

use crate::{setup::NeedsRoot, shell};
use anyhow::{Context as _, Result, bail};
use std::{cell::Cell, fs, io::ErrorKind, os::unix::fs::OpenOptionsExt as _, process::Command};

/// Debian asks this script before a package starts its service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs packages; refreshes the package lists at most once.
#[derive(Default)]
pub(crate) struct Apt {
    refreshed: Cell<bool>,
}

impl Apt {
    /// Those of `packages` that are not installed.
    pub(crate) fn missing(&self, packages: &[String]) -> Vec<String> {
        let installed = |package: &String| {
            shell::ask(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", package]))
                .is_some_and(|status| status == "installed")
        };
        packages.iter().filter(|p| !installed(p)).cloned().collect()
    }

    /// Whether there is such a package to install.
    pub(crate) fn offers(&self, package: &str) -> bool {
        shell::ask(Command::new("apt-cache").args(["show", "--no-all-versions", package]))
            .is_some_and(|text| !text.is_empty())
    }

    /// The LLVM that a package is linked with, through whatever it depends on.
    pub(crate) fn llvm_of(&self, package: &str) -> Option<u32> {
        const FLAGS: [&str; 8] = [
            "depends",
            "--recurse",
            "--no-recommends",
            "--no-suggests",
            "--no-conflicts",
            "--no-breaks",
            "--no-replaces",
            "--no-enhances",
        ];
        llvm_library(&shell::ask(
            Command::new("apt-cache").args(FLAGS).arg(package),
        )?)
    }

    /// Fetches the package lists, once a run; without root there is nothing to do.
    pub(crate) fn refresh(&self) -> Result<()> {
        if self.refreshed.replace(true) || !is_root() {
            return Ok(());
        }
        let mut update = apt_get();
        shell::run(update.args(["-q", "update"])).context(
            "the package lists could not be fetched; is there a network, and are \
             /etc/apt/sources.list and the proxy right?",
        )
    }

    /// Installs what is missing of `packages`, without starting any service.
    pub(crate) fn install(&self, what: &str, packages: &[String]) -> Result<()> {
        let missing = self.missing(packages);
        if missing.is_empty() {
            return Ok(());
        }
        if shell::ask(Command::new("apt-get").arg("--version")).is_none() {
            bail!(
                "{what} is missing, and this is no Debian: install what corresponds to {} there",
                missing.join(" ")
            );
        }
        if !is_root() {
            return Err(NeedsRoot {
                commands: commands(&missing),
            }
            .into());
        }
        shell::step(&format!("installing {what}"));
        self.refresh()?;
        let _quiet = NoServices::new()?;
        let mut install = apt_get();
        install
            .args(["-q", "-y", "install", "--no-install-recommends"])
            .args(&missing);
        shell::run(&mut install)
            .with_context(|| format!("{what} could not be installed; apt's own words are above"))
    }
}

/// Whether we may install packages and load programs into the kernel.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// What root must type to install these.
pub(crate) fn commands(packages: &[String]) -> Vec<String> {
    vec![
        "apt-get update".to_owned(),
        format!(
            "apt-get install -y --no-install-recommends {}",
            packages.join(" ")
        ),
    ]
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// The NN of the first `libllvmNN` in a list of dependencies.
fn llvm_library(depends: &str) -> Option<u32> {
    depends
        .split_whitespace()
        .find_map(|word| word.strip_prefix("libllvm")?.parse().ok())
}

/// etcd and Caddy are installed to be started by the tests, not by the system. While this lives,
/// packages are told not to start anything; a policy the machine already has is left alone.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn new() -> Result<Self> {
        use std::io::Write as _;
        let mut options = fs::OpenOptions::new();
        match options
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(POLICY)
        {
            Ok(mut file) => {
                let quiet = Self { ours: true };
                file.write_all(b"#!/bin/sh\nexit 101\n")
                    .with_context(|| format!("cannot write {POLICY}"))?;
                Ok(quiet)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Self { ours: false }),
            Err(error) => Err(error).with_context(|| format!("cannot create {POLICY}")),
        }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_file(POLICY)
        {
            eprintln!("warning: {POLICY} must be removed by hand: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_llvm_of_a_compiler_is_read_from_its_dependencies() {
        let text = "rustc-web\n  Depends: libc6\nlibstd-rust-web-1.96\n  Depends: libllvm22\n";
        assert_eq!(llvm_library(text), Some(22));
        assert_eq!(llvm_library("rustc\n  Depends: libllvm\n"), None);
    }

    #[test]
    fn the_commands_for_root_name_every_package() {
        let text = commands(&["gcc".to_owned(), "g++".to_owned()]).join("\n");
        assert!(
            text.ends_with("install -y --no-install-recommends gcc g++"),
            "{text}"
        );
    }
}
