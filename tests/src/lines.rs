//! Lines from a child's pipe, with a deadline.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long anything may take that normally takes moments; long, because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The lines of a pipe, read by a thread of its own so that the writer never blocks on us, unless it is to.
pub struct Lines {
    receiver: Receiver<(Instant, String)>,
    valve: Arc<Valve>,
}

/// Whether the pipe is read.
#[derive(Default)]
struct Valve {
    is_closed: Mutex<bool>,
    opened: Condvar,
}

impl Valve {
    fn pass(&self) {
        let closed = self.is_closed.lock();
        let closed = closed.unwrap_or_else(PoisonError::into_inner);
        let passed = self.opened.wait_while(closed, |closed| *closed);
        drop(passed.unwrap_or_else(PoisonError::into_inner));
    }

    fn set(&self, is_closed: bool) {
        let closed = self.is_closed.lock();
        *closed.unwrap_or_else(PoisonError::into_inner) = is_closed;
        self.opened.notify_all();
    }
}

impl Lines {
    /// Starts to read `pipe` to its end.
    pub fn new(pipe: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        let valve = Arc::new(Valve::default());
        let of_thread = Arc::clone(&valve);
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                of_thread.pass();
                if sender.send((Instant::now(), line)).is_err() {
                    break;
                }
            }
        });
        Self { receiver, valve }
    }

    /// Reads no more from the pipe, but for a line at most, until told to go on: the writer finds it full.
    pub fn hold(&self) {
        self.valve.set(true);
    }

    /// Reads again.
    pub fn go_on(&self) {
        self.valve.set(false);
    }

    /// The next line and when it came; `None` at the end of the pipe.
    ///
    /// # Errors
    /// Nothing came before the deadline.
    pub fn next_before(&self, deadline: Instant) -> Result<Option<(Instant, String)>> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.receiver.recv_timeout(left) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => bail!("no line came before the deadline"),
        }
    }

    /// All lines that are left, joined; waits for the end of the pipe.
    ///
    /// # Errors
    /// The pipe stayed open past the deadline.
    pub fn rest(&self) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut text = String::new();
        while let Some((_, line)) = self.next_before(deadline)? {
            text.push_str(&line);
            text.push('\n');
        }
        Ok(text)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // The thread ends with the pipe.
        self.go_on();
    }
}
