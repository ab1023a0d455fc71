//! A running `gostray daemon` and what it answers.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::agent::{self, Agent, End};
use crate::http::Connection;
use crate::lines::PATIENCE;
use crate::usage;

/// Between two looks at what it says; answering is work, and counts as the daemon's.
const PAUSE: Duration = Duration::from_millis(200);

/// A started daemon; stopped when dropped.
pub struct Node {
    /// The process, and its output: events as JSON lines.
    pub agent: Agent,
    connection: Connection,
    /// Where it listens: `127.0.0.1:PORT`.
    pub listen: String,
    /// Since when it was ready, and what it had used by then.
    ready: (Instant, Duration),
    /// Its file.
    pub configuration: tempfile::NamedTempFile,
}

/// What it used between being ready and now, in cores.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// The agent itself, as the kernel counts it.
    pub agent: f64,
    /// Its probes in the targets, as it says.
    pub probes: f64,
    /// Seconds.
    pub passed: f64,
}

impl Node {
    /// Starts one with this configuration; a section `[listen]` is added.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(configuration: &str) -> Result<Self> {
        Self::run(configuration, Command::new(agent::binary()?))
    }

    /// As [`Node::start`], by a command that `daemon --config FILE` is added to.
    ///
    /// # Errors
    /// It does not start.
    pub fn run(configuration: &str, command: Command) -> Result<Self> {
        let (file, agent) = Self::begin(configuration, command)?;
        let ready = agent.wait_for("ready", |_| true)?;
        let used = usage::cpu(agent.pid())?;
        let listen = ready["listen"].as_str().context("it listens nowhere")?;
        Ok(Self {
            connection: Connection::open(listen)?,
            listen: listen.to_owned(),
            ready: (Instant::now(), used),
            agent,
            configuration: file,
        })
    }

    /// Asks until what it says of itself `fits`, and returns that.
    ///
    /// # Errors
    /// It never did.
    pub fn agent_until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let agent = self.status()?["agent"].take();
            if fits(&agent) {
                return Ok(agent);
            }
            if Instant::now() > deadline {
                bail!("not before patience ended: {what}: {agent:#}");
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// As [`Node::run`], for one that may not come as far as being ready.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn begin(
        configuration: &str,
        mut command: Command,
    ) -> Result<(tempfile::NamedTempFile, Agent)> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(with_listen(configuration).as_bytes())?;
        command.args(["daemon", "--config"]).arg(file.path());
        Ok((file, Agent::spawn(command)?))
    }

    /// Gives it another configuration, all of it, and waits until it has taken or refused that: whether
    /// it has taken it.
    ///
    /// # Errors
    /// It does not answer.
    pub fn reload(&mut self, configuration: &str) -> Result<bool> {
        let counts = |status: &Value| {
            let agent = &status["agent"];
            (
                agent["reloads"].as_u64(),
                agent["errors"]["reload"].as_u64(),
            )
        };
        let before = counts(&self.status()?);
        std::fs::write(self.configuration.path(), with_listen(configuration))?;
        self.agent.signal(nix::sys::signal::Signal::SIGHUP)?;
        let began = Instant::now();
        loop {
            let now = counts(&self.status()?);
            if now != before {
                return Ok(now.0 != before.0);
            }
            ensure!(began.elapsed() < PATIENCE, "it does not reload: {now:?}");
            std::thread::sleep(PAUSE);
        }
    }

    /// It has been told to listen elsewhere.
    ///
    /// # Errors
    /// Nobody listens there in time.
    pub fn moved_to(&mut self, address: &str) -> Result<()> {
        let began = Instant::now();
        self.connection = loop {
            match Connection::open(address) {
                Ok(connection) => break connection,
                Err(error) if began.elapsed() > PATIENCE => return Err(error),
                Err(_) => std::thread::sleep(PAUSE),
            }
        };
        address.clone_into(&mut self.listen);
        Ok(())
    }

    /// What it says of itself and of whom it watches.
    ///
    /// # Errors
    /// It does not answer.
    pub fn status(&mut self) -> Result<Value> {
        Ok(serde_json::from_str(&self.get("/status")?)?)
    }

    /// The answer to a GET.
    ///
    /// # Errors
    /// It does not answer.
    pub fn get(&mut self, path: &str) -> Result<String> {
        // A server may end an idle connection.
        if let Ok(answer) = self.connection.request("GET", path, "") {
            return Ok(answer);
        }
        self.connection = Connection::open(&self.listen)?;
        self.connection.request("GET", path, "")
    }

    /// Whom it watches, by pid: what `/status` has of each.
    ///
    /// # Errors
    /// It does not answer as it should.
    pub fn watched(&mut self) -> Result<BTreeMap<u32, Value>> {
        let mut status = self.status()?;
        let targets = status["targets"].as_array_mut().context("no targets")?;
        targets
            .drain(..)
            .map(|target| {
                let pid = target["identity"]["pid"].as_u64().context("no pid")?;
                Ok((u32::try_from(pid)?, target))
            })
            .collect()
    }

    /// Asks until what is watched `fits`, and how long that took.
    ///
    /// # Errors
    /// It never did; what `fits` said last.
    pub fn until(
        &mut self,
        mut fits: impl FnMut(&BTreeMap<u32, Value>) -> Result<()>,
    ) -> Result<Duration> {
        let began = Instant::now();
        loop {
            let watched = self.watched()?;
            match fits(&watched) {
                Ok(()) => return Ok(began.elapsed()),
                Err(error) if began.elapsed() > PATIENCE => return Err(error),
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// What it has used since it was ready.
    ///
    /// # Errors
    /// It is gone, or does not answer.
    pub fn spent(&mut self) -> Result<Spent> {
        let (began, before) = self.ready;
        let status = self.status()?;
        let probes = status["agent"]["probes_seconds"].as_f64();
        let used = usage::cpu(self.agent.pid())?.saturating_sub(before);
        let passed = began.elapsed().as_secs_f64();
        Ok(Spent {
            agent: used.as_secs_f64() / passed,
            probes: probes.context("no probes_seconds")? / passed,
            passed,
        })
    }

    /// SIGTERM, and how it ended.
    ///
    /// # Errors
    /// It does not end, or not as it should.
    pub fn stop(self) -> Result<End> {
        self.agent.signal(nix::sys::signal::Signal::SIGTERM)?;
        let end = self.agent.end()?;
        if end.code != Some(0) {
            bail!("the daemon ended with {:?}: {}", end.code, end.stderr);
        }
        Ok(end)
    }
}

/// A configuration that says where to listen: anywhere, unless it says so itself.
fn with_listen(configuration: &str) -> String {
    match configuration.contains("[listen]") {
        true => configuration.to_owned(),
        false => format!("{configuration}\n[listen]\naddress = \"127.0.0.1:0\"\n"),
    }
}

/// How long the end may take.
const ENDING: Duration = Duration::from_secs(60);

impl Node {
    /// SIGTERM, while what it writes is not read until it has ended.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn stop_unread(self) -> Result<End> {
        self.agent.hold_output(true);
        self.agent.signal(nix::sys::signal::Signal::SIGTERM)?;
        let deadline = Instant::now() + ENDING;
        let stat = format!("/proc/{}/stat", self.agent.pid());
        // Until we wait for it, it is there as a zombie.
        while !std::fs::read_to_string(&stat)?.contains(") Z ") {
            if Instant::now() > deadline {
                bail!("the daemon has not ended after {ENDING:?}");
            }
            std::thread::sleep(PAUSE);
        }
        self.agent.hold_output(false);
        self.agent.end()
    }
}

/// The id of the container that a watched process is in.
#[must_use]
pub fn container_of(target: &Value) -> Option<&str> {
    target["identity"]["container"]["id"].as_str()
}
