//! A rustc that can build for BPF, and the bpf-linker that fits it.

use super::apt::Apt;
use crate::{
    shell,
    toolchain::{self, BPF_LINKER_VERSION, Compiler, Origin},
};
use anyhow::{Context as _, Result};
use std::path::Path;

/// Debian's rustc and the source of its library, which must be a matching pair.
const RUSTC: [&str; 2] = ["rustc-web", "rust-web-src"];

/// The packages that are missing, as far as this can be known before the first is installed.
pub(crate) fn missing_packages(apt: &Apt) -> Vec<String> {
    if toolchain::ready().is_ok() {
        return Vec::new();
    }
    let mut wanted = Vec::new();
    let llvm = match choose(apt) {
        Some(compiler) => Some(compiler.llvm),
        None => {
            wanted.extend(RUSTC.map(str::to_owned));
            apt.llvm_of(RUSTC[0])
        }
    };
    wanted.extend(llvm.into_iter().flat_map(linker_packages));
    apt.missing(&wanted)
}

/// Installs what is missing and returns what the object will be built with.
pub(crate) fn ensure(apt: &Apt) -> Result<Compiler> {
    if let Ok(ready) = toolchain::ready() {
        return Ok(ready);
    }
    let compiler = match choose(apt) {
        Some(compiler) => compiler,
        None => {
            apt.install("a rustc that can build for BPF", &RUSTC.map(str::to_owned))?;
            choose(apt).context("rustc-web and rust-web-src are installed, but are not a pair")?
        }
    };
    let packages = linker_packages(compiler.llvm);
    apt.install(&format!("LLVM {} for bpf-linker", compiler.llvm), &packages)?;
    install_linker(&compiler)?;
    Ok(compiler)
}

/// The first compiler whose LLVM this machine has or can get: a nightly may be ahead of Debian.
fn choose(apt: &Apt) -> Option<Compiler> {
    toolchain::compilers().into_iter().find(|compiler| {
        let packages = linker_packages(compiler.llvm);
        let available = apt.missing(&packages).iter().all(|p| apt.offers(p));
        if !available && compiler.origin == Origin::Nightly {
            println!(
                "    the nightly's LLVM {} is not to be had here; trying Debian's rustc",
                compiler.llvm
            );
        }
        available || compiler.origin == Origin::Debian
    })
}

/// What building bpf-linker against an LLVM needs.
fn linker_packages(llvm: u32) -> Vec<String> {
    vec![
        format!("llvm-{llvm}-dev"),
        format!("libpolly-{llvm}-dev"),
        "libzstd-dev".to_owned(),
        "zlib1g-dev".to_owned(),
        "build-essential".to_owned(),
    ]
}

/// Into a directory of gostray's own: the user may need another bpf-linker for other work.
fn install_linker(compiler: &Compiler) -> Result<()> {
    shell::step(&format!(
        "building bpf-linker {BPF_LINKER_VERSION} for LLVM {} (a few minutes, once)",
        compiler.llvm
    ));
    let mut install = shell::cargo(["install", "bpf-linker", "--quiet", "--locked"]);
    install
        .args(["--version", BPF_LINKER_VERSION, "--no-default-features"])
        .args(["--features", &format!("llvm-{}", compiler.llvm)])
        .arg("--root")
        .arg(compiler.linker_root())
        // Whatever the user sets for this workspace's builds is not meant for a tool.
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        // Says that it is not on PATH, where it is not meant to be.
        .env("CARGO_TERM_QUIET", "true")
        .env("LLVM_PREFIX", llvm_prefix(compiler.llvm));
    // cargo install leaves nothing behind when it fails, so the next run starts again.
    shell::run(&mut install).context("bpf-linker could not be built; see cargo's words above")
}

fn llvm_prefix(llvm: u32) -> String {
    let debian = format!("/usr/lib/llvm-{llvm}");
    // Elsewhere the user says where it is.
    if Path::new(&debian).is_dir() {
        return debian;
    }
    std::env::var("LLVM_PREFIX").unwrap_or(debian)
}
