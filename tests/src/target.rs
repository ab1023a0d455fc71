//! One running Go program that obeys commands on its stdin.

use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::go::{self, Mode, Toolchain};
use crate::lines::{Lines, PATIENCE};

/// A started program; killed when dropped.
pub struct Target {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines,
}

impl Target {
    /// Starts `exe` and waits until it says that it is ready.
    ///
    /// # Errors
    /// It does not start or says something else.
    pub fn start(exe: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Result<Self> {
        let mut command = Command::new(exe);
        command.args(arguments).envs(env.iter().copied());
        Self::spawn(command)
    }

    /// Builds the program and starts it without arguments.
    ///
    /// # Errors
    /// The build fails, or the program does not start or says something else.
    pub fn of(program: &str, toolchain: &Toolchain, mode: Mode) -> Result<Self> {
        Self::start(&go::build(program, toolchain, mode)?, &[], &[])
    }

    /// As [`Target::start`], for a command with settings of its own.
    ///
    /// # Errors
    /// It does not start or says something else.
    pub fn spawn(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let lines = Lines::new(child.stdout.take().context("stdout is piped")?);
        let stdin = child.stdin.take();
        let mut target = Self {
            child,
            stdin,
            lines,
        };
        let first = target.line()?;
        ensure!(
            first.starts_with("READY "),
            "the program said {first:?} instead of READY"
        );
        Ok(target)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn line(&mut self) -> Result<String> {
        match self.lines.next_before(Instant::now() + PATIENCE)? {
            Some((_, line)) => Ok(line),
            None => bail!("the program ended its output: {}", self.child.wait()?),
        }
    }

    /// Sends a command without waiting for the answer.
    ///
    /// # Errors
    /// The program has closed its input.
    pub fn tell(&mut self, command: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("stdin is piped")?;
        writeln!(stdin, "{command}").with_context(|| format!("sending {command:?}"))
    }

    /// Sends a command and returns the answer.
    ///
    /// # Errors
    /// No answer, or one that begins with `error`.
    pub fn ask(&mut self, command: &str) -> Result<String> {
        self.tell(command)?;
        let answer = self
            .line()
            .with_context(|| format!("waiting for the answer to {command:?}"))?;
        ensure!(
            !answer.starts_with("error"),
            "{command:?} was answered by {answer:?}"
        );
        Ok(answer)
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// The operating system does not tell.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// SIGKILLs it.
    ///
    /// # Errors
    /// It is gone already.
    pub fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill()?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// The operating system does not tell.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Both fail only if the program is gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
