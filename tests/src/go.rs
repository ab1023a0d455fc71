//! Building the Go programs in `tests/targets` with several releases and link modes.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// How a program is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// As `go build` does it, with symbols and DWARF.
    Plain,
    /// `-s -w`.
    Stripped,
    /// Position-independent.
    Pie,
    /// Without the C library, and with `-trimpath`, as images are built.
    Static,
    /// With C code, linked by the C linker.
    Cgo,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Plain,
        Self::Stripped,
        Self::Pie,
        Self::Static,
        Self::Cgo,
    ];

    /// All but [`Mode::Static`], which is to a snapshot as [`Mode::Plain`] is.
    pub const FOR_SNAPSHOTS: [Self; 4] = [Self::Plain, Self::Stripped, Self::Pie, Self::Cgo];

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::Stripped => &["-ldflags=-s -w"],
            Self::Pie => &["-buildmode=pie"],
            Self::Static => &[
                "-trimpath",
                "-tags=netgo,osusergo",
                "-ldflags=-extldflags=-static",
            ],
            Self::Cgo => &["-tags=withc", "-ldflags=-linkmode=external"],
        }
    }
}

/// One Go release on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Toolchain {
    /// GOROOT.
    pub root: PathBuf,
    /// As in `go1.27.4`.
    pub version: String,
}

impl Toolchain {
    fn at(root: PathBuf) -> Result<Self> {
        let file = root.join("VERSION");
        let text =
            fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let version = text.lines().next().unwrap_or_default().to_owned();
        Ok(Self { root, version })
    }

    /// The minor release: 27 for go1.27.4.
    #[must_use]
    pub fn minor(&self) -> u32 {
        self.version
            .split('.')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .unwrap_or(0)
    }

    /// `go` of this release, without arguments.
    #[must_use]
    pub fn go(&self) -> Command {
        let mut command = Command::new(self.root.join("bin/go"));
        command
            .env("GOTOOLCHAIN", "local")
            .env("GOROOT", &self.root);
        command
    }
}

/// The releases named by `GOSTRAY_GO_ROOTS` (GOROOTs, separated by colons), oldest first.
///
/// # Errors
/// One of them is not a GOROOT.
pub fn toolchains() -> Result<Vec<Toolchain>> {
    let roots = std::env::var_os("GOSTRAY_GO_ROOTS").unwrap_or_default();
    let mut all = std::env::split_paths(&roots)
        .filter(|p| !p.as_os_str().is_empty())
        .map(Toolchain::at)
        .collect::<Result<Vec<_>>>()?;
    all.sort_by_key(Toolchain::minor);
    Ok(all)
}

/// The newest of [`toolchains`].
///
/// # Errors
/// There is none.
pub fn newest() -> Result<Toolchain> {
    toolchains()?
        .pop()
        .context("GOSTRAY_GO_ROOTS names no Go release; run through `cargo xtask test`")
}

/// The first and the last of [`toolchains`], or of a part of them.
#[must_use]
pub fn oldest_and_newest(mut toolchains: Vec<Toolchain>) -> Vec<Toolchain> {
    let newest = toolchains.pop();
    toolchains.truncate(1);
    toolchains.extend(newest);
    toolchains
}

/// The directory with the Go sources.
#[must_use]
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("targets")
}

/// Where built programs are kept: `GOSTRAY_TARGETS_DIR`, or beside cargo's own.
fn cache() -> PathBuf {
    if let Some(directory) = std::env::var_os("GOSTRAY_TARGETS_DIR") {
        return directory.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    target.join("go")
}

fn hash_sources(directory: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    let mut files = fs::read_dir(directory)?
        .map(|e| Ok(e?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.sort();
    for file in files {
        file.file_name().hash(hasher);
        fs::read(&file)?.hash(hasher);
    }
    Ok(())
}

/// Builds `program` unless that was done before, and returns the binary.
///
/// # Errors
/// The build fails.
pub fn build(program: &str, toolchain: &Toolchain, mode: Mode) -> Result<PathBuf> {
    build_with(program, toolchain, mode, &[])
}

/// As [`build`], with more environment, such as `GOARCH`.
///
/// # Errors
/// The build fails.
pub fn build_with(
    program: &str,
    toolchain: &Toolchain,
    mode: Mode,
    env: &[(&str, &str)],
) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    hash_sources(&sources().join(program), &mut hasher)?;
    (mode.arguments(), env).hash(&mut hasher);
    let name = format!(
        "{program}-{}-{mode:?}-{:016x}",
        toolchain.version,
        hasher.finish()
    );
    let cgo = if mode == Mode::Cgo { "1" } else { "0" };
    let mut arguments: Vec<&OsStr> = mode.arguments().iter().map(OsStr::new).collect();
    let package = format!("./{program}");
    arguments.push(package.as_ref());
    run_build(
        toolchain,
        &sources(),
        &cache().join(name.to_lowercase()),
        &arguments,
        cgo,
        env,
    )
}

/// Builds a plugin for programs built with [`Mode::Cgo`].
///
/// # Errors
/// The build fails.
pub fn build_plugin(plugin: &str, toolchain: &Toolchain) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    hash_sources(&sources().join(plugin), &mut hasher)?;
    let id = hasher.finish();
    let name = format!("{plugin}-{}-{id:016x}.so", toolchain.version);
    // What both are made of must be built alike: the arguments are those of the program.
    let mut arguments: Vec<&OsStr> = Mode::Cgo.arguments().iter().map(OsStr::new).collect();
    let package = format!("./{plugin}");
    arguments.extend(["-buildmode=plugin".as_ref(), package.as_ref() as &OsStr]);
    let output = cache().join(name);
    run_build(toolchain, &sources(), &output, &arguments, "1", &[])
}

/// Builds a server of `tests/servers`, a module of its own with modules of others.
///
/// # Errors
/// The build fails, or its modules cannot be had.
pub fn build_server(server: &str, toolchain: &Toolchain) -> Result<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("servers")
        .join(server);
    let mut hasher = DefaultHasher::new();
    hash_sources(&directory, &mut hasher)?;
    let name = format!("{server}-{}-{:016x}", toolchain.version, hasher.finish());
    let arguments = ["-ldflags=-s -w".as_ref(), ".".as_ref()];
    run_build(
        toolchain,
        &directory,
        &cache().join(name),
        &arguments,
        "0",
        &[],
    )
}

fn run_build(
    toolchain: &Toolchain,
    directory: &Path,
    output: &Path,
    arguments: &[&OsStr],
    cgo: &str,
    env: &[(&str, &str)],
) -> Result<PathBuf> {
    if output.exists() {
        return Ok(output.to_owned());
    }
    let parent = output
        .parent()
        .context("the cache has a parent directory")?;
    fs::create_dir_all(parent)?;
    // Another test may build the same: each writes a file of its own, and the last rename wins.
    let partial = tempfile::Builder::new()
        .prefix("partial-")
        .tempdir_in(parent)?;
    let built = partial.path().join("program");
    let done = toolchain
        .go()
        .current_dir(directory)
        .arg("build")
        .arg("-o")
        .arg(&built)
        .args(arguments)
        .env("GOFLAGS", "-buildvcs=false")
        .env("CGO_ENABLED", cgo)
        .envs(env.iter().copied())
        .output()
        .with_context(|| format!("starting {:?}", toolchain.go()))?;
    ensure!(
        done.status.success(),
        "go build of {} with {} failed:\n{}",
        output.display(),
        toolchain.version,
        String::from_utf8_lossy(&done.stderr)
    );
    fs::rename(&built, output)?;
    Ok(output.to_owned())
}

/// Builds a program whose source is made up by a test: the text of its one file.
///
/// # Errors
/// The build fails.
pub fn build_text(name: &str, text: &str, toolchain: &Toolchain) -> Result<PathBuf> {
    build_files(name, &[("main.go".into(), text.into())], toolchain)
}

/// As [`build_text`], with several files: their names and texts.
///
/// # Errors
/// The build fails.
pub fn build_files(
    name: &str,
    files: &[(String, String)],
    toolchain: &Toolchain,
) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    let id = format!("{name}-{}-{:016x}", toolchain.version, hasher.finish());
    let sources = tempfile::tempdir()?;
    for (file, text) in files {
        fs::write(sources.path().join(file), text)?;
    }
    fs::write(
        sources.path().join("go.mod"),
        format!("module example.com/{name}\n\ngo 1.18\n"),
    )?;
    let arguments = ["-trimpath".as_ref(), ".".as_ref() as &OsStr];
    let output = cache().join(id);
    run_build(toolchain, sources.path(), &output, &arguments, "0", &[])
}

/// Builds the large program, stripped or with all symbols and DWARF.
///
/// # Errors
/// The generator or the build fails.
pub fn build_big(toolchain: &Toolchain, stripped: bool) -> Result<PathBuf> {
    let generator = build("biggen", toolchain, Mode::Plain)?;
    let id = generator
        .file_name()
        .context("a built program has a name")?
        .to_string_lossy()
        .into_owned();
    let kind = if stripped { "stripped" } else { "full" };
    let output = cache().join(format!("{id}-{kind}"));
    if output.exists() {
        return Ok(output);
    }
    let sources = tempfile::tempdir()?;
    let made = Command::new(generator)
        .arg("-dir")
        .arg(sources.path())
        .status()?;
    ensure!(made.success(), "the generator failed");
    let mut arguments: Vec<&OsStr> = Vec::new();
    if stripped {
        arguments.push("-ldflags=-s -w".as_ref());
    }
    // Without -trimpath the temporary directory's name would defeat Go's build cache.
    arguments.extend(["-trimpath".as_ref(), ".".as_ref() as &OsStr]);
    run_build(toolchain, sources.path(), &output, &arguments, "0", &[])
}
