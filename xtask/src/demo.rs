//! The demo: a Go server that leaks, and gostray finding out where.

use crate::{
    paths,
    setup::{self, Go, GoNeed, Needs, apt::is_root},
    shell,
};
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Longer than a leak may stay unseen.
const DURATION: &str = "45s";

/// Ends the line of the server's source whose `go` statement leaks.
const MARKER: &str = "// leaks here";

/// Runs it; an error unless the leak was reported at the right line.
pub(crate) fn run() -> Result<()> {
    let go = setup::ensure(&Needs {
        ebpf: true,
        go: GoNeed::One,
        servers: false,
        rivals: false,
    })?;
    let go = go.0.first().context("set-up found no Go")?;
    shell::step("building gostray");
    shell::run(&mut shell::cargo([
        "build",
        "--release",
        "--locked",
        "--bin",
        "gostray",
    ]))?;
    let agent = paths::target().join("release/gostray");

    let source = paths::root().join("tests/targets/leakyserver");
    let leak = Place::marked_in(&source)?;
    shell::step(&format!(
        "building a Go server that leaks, with Go {}",
        go.version
    ));
    let program = build_server(go, &source)?;
    let (server, pid) = Server::start(&program)?;
    if !is_root() {
        bail!(
            "watching another program takes root. Everything is built; as root, run:\n\n    {} attach --name leakyserver",
            agent.display()
        );
    }

    shell::step(&format!(
        "watching process {pid} from outside for {DURATION}"
    ));
    println!("    Every request to /search starts a goroutine, and some of them never end.");
    println!("    gostray should name their `go` statement, {leak}, in under 30 s.\n");
    let seen = watch(&agent, pid, &leak)?;
    drop(server);
    match seen {
        Some(after) => {
            shell::step(&format!(
                "found: {leak} leaks, reported after {} s",
                after.as_secs()
            ));
            Ok(())
        }
        None => bail!("no leak was reported at {leak}"),
    }
}

/// Shows one run to the user as it is, and checks the events of a second one: what a terminal
/// shows is made for eyes, the JSON lines are a contract.
fn watch(agent: &Path, pid: u32, leak: &Place) -> Result<Option<Duration>> {
    let attach = |format: &str| {
        let mut command = Command::new(agent);
        command.args(["attach", &pid.to_string(), "--duration", DURATION]);
        command.args(["--format", format, "--no-history"]);
        command
    };
    let begin = Instant::now();
    let mut events = attach("json")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", agent.display()))?;
    let lines = events.stdout.take().context("gostray has no output")?;
    let place = leak.clone();
    let reader = thread::spawn(move || {
        let mut seen = None;
        // To the end: a closed pipe would end the other side early.
        for line in BufReader::new(lines).lines().map_while(Result::ok) {
            if seen.is_none() && place.is_reported_by(&line) {
                seen = Some(begin.elapsed());
            }
        }
        seen
    });
    let shown = shell::run(&mut attach("text"));
    let ended = events.wait().context("cannot wait for gostray")?;
    let seen = reader.join().ok().flatten();
    shown?;
    ensure!(
        ended.success(),
        "the second gostray, with --format json, failed ({ended})"
    );
    Ok(seen)
}

fn build_server(go: &Go, source: &Path) -> Result<PathBuf> {
    let program = paths::target().join("go/demo/leakyserver");
    let mut build = Command::new(go.root.join("bin/go"));
    build
        .current_dir(source)
        .args(["build", "-buildvcs=false", "-o"])
        .arg(&program)
        .arg(".")
        .env("GOROOT", &go.root)
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0")
        .env_remove("GOFLAGS");
    shell::run(&mut build)?;
    Ok(program)
}

/// The running server; it ends with us, whichever way we end.
struct Server {
    child: Child,
    _output: BufReader<ChildStdout>,
}

impl Server {
    /// Starts it and waits until it says that it is ready, and as which process.
    fn start(program: &Path) -> Result<(Self, u32)> {
        let mut child = Command::new(program)
            .args(["-addr", "127.0.0.1:0", "-load"])
            // It lives as long as this pipe is open.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let output = child.stdout.take().context("the server has no output")?;
        let mut server = Self {
            child,
            _output: BufReader::new(output),
        };
        let mut line = String::new();
        server
            ._output
            .read_line(&mut line)
            .context("the server said nothing")?;
        let pid = ready_pid(&line).with_context(|| format!("the server said {line:?}"))?;
        Ok((server, pid))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process id in `READY pid=42 addr=127.0.0.1:8080`.
fn ready_pid(line: &str) -> Option<u32> {
    let rest = line.strip_prefix("READY ")?;
    rest.split_whitespace()
        .find_map(|word| word.strip_prefix("pid=")?.parse().ok())
}

/// A file's name and a line in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    file: String,
    line: usize,
}

impl Place {
    /// The marked line in a directory of Go files.
    fn marked_in(dir: &Path) -> Result<Self> {
        let entries =
            fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_none_or(|extension| extension != "go") {
                continue;
            }
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            if let Some(index) = text.lines().position(|line| line.ends_with(MARKER)) {
                let file = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                return Ok(Self {
                    file,
                    line: index + 1,
                });
            }
        }
        bail!("no line in {} ends with {MARKER:?}", dir.display())
    }

    /// Whether a JSON line is a leak event of the creation site at this place.
    fn is_reported_by(&self, event: &str) -> bool {
        let event: String = event.chars().filter(|c| !c.is_whitespace()).collect();
        if !event.contains(r#""event":"leak""#) {
            return false;
        }
        let Some(created) = event.split(r#""created_at":{"#).nth(1) else {
            return false;
        };
        let created = created.split('}').next().unwrap_or_default();
        let line = format!(r#""line":{}"#, self.line);
        let has_line = created
            .split(line.as_str())
            .skip(1)
            .any(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()));
        has_line && created.contains(&format!(r#"/{}""#, self.file))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_says_which_process_it_is() {
        assert_eq!(ready_pid("READY pid=42 addr=127.0.0.1:8080\n"), Some(42));
        assert_eq!(ready_pid("panic: pid=42\n"), None);
    }

    #[test]
    fn only_a_leak_event_of_the_very_line_counts() {
        let place = Place {
            file: "search.go".to_owned(),
            line: 35,
        };
        let event = |kind: &str, file: &str, line: u32| {
            format!(
                r#"{{"event":"{kind}","site":{{"id":"1","created_at":{{"function":"main.search","file":"/src/{file}","line":{line}}}}}}}"#
            )
        };
        assert!(place.is_reported_by(&event("leak", "search.go", 35)));
        assert!(!place.is_reported_by(&event("status", "search.go", 35)));
        assert!(!place.is_reported_by(&event("leak", "search.go", 351)));
        assert!(!place.is_reported_by(&event("leak", "research.go", 35)));
    }
}
