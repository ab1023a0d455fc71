//! Where events and metrics go: OpenTelemetry's protocol, webhooks, stdout.
//!
//! Each sink has a bounded queue and a task of its own, so that one that is slow or dead delays none of
//! the others, and what it does not deliver is counted. All tasks share one thread.

pub mod config;
mod delivery;
mod error;
mod files;
mod host;
mod http;
mod otlp;
mod queue;
mod retry;
mod secret;
mod sinks;
mod stdout;
#[cfg(test)]
mod tests;
mod webhook;
mod words;
mod worker;

use std::{
    collections::HashSet,
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    runtime::Builder,
    sync::{oneshot, watch},
    time::Instant,
};
use tracing::warn;

pub use config::ExportConfig;
pub use error::ExportError;
pub use host::HostIdentity;
pub use secret::Secret;

use crate::report::node::{NodeSample, SinkSample, TargetEvent};
use sinks::{Settings, Sink, Surroundings};
use stdout::Output;

/// All sinks.
#[derive(Debug)]
pub struct Exports {
    sinks: Vec<Sink>,
    around: Surroundings,
    finishing: watch::Sender<bool>,
    /// Ends the thread: after these tasks, or at that moment.
    end: oneshot::Sender<End>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct End {
    tasks: Vec<tokio::task::JoinHandle<()>>,
    at: Instant,
}

impl Exports {
    /// Starts the sinks of `config`. Nothing is connected before there is something to deliver.
    ///
    /// # Errors
    /// A section cannot be used, or there is no thread.
    pub fn start(config: &ExportConfig, host: &HostIdentity) -> Result<Self, ExportError> {
        Self::with_output(config, host, Output::new(io::stdout()))
    }

    fn with_output(
        config: &ExportConfig,
        host: &HostIdentity,
        output: Output,
    ) -> Result<Self, ExportError> {
        // Somebody may have done so before; it is the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Builder::new_current_thread()
            .enable_all()
            // Names are resolved there, and stdout is written.
            .max_blocking_threads(8)
            .build()?;
        let (finishing, told) = watch::channel(false);
        let (end, ended) = oneshot::channel();
        let around = Surroundings {
            runtime: runtime.handle().clone(),
            host: Arc::new(host.clone()),
            output,
            finishing: told,
        };
        let thread = thread::Builder::new()
            .name("export".into())
            .spawn(move || {
                runtime.block_on(until(ended));
                // A write to a pipe that nobody reads has no end.
                runtime.shutdown_background();
            })?;
        let mut exports = Self {
            sinks: Vec::new(),
            around,
            finishing,
            end,
            thread,
        };
        exports.reconfigure(config)?;
        Ok(exports)
    }

    /// Hands an event to all sinks that want it. Never blocks: where a queue is full its oldest is
    /// dropped, and counted.
    pub fn event(&self, event: TargetEvent) {
        let event = Arc::new(event);
        for sink in &self.sinks {
            sink.event(&event);
        }
    }

    /// Hands a sample to all sinks that want one by now. A sample that waits still is dropped for it, and
    /// counted.
    pub fn sample(&self, sample: Arc<NodeSample>) {
        for sink in &self.sinks {
            sink.sample(&sample);
        }
    }

    /// What became of all that the sinks were given.
    #[must_use]
    pub fn sinks(&self) -> Vec<SinkSample> {
        self.sinks.iter().map(Sink::counts).collect()
    }

    /// How often [`Self::sample`] is wanted: as often as the most eager sink wants it. `None` if none does.
    #[must_use]
    pub fn metrics_interval(&self) -> Option<Duration> {
        self.sinks.iter().filter_map(Sink::interval).min()
    }

    /// Changes to `config`. A sink of which nothing changed keeps its queue and connection, one that
    /// changed keeps its queue and counts. With an error all is as before, but for sinks that had changed
    /// already and are right.
    ///
    /// # Errors
    /// A section cannot be used.
    pub fn reconfigure(&mut self, config: &ExportConfig) -> Result<(), ExportError> {
        let wanted = Settings::all(config, &|name| std::env::var(name).ok())?;
        let mut before: Vec<Option<Sink>> = self.sinks.drain(..).map(Some).collect();
        let mut result = Ok(());
        // Those that stay are found first, so that nobody else takes their queues.
        let mut kept: Vec<Option<Sink>> = wanted
            .iter()
            .map(|wanted| taken(&mut before, |sink| sink.settings == *wanted))
            .collect();
        let mut names: HashSet<String> = before
            .iter()
            .chain(&kept)
            .flatten()
            .map(|sink| sink.counts().name)
            .collect();
        for (settings, kept) in wanted.into_iter().zip(&mut kept) {
            if kept.is_some() || result.is_err() {
                continue;
            }
            let mut previous = taken(&mut before, |sink| settings.succeeds(&sink.settings));
            let name = free_name(&settings, &names);
            match Sink::start(settings, name, &mut previous, &self.around) {
                Ok(sink) => {
                    names.insert(sink.counts().name);
                    self.sinks.push(sink);
                }
                Err(error) => {
                    before.push(previous);
                    result = Err(error);
                }
            }
        }
        self.sinks.extend(kept.into_iter().flatten());
        let rest = before.into_iter().flatten();
        match result {
            Ok(()) => rest.for_each(|sink| dismiss(&sink)),
            Err(_) => self.sinks.extend(rest),
        }
        self.sinks.sort_by_key(|sink| sink.counts().name);
        result
    }

    /// Delivers what can be delivered `within` that time, then ends. What is left is counted as dropped.
    pub fn finish(self, within: Duration) -> Vec<SinkSample> {
        let at = Instant::now() + within;
        self.finishing.send_replace(true);
        let (tasks, left): (Vec<_>, Vec<_>) = self.sinks.into_iter().map(Sink::into_parts).unzip();
        let _ = self.end.send(End { tasks, at });
        if self.thread.join().is_err() {
            warn!("the thread that exports has ended badly");
        }
        left.into_iter().map(sinks::Leftover::count).collect()
    }
}

fn taken(sinks: &mut [Option<Sink>], fits: impl Fn(&Sink) -> bool) -> Option<Sink> {
    let place = sinks
        .iter_mut()
        .find(|sink| sink.as_ref().is_some_and(&fits));
    place.and_then(Option::take)
}

/// A name that no other sink has: there may be many webhooks.
fn free_name(settings: &Settings, taken: &HashSet<String>) -> String {
    let name = settings.name();
    let mut free = name.to_owned();
    let mut number = 1;
    while taken.contains(&free) {
        number += 1;
        free = format!("{name}_{number}");
    }
    free
}

fn dismiss(sink: &Sink) {
    sink.stop();
    let counts = sink.counts();
    if counts.dropped > 0 {
        let (sink, dropped) = (counts.name, counts.dropped);
        warn!(
            sink,
            dropped, "no longer configured; it leaves this many undelivered"
        );
    }
}

/// Until it is time, or nobody is there any more.
async fn until(ended: oneshot::Receiver<End>) {
    let Ok(mut end) = ended.await else {
        return;
    };
    for task in &mut end.tasks {
        let _ = tokio::time::timeout_at(end.at, Sink::ended(task)).await;
        task.abort();
    }
}
