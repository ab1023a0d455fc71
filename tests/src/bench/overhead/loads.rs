//! The kinds of work whose cost is compared, and a program that does one of them.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::windows::{self, Window};
use crate::http;
use crate::target::Target;

/// The program's start, its heap's growth and the clients' connections are not what is compared.
const WARM_UP: Duration = Duration::from_millis(1500);
const CONNECTIONS: u64 = 4;

/// How much is done, which says what to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Nothing is done: processor time is all there is.
    Nothing,
    /// So much a second whatever it costs: processor time a second.
    Fixed,
    /// As much as possible: processor time an operation.
    Greatest,
}

/// One kind of work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// As in the tables.
    pub(super) name: &'static str,
    /// What the program is told.
    command: &'static str,
    /// How much is done.
    pub(super) pace: Pace,
}

/// All of them.
pub(super) const ALL: [Load; 7] = [
    load("idle 100,000", "idle 100000", Pace::Nothing),
    load("create 1,000/s", "create 1000", Pace::Fixed),
    load("create 10,000/s", "create 10000", Pace::Fixed),
    load("create 100,000/s", "create 100000", Pace::Fixed),
    load("create unlimited", "create 0", Pace::Greatest),
    load("pingpong", "pingpong 4", Pace::Greatest),
    load("http", SERVE, Pace::Greatest),
];

/// The one command that is answered by an address, and needs clients.
const SERVE: &str = "serve";

const fn load(name: &'static str, command: &'static str, pace: Pace) -> Load {
    Load {
        name,
        command,
        pace,
    }
}

/// The program at work, with its clients if it is a server.
pub(super) struct Running {
    target: Target,
    clients: Option<Clients>,
}

impl Running {
    /// Starts the program with so many processors, and the one site that leaks.
    pub(super) fn start(exe: &Path, load: Load, processors: u32) -> Result<Self> {
        let mut target = Target::start(exe, &[], &[])?;
        target.ask(&format!("procs {processors}"))?;
        let answer = target.ask(load.command)?;
        target.ask("leak 1")?;
        let clients = (load.command == SERVE).then(|| Clients::start(&answer));
        std::thread::sleep(WARM_UP);
        Ok(Self { target, clients })
    }

    /// The program's process id.
    pub(super) fn pid(&self) -> u32 {
        self.target.pid()
    }

    /// What the program does while something else goes on here.
    pub(super) fn during<T>(&mut self, work: impl FnOnce() -> Result<T>) -> Result<(Window, T)> {
        if let Some(clients) = &self.clients {
            clients.latencies();
        }
        let begin = self.mark()?;
        let made = work()?;
        let end = self.mark()?;
        let seconds = (end.at - begin.at).as_secs_f64();
        let window = Window {
            operations: (end.done - begin.done) as f64 / seconds,
            cores: end.used.saturating_sub(begin.used).as_secs_f64() / seconds,
            late: self
                .clients
                .as_ref()
                .and_then(|clients| windows::percentile_99(clients.latencies())),
        };
        Ok((window, made))
    }

    /// The clock is read behind the answer, which a busy program may give a little late.
    fn mark(&mut self) -> Result<Mark> {
        let done = self.target.ask("done")?.parse()?;
        Ok(Mark {
            at: Instant::now(),
            done,
            used: windows::processor_time(self.pid())?,
        })
    }

    /// Ends it.
    pub(super) fn finish(self) -> Result<()> {
        // The clients first: to them a server that ends is an error.
        match self.clients {
            Some(clients) => clients.load.finish().map(drop),
            None => Ok(()),
        }
    }
}

struct Mark {
    at: Instant,
    done: u64,
    used: Duration,
}

/// Threads of ours that send requests, and how long each request took.
struct Clients {
    load: http::Load,
    latencies: Arc<Mutex<Vec<Duration>>>,
}

impl Clients {
    fn start(host: &str) -> Self {
        let latencies = Arc::new(Mutex::new(Vec::new()));
        let kept = latencies.clone();
        let load = http::Load::start(host, CONNECTIONS, move |connection, _| {
            let sent = Instant::now();
            connection.request("GET", "/", "")?;
            let took = sent.elapsed();
            kept.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(took);
            Ok(())
        });
        Self { load, latencies }
    }

    /// Of the requests answered since the last call.
    fn latencies(&self) -> Vec<Duration> {
        std::mem::take(
            &mut *self
                .latencies
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_load_has_a_name_of_its_own() {
        let mut names = ALL.map(|load| load.name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
