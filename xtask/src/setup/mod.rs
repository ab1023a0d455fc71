//! Installs what the other commands need: prints each step, and does nothing the second time.

pub(crate) mod apt;
mod bpf;
mod go;
pub(crate) mod go_releases;

use crate::shell;
use anyhow::Result;
use apt::Apt;
use std::{ffi::OsString, fmt, path::PathBuf};

pub(crate) use go::Go;

/// Real servers, compilers and debuggers that the end-to-end tests run: nobody here wrote them.
const SERVERS: [&str; 8] = [
    "etcd-server",
    "etcd-client",
    "caddy",
    "prometheus",
    // The reference parser of OpenMetrics.
    "python3-prometheus-client",
    "gcc",
    "libc6-dev",
    "gdb",
];
/// What benches compare gostray with.
const RIVALS: [&str; 1] = ["bpftrace"];

/// How many Go releases a command wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GoNeed {
    /// Whichever supported one there is.
    One,
    /// Every release in the list.
    All,
}

/// What a command needs.
pub(crate) struct Needs {
    /// Tools to build the eBPF object.
    pub(crate) ebpf: bool,
    /// Go toolchains.
    pub(crate) go: GoNeed,
    /// What the end-to-end tests run beside our own Go programs.
    pub(crate) servers: bool,
    /// What benches run beside gostray.
    pub(crate) rivals: bool,
}

impl Needs {
    /// All there is, but for rivals.
    pub(crate) fn everything() -> Self {
        Self {
            ebpf: true,
            go: GoNeed::All,
            servers: true,
            rivals: false,
        }
    }
}

/// The Go toolchains that set-up found or fetched.
#[derive(Default)]
pub(crate) struct GoRoots(pub(crate) Vec<Go>);

impl GoRoots {
    /// Version and GOROOT of each.
    pub(crate) fn labelled_roots(&self) -> Vec<(String, PathBuf)> {
        self.0
            .iter()
            .map(|go| (go.version.clone(), go.root.clone()))
            .collect()
    }

    /// The value of `GOSTRAY_GO_ROOTS`: GOROOTs with colons between.
    pub(crate) fn variable(&self) -> OsString {
        let roots: Vec<_> = self.0.iter().map(|go| go.root.as_os_str()).collect();
        roots.join(":".as_ref())
    }
}

/// Set-up needs packages and we may not install any.
#[derive(Debug)]
pub(crate) struct NeedsRoot {
    /// What root must type.
    pub(crate) commands: Vec<String>,
}

impl fmt::Display for NeedsRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "packages are missing, and only root can install them. Run as root:"
        )?;
        for command in &self.commands {
            write!(f, "\n    {command}")?;
        }
        write!(f, "\n\nand then this command again.")
    }
}

impl std::error::Error for NeedsRoot {}

/// Makes sure that all of `needs` is there. An ordinary user who lacks packages gets all the
/// commands at once, before anything else is done.
pub(crate) fn ensure(needs: &Needs) -> Result<GoRoots> {
    let apt = Apt::default();
    let own = (needs.go == GoNeed::One).then(go::machines_own).flatten();
    let wanted: Vec<&str> = match needs.go {
        GoNeed::One if own.is_some() => Vec::new(),
        GoNeed::One => vec![go::newest()],
        GoNeed::All => go_releases::RELEASES.iter().map(|r| r.version).collect(),
    };
    let servers = SERVERS.iter().filter(|_| needs.servers);
    let rivals = RIVALS.iter().filter(|_| needs.rivals);
    let servers: Vec<_> = servers
        .chain(rivals)
        .map(|name| (*name).to_owned())
        .collect();

    let missing = {
        let mut missing = apt.missing(&servers);
        missing.extend(go::missing_packages(&apt, &wanted));
        let is_ready = !needs.ebpf || crate::toolchain::ready().is_ok();
        if !is_ready || !missing.is_empty() {
            // Which LLVM fits is read from the lists, which a fresh machine does not have.
            apt.refresh()?;
        }
        if needs.ebpf {
            missing.extend(bpf::missing_packages(&apt));
        }
        missing
    };
    if !missing.is_empty() && !apt::is_root() {
        return Err(NeedsRoot {
            commands: apt::commands(&missing),
        }
        .into());
    }
    // One transaction for all that is known by now.
    apt.install("packages", &missing)?;
    let compiler = needs.ebpf.then(|| bpf::ensure(&apt)).transpose()?;
    let mut roots = go::ensure(&apt, &wanted)?;
    roots.extend(own);

    let rust = compiler.map(|c| format!("rustc {} with LLVM {} for eBPF, ", c.release, c.llvm));
    let versions: Vec<_> = roots.iter().map(|go| go.version.as_str()).collect();
    shell::step(&format!(
        "set-up is complete: {}Go {}",
        rust.unwrap_or_default(),
        versions.join(" ")
    ));
    Ok(GoRoots(roots))
}
