//! Go toolchains, fetched as the Go modules they are.

use super::{apt::Apt, go_releases::RELEASES, go_releases::supported};
use crate::{shell, toolchain};
use anyhow::{Context as _, Result, ensure};
use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// The Go that Debian 12 carries: old, but any Go can fetch the others.
const DEBIAN_PACKAGE: &str = "golang-1.19-go";
const DEBIAN_GO: &str = "/usr/lib/go-1.19/bin/go";

/// A Go on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Go {
    /// Such as `1.26.8`.
    pub(crate) version: String,
    /// Its GOROOT.
    pub(crate) root: PathBuf,
}

/// The packages needed before any release can be fetched.
pub(crate) fn missing_packages(apt: &Apt, wanted: &[&str]) -> Vec<String> {
    if missing_releases(wanted).is_empty() || bootstrap().is_some() {
        return Vec::new();
    }
    apt.missing(&[DEBIAN_PACKAGE.to_owned()])
}

/// The newest release, for when one will do.
pub(crate) fn newest() -> &'static str {
    RELEASES.last().map_or("", |release| release.version)
}

/// The machine's own Go, if gostray supports it.
pub(crate) fn machines_own() -> Option<Go> {
    let mut command = go_command(Path::new("go"));
    let text = shell::ask(command.args(["env", "GOVERSION", "GOROOT"]))?;
    let (version, root) = text.split_once('\n')?;
    supported(version).then(|| Go {
        version: version.trim_start_matches("go").to_owned(),
        root: root.into(),
    })
}

/// Fetches those of `wanted` that are not there yet, all at once.
pub(crate) fn ensure(apt: &Apt, wanted: &[&str]) -> Result<Vec<Go>> {
    let missing = missing_releases(wanted);
    if !missing.is_empty() {
        if bootstrap().is_none() {
            apt.install(
                "a first Go, to fetch the others with",
                &[DEBIAN_PACKAGE.to_owned()],
            )?;
        }
        let go = bootstrap().context("no go command, although one was installed")?;
        fetch(&go, &missing)?;
    }
    wanted
        .iter()
        .map(|version| {
            let root = root_of(version);
            make_executable(&root)?;
            Ok(Go {
                version: (*version).to_owned(),
                root,
            })
        })
        .collect()
}

fn missing_releases<'a>(wanted: &[&'a str]) -> Vec<&'a str> {
    let there = |version: &str| root_of(version).join("bin/go").is_file();
    wanted.iter().copied().filter(|v| !there(v)).collect()
}

fn fetch(go: &Path, versions: &[&str]) -> Result<()> {
    shell::step(&format!("fetching Go {}", versions.join(", ")));
    // Outside any module, so that nobody's go.mod has a say in it.
    let scratch = toolchain::cache_dir().join("go-fetch");
    fs::create_dir_all(&scratch).with_context(|| format!("cannot create {}", scratch.display()))?;
    fs::write(scratch.join("go.mod"), "module fetch\n")
        .with_context(|| format!("cannot write in {}", scratch.display()))?;
    let mut command = go_command(go);
    command
        .current_dir(&scratch)
        .args(["mod", "download"])
        .args(
            versions
                .iter()
                .map(|v| format!("golang.org/toolchain@{}", module_version(v))),
        );
    shell::run(&mut command).context(
        "Go could not be fetched; is there a network, and does `go env GOPROXY` name a module proxy?",
    )?;
    for version in versions {
        let root = root_of(version);
        ensure!(
            root.join("bin/go").is_file(),
            "Go {version} was fetched, but is not at {}",
            root.display()
        );
    }
    Ok(())
}

/// The user's Go, or Debian's.
fn bootstrap() -> Option<PathBuf> {
    ["go", DEBIAN_GO]
        .into_iter()
        .map(PathBuf::from)
        .find(|go| shell::ask(go_command(go).arg("version")).is_some())
}

/// A go that stays the one it is and heeds no flags meant for another tree.
fn go_command(go: &Path) -> Command {
    let mut command = Command::new(go);
    command
        .current_dir(env::temp_dir())
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod")
        .env("GOWORK", "off")
        .env("GO111MODULE", "on")
        .env_remove("GOROOT");
    command
}

fn root_of(version: &str) -> PathBuf {
    module_cache()
        .join("golang.org")
        .join(format!("toolchain@{}", module_version(version)))
}

/// As the module proxy names a toolchain for this machine.
fn module_version(version: &str) -> String {
    let arch = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("v0.0.1-go{version}.linux-{arch}")
}

/// The user's own module cache: what is there already need not be fetched again.
fn module_cache() -> PathBuf {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = set("GOMODCACHE") {
        return dir.into();
    }
    let gopath = set("GOPATH").and_then(|paths| env::split_paths(&paths).next());
    let home = || env::home_dir().unwrap_or_else(env::temp_dir).join("go");
    gopath.unwrap_or_else(home).join("pkg/mod")
}

/// Modules hold no programs, so the cache drops the execute bits that a toolchain needs.
fn make_executable(root: &Path) -> Result<()> {
    let tools = root.join("pkg/tool");
    let mut dirs = vec![root.join("bin")];
    if let Ok(entries) = fs::read_dir(&tools) {
        dirs.extend(entries.flatten().map(|entry| entry.path()));
    }
    for dir in dirs {
        let entries =
            fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
        for entry in entries {
            let path = entry?.path();
            let mode = fs::metadata(&path)?.permissions().mode();
            if path.is_file() && mode & 0o111 == 0 {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode | 0o111))
                    .with_context(|| format!("cannot make {} executable", path.display()))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_is_named_as_the_module_proxy_names_it() {
        let name = module_version("1.27.4");
        assert!(name.starts_with("v0.0.1-go1.27.4.linux-"), "{name}");
    }

    #[test]
    fn programs_become_executable_again() {
        let dir = env::temp_dir().join(format!("gostray-xtask-{}", std::process::id()));
        let tool = dir.join("pkg/tool/linux_amd64/compile");
        for file in [&dir.join("bin/go"), &tool] {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o444)).unwrap();
        }
        make_executable(&dir).unwrap();
        assert_eq!(
            fs::metadata(&tool).unwrap().permissions().mode() & 0o777,
            0o555
        );
        fs::remove_dir_all(&dir).unwrap();
    }
}
