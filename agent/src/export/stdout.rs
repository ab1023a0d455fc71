//! `[stdout]`: events, and statuses if asked for, as JSON lines.

use std::{
    fmt,
    io::{self, Write},
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use prost::bytes::Bytes;

use super::delivery::{Accepted, Delivery, Failure, FailureKind, Parcel, Then};
use crate::report::node::{NodeSample, TargetEvent};

/// Where lines go; whole ones, though two sinks write them.
#[derive(Clone)]
pub(super) struct Output(Arc<Mutex<dyn Write + Send>>);

impl Output {
    /// Any writer.
    pub(super) fn new(output: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(output)))
    }

    fn write(&self, lines: &[u8]) -> io::Result<()> {
        let mut output = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        output.write_all(lines)?;
        output.flush()
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output")
    }
}

/// What becomes lines.
pub(super) trait Lines: Clone + Send + Sync + 'static {
    /// Only the newest is of interest.
    const ONLY_THE_NEWEST: bool;

    /// Adds its lines.
    fn lines(&self, to: &mut Vec<u8>);
}

impl Lines for Arc<TargetEvent> {
    const ONLY_THE_NEWEST: bool = false;

    fn lines(&self, to: &mut Vec<u8>) {
        to.extend(self.to_json());
        to.push(b'\n');
    }
}

impl Lines for Arc<NodeSample> {
    const ONLY_THE_NEWEST: bool = true;

    fn lines(&self, to: &mut Vec<u8>) {
        for target in &self.targets {
            to.extend(target.status_json());
            to.push(b'\n');
        }
    }
}

/// Writes lines. A pipe nobody reads blocks a thread of its own, and nobody else.
#[derive(Debug)]
pub(super) struct Stdout<L> {
    output: Output,
    lines: PhantomData<fn(L)>,
}

impl<L> Stdout<L> {
    pub(super) fn new(output: Output) -> Self {
        Self {
            output,
            lines: PhantomData,
        }
    }
}

impl<L: Lines> Delivery for Stdout<L> {
    type Item = L;

    const ONLY_THE_NEWEST: bool = L::ONLY_THE_NEWEST;

    fn parcels(&mut self, items: &[L]) -> Vec<Parcel> {
        let mut body = Vec::new();
        for item in items {
            item.lines(&mut body);
        }
        vec![Parcel {
            body: Bytes::from(body),
            items: items.len() as u64,
        }]
    }

    async fn send(&mut self, parcel: &Parcel) -> Result<Accepted, Failure> {
        let (output, body) = (self.output.clone(), parcel.body.clone());
        let written = tokio::task::spawn_blocking(move || output.write(&body)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map(|()| Accepted::default()).map_err(|error| {
            // Written in part, perhaps: what comes after it would be no line.
            Failure {
                kind: FailureKind::Other,
                message: format!("stdout is closed or broken, no more is written to it: {error}"),
                then: Then::Closed,
            }
        })
    }
}
