//! Builds the eBPF objects from `agent-ebpf/` and leaves them as `$OUT_DIR/gostray.bpf.o` and
//! `$OUT_DIR/gostray-exec.bpf.o`.
//!
//! `GOSTRAY_SKIP_EBPF=1` leaves empty files there instead, so that check, clippy, doc and unit
//! tests need nothing but stable Rust.

#[path = "build/toolchain.rs"]
mod toolchain;

use anyhow::{Context as _, Result, bail};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};
use toolchain::{Compiler, DEBIAN_RUSTC, Origin};

/// The one target that both supported machines share: little-endian BPF.
const TARGET: &str = "bpfel-unknown-none";

/// What each binary of `agent-ebpf` becomes.
const OBJECTS: [(&str, &str); 2] = [
    ("gostray-ebpf", "gostray.bpf.o"),
    ("gostray-exec-ebpf", "gostray-exec.bpf.o"),
];

fn main() -> Result<()> {
    for watched in [
        "build.rs",
        "build/toolchain.rs",
        "../agent-ebpf/src",
        "../agent-ebpf/build.rs",
        "../agent-ebpf/Cargo.toml",
        "../agent-ebpf/Cargo.lock",
        "../agent-common/src",
        "../agent-common/Cargo.toml",
    ] {
        println!("cargo::rerun-if-changed={watched}");
    }
    for variable in ["GOSTRAY_SKIP_EBPF", "GOSTRAY_CACHE"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }

    let out_dir = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    if env::var_os("GOSTRAY_SKIP_EBPF").is_some_and(|value| value == "1") {
        for (_, object) in OBJECTS {
            fs::write(out_dir.join(object), []).context("cannot write the empty object")?;
        }
        return Ok(());
    }
    match toolchain::ready() {
        Ok(compiler) => {
            // Installing another one must start a new build; so must removing this one.
            println!("cargo::rerun-if-changed={}", compiler.linker().display());
            let built = build(&compiler, &target_dir(&out_dir))?;
            for (binary, object) in OBJECTS {
                let binary = built.join(binary);
                fs::copy(&binary, out_dir.join(object))
                    .with_context(|| format!("cannot copy {}", binary.display()))?;
            }
        }
        // Not an error of this script: cargo prints the sentence as it stands, without a trace.
        Err(missing) => println!(
            "cargo::error=the eBPF object cannot be built: {missing}; `cargo xtask setup` \
             installs it, GOSTRAY_SKIP_EBPF=1 builds without it"
        ),
    }
    Ok(())
}

/// One directory for all profiles of the user side: the object is the same for each. It lies
/// beside them, because the outer cargo holds the lock on its own.
fn target_dir(out_dir: &Path) -> PathBuf {
    // OUT_DIR is <target>[/<triple>]/<profile>/build/<package>/out.
    let profile = out_dir.ancestors().nth(3).unwrap_or(out_dir);
    profile.parent().unwrap_or(profile).join("bpf")
}

/// Builds all of them; gives the folder they are in.
fn build(compiler: &Compiler, target_dir: &Path) -> Result<PathBuf> {
    let arch = env::var("CARGO_CFG_TARGET_ARCH").context("CARGO_CFG_TARGET_ARCH is not set")?;
    let flags = [
        // How the traced program's registers are laid out.
        &format!("--cfg=bpf_target_arch=\"{arch}\""),
        // BTF is made from debug information.
        "-Cdebuginfo=2",
        "-Clink-arg=--btf",
    ];
    let mut command = cargo(compiler)?;
    for (name, _) in env::vars_os() {
        if is_for_the_outer_build(&name.to_string_lossy()) {
            command.env_remove(&name);
        }
    }
    command
        .current_dir("../agent-ebpf")
        .args(["build", "--release", "--locked", "-Zbuild-std=core"])
        .args(["--target", TARGET])
        .arg("--target-dir")
        .arg(target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", compiler.linker());
    let status = command
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("building agent-ebpf failed ({status}); the compiler's own words are above");
    }
    Ok(target_dir.join(TARGET).join("release"))
}

/// A cargo that builds with this compiler.
fn cargo(compiler: &Compiler) -> Result<Command> {
    Ok(match compiler.origin {
        Origin::Nightly => {
            let mut command = Command::new("rustup");
            command
                .args(["run", "nightly", "cargo"])
                .env_remove("RUSTC");
            command
        }
        Origin::Debian => {
            let mut command = Command::new(env::var_os("CARGO").context("CARGO is not set")?);
            command
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1");
            command
        }
    })
}

/// What cargo and its user say to the outer build is not meant for the inner one, except where
/// the registry and its cache are.
fn is_for_the_outer_build(variable: &str) -> bool {
    const INNER: [&str; 5] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
    ];
    const OUTER: [&str; 6] = [
        "CARGO",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTUP_TOOLCHAIN",
    ];
    let starts = |names: &[&str]| names.iter().any(|name| variable.starts_with(name));
    starts(&OUTER) && !starts(&INNER)
}
