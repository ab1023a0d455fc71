//! The same question answered by hand: `bpftrace` at the entries of the runtime's functions, with a
//! line for each goroutine that is created and each that ends.
//!
//! Not every release of bpftrace heeds `-p` for uprobes: 0.17 traces every process of the executable. So
//! only one program may run at a time, and no second bench beside this one.

use std::io::{BufRead as _, BufReader, ErrorKind, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::loads::Running;
use super::windows::{self, Window};
use crate::lines::PATIENCE;

/// Where Go passes the first and the third argument: what is to run, and who says so.
#[cfg(target_arch = "x86_64")]
const ARGUMENTS: [&str; 2] = ["ax", "cx"];
#[cfg(not(target_arch = "x86_64"))]
const ARGUMENTS: [&str; 2] = ["r0", "r2"];

/// The first character of each line about a goroutine that was created.
const CREATED: u8 = b'+';

/// How one window went.
pub(super) struct Naive {
    /// What the program did.
    pub(super) window: Window,
    /// Processor time of bpftrace.
    pub(super) cores: f64,
    /// Created goroutines it told of, a second; where it cannot keep up, it loses some.
    pub(super) told: f64,
}

/// One window with bpftrace; the reason where there can be none.
///
/// # Errors
/// The program fails.
pub(super) fn measure(running: &mut Running, exe: &Path) -> Result<Result<Naive, String>> {
    let tracer = match Tracer::start(exe, running.pid()) {
        Ok(tracer) => tracer,
        Err(reason) => return Ok(Err(reason)),
    };
    let pid = tracer.child.id();
    let (window, measured) = running.during(|| {
        let begin = Instant::now();
        let (used, told) = (windows::processor_time(pid)?, tracer.created());
        std::thread::sleep(windows::LENGTH);
        let used = windows::processor_time(pid)?.saturating_sub(used);
        let told = tracer.created() - told;
        let seconds = begin.elapsed().as_secs_f64();
        Ok((used.as_secs_f64() / seconds, told as f64 / seconds))
    })?;
    tracer.stop()?;
    let (cores, told) = measured;
    Ok(Ok(Naive {
        window,
        cores,
        told,
    }))
}

/// Prints its events to a thread of ours; killed when dropped.
struct Tracer {
    child: Child,
    created: Arc<AtomicU64>,
    reader: Option<JoinHandle<()>>,
}

impl Tracer {
    /// Starts it and waits until it tells of a goroutine: there is one a second at least, the lost one.
    fn start(exe: &Path, pid: u32) -> Result<Self, String> {
        let (exe, [what, whose]) = (exe.display(), ARGUMENTS);
        let program = format!(
            "uprobe:{exe}:runtime.newproc1 {{ printf(\"+ %llx %llx\\n\", reg(\"{what}\"), reg(\"{whose}\")) }} \
             uprobe:{exe}:runtime.gdestroy {{ printf(\"- %llx\\n\", reg(\"{what}\")) }}"
        );
        let mut child = Command::new("bpftrace")
            .args(["-p", &pid.to_string(), "-e", &program])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => "there is no `bpftrace`".to_owned(),
                _ => error.to_string(),
            })?;
        let created = Arc::new(AtomicU64::new(0));
        let reader = child.stdout.take().map(|pipe| {
            let created = created.clone();
            std::thread::spawn(move || count(pipe, &created))
        });
        let errors = child.stderr.take();
        let tracer = Self {
            child,
            created,
            reader,
        };
        tracer.wait(errors)
    }

    fn wait(mut self, errors: Option<impl Read>) -> Result<Self, String> {
        let deadline = Instant::now() + PATIENCE;
        while self.created() == 0 {
            let has_ended = self.reader.as_ref().is_none_or(JoinHandle::is_finished);
            if has_ended || Instant::now() > deadline {
                // Killed first, so that its words have an end.
                let _ = self.child.kill();
                let mut words = String::new();
                let read = errors.map(|mut pipe| pipe.read_to_string(&mut words));
                let first = words.lines().next().unwrap_or("it says nothing");
                return Err(match read {
                    Some(Err(error)) => error.to_string(),
                    _ => format!("`bpftrace` tells of no goroutine: {first}"),
                });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(self)
    }

    fn created(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }

    /// Lets it take its probes away.
    fn stop(self) -> Result<()> {
        kill(
            Pid::from_raw(i32::try_from(self.child.id())?),
            Signal::SIGINT,
        )?;
        // It prints what it has left, which may be much; if it does not come to an end, it is killed.
        let deadline = Instant::now() + PATIENCE;
        while self.reader.as_ref().is_some_and(|r| !r.is_finished()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // Both fail only if it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As cheaply as can be: what it takes to read the lines is no part of the comparison.
fn count(pipe: impl Read, created: &AtomicU64) {
    let mut reader = BufReader::with_capacity(1 << 16, pipe);
    let mut is_start = true;
    loop {
        let length = match reader.fill_buf() {
            Ok([]) | Err(_) => return,
            Ok(bytes) => {
                let mut found = 0;
                for &byte in bytes {
                    found += u64::from(is_start && byte == CREATED);
                    is_start = byte == b'\n';
                }
                created.fetch_add(found, Ordering::Relaxed);
                bytes.len()
            }
        };
        reader.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_creations_are_counted() {
        let created = AtomicU64::new(0);
        let text = "Attaching 2 probes...\n+ 1 +\n- 1\n\n+ 2 2\nLost 7 events\n";
        count(text.as_bytes(), &created);
        assert_eq!(created.into_inner(), 2);
    }
}
