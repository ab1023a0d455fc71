//! Which compiler and linker can build the eBPF object on this machine.
//!
//! Included by `agent/build.rs`, which uses what is there, and by `xtask`, which installs what is
//! missing: both must come to the same answer. Nothing here installs or writes anything.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The release of bpf-linker that set-up installs.
pub(crate) const BPF_LINKER_VERSION: &str = "0.13.0";

/// Debian's own rustc: unlike rustup's stable it comes with a package of its library source.
pub(crate) const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Where a compiler that can build `core` for BPF comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A rustup nightly with the `rust-src` component.
    Nightly,
    /// Debian's `rustc-web` and `rust-web-src`, told to accept unstable flags.
    Debian,
}

/// A rustc with its library source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compiler {
    /// Where it comes from, and so how it is called.
    pub(crate) origin: Origin,
    /// Its release, such as `1.96.0`.
    pub(crate) release: String,
    /// The major version of its LLVM; bpf-linker must be built on the same one.
    pub(crate) llvm: u32,
}

impl Compiler {
    /// The directory `cargo install --root` puts the fitting bpf-linker in. Version and LLVM are
    /// part of its name, so a linker for another compiler is never mistaken for this one.
    pub(crate) fn linker_root(&self) -> PathBuf {
        cache_dir().join(format!(
            "bpf-linker-{BPF_LINKER_VERSION}-llvm-{}",
            self.llvm
        ))
    }

    /// The fitting bpf-linker, whether it is installed yet or not.
    pub(crate) fn linker(&self) -> PathBuf {
        self.linker_root().join("bin/bpf-linker")
    }
}

/// All compilers on this machine that can build the eBPF object, the preferred one first.
pub(crate) fn compilers() -> Vec<Compiler> {
    let nightly = || {
        let mut command = Command::new("rustup");
        command.args(["run", "nightly", "rustc"]);
        // Never let a question become a download.
        command.env("RUSTUP_AUTO_INSTALL", "0");
        command
    };
    [
        inspect(Origin::Nightly, nightly),
        inspect(Origin::Debian, || Command::new(DEBIAN_RUSTC)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The compiler to build with now: the first one whose bpf-linker is installed too.
/// The error says in one sentence what is missing.
pub(crate) fn ready() -> Result<Compiler, String> {
    let found = compilers();
    if let Some(compiler) = found.iter().find(|c| c.linker().is_file()) {
        return Ok(compiler.clone());
    }
    Err(match found.first() {
        None => "no rustc with its library source was found (a rustup nightly with rust-src, or \
                 Debian's rustc-web with rust-web-src)"
            .to_owned(),
        Some(compiler) => format!(
            "rustc {} is there, but not the bpf-linker {BPF_LINKER_VERSION} for its LLVM {} (looked \
             for {})",
            compiler.release,
            compiler.llvm,
            compiler.linker().display()
        ),
    })
}

/// What set-up builds for this project but must outlive a clone of it:
/// `$GOSTRAY_CACHE`, or `gostray` in the user's cache directory.
pub(crate) fn cache_dir() -> PathBuf {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = set("GOSTRAY_CACHE") {
        return dir.into();
    }
    if let Some(dir) = set("XDG_CACHE_HOME") {
        return Path::new(&dir).join("gostray");
    }
    let home = env::home_dir().unwrap_or_else(env::temp_dir);
    home.join(".cache/gostray")
}

/// Asks a rustc for its versions; `None` unless its library source is there too.
fn inspect(origin: Origin, rustc: impl Fn() -> Command) -> Option<Compiler> {
    let sysroot = stdout(rustc().args(["--print", "sysroot"]))?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/src/lib.rs");
    if !source.is_file() {
        return None;
    }
    let (release, llvm) = parse_versions(&stdout(rustc().arg("-vV"))?)?;
    Some(Compiler {
        origin,
        release,
        llvm,
    })
}

/// The release and the LLVM major version out of `rustc -vV`.
fn parse_versions(text: &str) -> Option<(String, u32)> {
    let field = |name| text.lines().find_map(|line| line.strip_prefix(name));
    let release = field("release: ")?.trim().to_owned();
    let llvm = field("LLVM version: ")?.split('.').next()?.trim();
    Some((release, llvm.parse().ok()?))
}

fn stdout(command: &mut Command) -> Option<String> {
    // Cargo sets these for build scripts and wrapped runs; they would redirect the question.
    let output = command
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("RUSTC")
        .output()
        .ok()?;
    output.status.success().then_some(())?;
    String::from_utf8(output.stdout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_rustc_verbose_output() {
        let text = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\n\
                    binary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.96.0\n\
                    LLVM version: 22.1.8\n";
        assert_eq!(parse_versions(text), Some(("1.96.0".to_owned(), 22)));
        assert_eq!(parse_versions("release: 1.96.0\n"), None);
        assert_eq!(parse_versions("release: 1.96.0\nLLVM version: ?\n"), None);
    }

    #[test]
    fn the_linker_is_kept_apart_for_each_llvm() {
        let compiler = |llvm| Compiler {
            origin: Origin::Debian,
            release: "1.96.0".to_owned(),
            llvm,
        };
        assert_ne!(compiler(21).linker(), compiler(22).linker());
        assert!(compiler(22).linker().starts_with(cache_dir()));
    }
}
