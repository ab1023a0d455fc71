//! One running `gostray` and its events.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::lines::{Lines, PATIENCE};

/// The budget of users who say nothing: for benches, and where the figure itself is looked at.
pub const USERS_BUDGET: &str = "1%";

/// That of tests which say nothing. What the agent finds, and when, follows from its budget and from
/// what all costs; this is enough for it to see as much on a machine that is several times as slow.
const BUDGET: &str = "5%";

/// The agent under test: `GOSTRAY_BIN`, or the one built beside this test.
///
/// # Errors
/// There is none.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("GOSTRAY_BIN") {
        return Ok(path.into());
    }
    // target/<profile>/deps/<test>-<hash> or target/<profile>/gostray-bench
    let exe = std::env::current_exe()?;
    exe.ancestors()
        .skip(1)
        .take(2)
        .map(|d| d.join("gostray"))
        .find(|p| p.is_file())
        .context("no gostray beside the tests: run `cargo build -p gostray`, or set GOSTRAY_BIN")
}

/// Runs the agent to its end.
///
/// # Errors
/// It cannot be started.
pub fn output(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(binary()?).args(arguments).output()?)
}

/// What the agent writes to stdout.
///
/// # Errors
/// It fails; the error is what it says on stderr.
pub fn answer(arguments: &[&str]) -> Result<Vec<u8>> {
    let output = output(arguments)?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}

/// How an agent ended.
#[derive(Debug)]
pub struct End {
    /// The exit status; `None` if a signal ended it.
    pub code: Option<i32>,
    /// All of stderr.
    pub stderr: String,
    /// The events nobody had read yet.
    pub events: Vec<Value>,
}

impl End {
    /// The one line that says what went wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        self.stderr
            .lines()
            .find(|l| l.starts_with("gostray: "))
            .unwrap_or("")
    }

    /// The reason in the `detached` event.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.detached()?["reason"].as_str()
    }

    /// Whether the agent says that its probes were gone when it ended. Where the kernel is busy
    /// with other probes it may still be removing them, and the agent does not wait for ever.
    #[must_use]
    pub fn was_clean(&self) -> bool {
        self.detached().is_some_and(|e| e["clean"] == true)
    }

    fn detached(&self) -> Option<&Value> {
        self.events.iter().find(|e| e["event"] == "detached")
    }
}

/// A started agent; killed when dropped.
pub struct Agent {
    child: Child,
    lines: Lines,
    errors: Lines,
    /// When it was started.
    pub started: Instant,
}

impl Agent {
    /// `gostray attach PID --format json` with more arguments; unless they say otherwise without a
    /// memory of the past, and with a budget that a slow machine does not use up.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn attach(pid: u32, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(binary()?);
        command
            .arg("attach")
            .arg(pid.to_string())
            .args(["--format", "json"])
            .args(arguments);
        if !arguments.contains(&"--history") {
            command.arg("--no-history");
        }
        if !arguments.contains(&"--budget") {
            command.args(["--budget", BUDGET]);
        }
        Self::spawn(command)
    }

    /// Any command line of the agent.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(binary()?);
        command.args(arguments);
        Self::spawn(command)
    }

    /// As [`Agent::run`], for a command with settings of its own.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(mut command: Command) -> Result<Self> {
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let lines = Lines::new(child.stdout.take().context("stdout is piped")?);
        let errors = Lines::new(child.stderr.take().context("stderr is piped")?);
        Ok(Self {
            child,
            lines,
            errors,
            started,
        })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next event, with the moment it came; `None` when the agent has ended.
    ///
    /// # Errors
    /// None came in time, or it is no JSON.
    pub fn event(&self, deadline: Instant) -> Result<Option<(Instant, Value)>> {
        let Some((when, line)) = self.lines.next_before(deadline)? else {
            return Ok(None);
        };
        let event =
            serde_json::from_str(&line).with_context(|| format!("not an event: {line:?}"))?;
        Ok(Some((when, event)))
    }

    /// Reads events until one is of this kind and fits.
    ///
    /// # Errors
    /// None was, before the agent ended or patience did.
    pub fn wait_for(&self, kind: &str, fits: impl FnMut(&Value) -> bool) -> Result<Value> {
        Ok(self.wait_before(Instant::now() + PATIENCE, kind, fits)?.1)
    }

    /// As [`Agent::wait_for`], with a deadline and the moment the event came.
    ///
    /// # Errors
    /// No such event came in time.
    pub fn wait_before(
        &self,
        deadline: Instant,
        kind: &str,
        mut fits: impl FnMut(&Value) -> bool,
    ) -> Result<(Instant, Value)> {
        let mut last = String::new();
        loop {
            match self.event(deadline) {
                Ok(Some((when, event))) if event["event"] == kind && fits(&event) => {
                    return Ok((when, event));
                }
                Ok(Some((_, event))) => last = event.to_string(),
                Ok(None) => bail!("the agent ended before {kind:?}: {}", self.errors.rest()?),
                Err(e) => {
                    return Err(e.context(format!(
                        "waiting for {kind:?}; the last event was {last:.1000}"
                    )));
                }
            }
        }
    }

    /// Reads stderr until a line contains this.
    ///
    /// # Errors
    /// None did, before the agent ended or patience did.
    pub fn says(&self, words: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while let Some((_, line)) = self.errors.next_before(deadline)? {
            if line.contains(words) {
                return Ok(());
            }
        }
        bail!("the agent ended before it said {words:?}")
    }

    /// Lets its output wait, until the pipe is full, or reads it again.
    pub fn hold_output(&self, hold: bool) {
        if hold {
            self.lines.hold();
        } else {
            self.lines.go_on();
        }
    }

    /// Waits until the probes are on.
    ///
    /// # Errors
    /// It ends or takes too long.
    pub fn attached(&self) -> Result<Value> {
        self.wait_for("attached", |_| true)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The agent is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.pid())?), signal)?)
    }

    /// Ctrl-C, and how it ended.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop(self) -> Result<End> {
        self.signal(Signal::SIGINT)?;
        self.end()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// It does not end.
    pub fn end(mut self) -> Result<End> {
        let deadline = Instant::now() + PATIENCE;
        let mut events = Vec::new();
        while let Some((_, line)) = self
            .lines
            .next_before(deadline)
            .context("waiting for the agent's end")?
        {
            // Not every command speaks JSON; text is of no use to the callers.
            events.extend(serde_json::from_str(&line).ok());
        }
        let stderr = self.errors.rest()?;
        let status = self.child.wait()?;
        Ok(End {
            code: status.code(),
            stderr,
            events,
        })
    }

    /// Stops it and insists on a clean end.
    ///
    /// # Errors
    /// It ended in another way.
    pub fn stop_cleanly(self) -> Result<End> {
        let end = self.stop()?;
        ensure!(
            end.code == Some(0),
            "the agent ended with {:?}: {}",
            end.code,
            end.stderr
        );
        Ok(end)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Interrupt first: a killed agent leaves the kernel to detach whenever it gets to it.
        if matches!(self.child.try_wait(), Ok(None)) && self.signal(Signal::SIGINT).is_ok() {
            let deadline = Instant::now() + Duration::from_secs(10);
            while matches!(self.lines.next_before(deadline), Ok(Some(_))) {}
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
