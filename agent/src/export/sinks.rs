//! Sinks, as the configuration has them: what they want, and their tasks.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{runtime::Handle, sync::watch, task::JoinHandle};

use super::{
    ExportError, HostIdentity,
    config::{Events, ExportConfig},
    delivery::Delivery,
    otlp::{Logs, Metrics, OtlpSettings, Signal},
    queue::{Batching, Queue},
    retry::Backoff,
    stdout::{Lines, Output, Stdout},
    webhook::{Webhook, WebhookSettings},
    worker,
};
use crate::report::{
    Event,
    node::{NodeSample, SinkSample, TargetEvent},
};

/// All that makes a sink what it is. One that is equal to another does the same.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    kind: Kind,
    /// How many may wait.
    capacity: usize,
    retry_for: Duration,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Logs(OtlpSettings, Events),
    Metrics(OtlpSettings, Duration),
    Webhook(Box<WebhookSettings>),
    Stdout(Events),
    Status(Duration),
}

/// What waits for a sink.
#[derive(Clone, Debug)]
enum Waiting {
    Events(Arc<Queue<Arc<TargetEvent>>>),
    Samples(Arc<Queue<Arc<NodeSample>>>),
}

/// One sink and its task.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) settings: Settings,
    waiting: Waiting,
    task: JoinHandle<()>,
    /// When the last sample was taken that it was given.
    sampled: Mutex<Option<SystemTime>>,
}

/// What a sink's task needs.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    pub(super) runtime: Handle,
    pub(super) host: Arc<HostIdentity>,
    pub(super) output: Output,
    pub(super) finishing: watch::Receiver<bool>,
}

impl Settings {
    /// Of each sink of `config`, in its order.
    pub(super) fn all(
        config: &ExportConfig,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<Self>, ExportError> {
        let mut all = Vec::new();
        if let Some(otlp) = &config.otlp {
            let retry_for = otlp.retry_for.get();
            if otlp.events != Events::None {
                let settings = OtlpSettings::of(otlp, Signal::Logs, variable)?;
                all.push(Self {
                    kind: Kind::Logs(settings, otlp.events),
                    capacity: otlp.queue.get(),
                    retry_for,
                });
            }
            if otlp.metrics {
                let settings = OtlpSettings::of(otlp, Signal::Metrics, variable)?;
                all.push(Self {
                    kind: Kind::Metrics(settings, otlp.interval.get()),
                    capacity: 1,
                    retry_for,
                });
            }
        }
        for webhook in &config.webhooks {
            all.push(Self {
                kind: Kind::Webhook(Box::new(WebhookSettings::of(webhook)?)),
                capacity: webhook.queue.get(),
                retry_for: webhook.retry_for.get(),
            });
        }
        if let Some(stdout) = &config.stdout {
            if stdout.events != Events::None {
                all.push(Self {
                    kind: Kind::Stdout(stdout.events),
                    capacity: 1024,
                    retry_for: Duration::ZERO,
                });
            }
            if let Some(status) = stdout.status {
                all.push(Self {
                    kind: Kind::Status(status.get()),
                    capacity: 1,
                    retry_for: Duration::ZERO,
                });
            }
        }
        Ok(all)
    }

    /// Whether a sink with `other` is this one, with perhaps a few things changed: what waits there waits
    /// for this one, too.
    pub(super) fn succeeds(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Webhook(a), Kind::Webhook(b)) => a.config.url == b.config.url,
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }

    /// Its name, which for webhooks is followed by a number.
    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Logs(..) => "otlp_logs",
            Kind::Metrics(..) => "otlp_metrics",
            Kind::Webhook(_) => "webhook",
            Kind::Stdout(_) => "stdout",
            Kind::Status(_) => "stdout_status",
        }
    }

    /// How often it wants samples.
    fn interval(&self) -> Option<Duration> {
        match self.kind {
            Kind::Metrics(_, interval) | Kind::Status(interval) => Some(interval),
            _ => None,
        }
    }

    fn wants(&self, event: &Event) -> bool {
        match &self.kind {
            Kind::Logs(_, events) | Kind::Stdout(events) => events.has(event),
            Kind::Webhook(settings) => settings.wants(event),
            Kind::Metrics(..) | Kind::Status(_) => false,
        }
    }
}

impl Sink {
    /// Starts a sink's task. With `before`, which it takes unless there is an error, it goes on where that one
    /// stops.
    pub(super) fn start(
        settings: Settings,
        name: String,
        before: &mut Option<Self>,
        around: &Surroundings,
    ) -> Result<Self, ExportError> {
        let waiting = match &*before {
            Some(before) => before.waiting.clone(),
            None if settings.interval().is_some() => {
                Waiting::Samples(Arc::new(Queue::new(name, settings.capacity)))
            }
            None => Waiting::Events(Arc::new(Queue::new(name, settings.capacity))),
        };
        let start = Start {
            settings: &settings,
            around,
        };
        let work = start.work(&waiting)?;
        waiting.resize(settings.capacity);
        let (previous, sampled) = match before.take() {
            Some(before) => (Some(before.task), before.sampled),
            None => (None, Mutex::default()),
        };
        let taken_back = waiting.clone();
        let task = around.runtime.spawn(async move {
            if let Some(previous) = previous {
                previous.abort();
                let _ = previous.await;
                taken_back.take_back();
            }
            work.await;
        });
        Ok(Self {
            settings,
            waiting,
            task,
            sampled,
        })
    }

    /// Hands it an event, if it is one that it wants.
    pub(super) fn event(&self, event: &Arc<TargetEvent>) {
        if let Waiting::Events(queue) = &self.waiting
            && self.settings.wants(&event.event)
        {
            queue.push(Arc::clone(event));
        }
    }

    /// Hands it a sample, if it is time for one.
    pub(super) fn sample(&self, sample: &Arc<NodeSample>) {
        let (Waiting::Samples(queue), Some(interval)) = (&self.waiting, self.settings.interval())
        else {
            return;
        };
        let taken = sample.agent.taken;
        let mut last = self.sampled.lock().unwrap_or_else(PoisonError::into_inner);
        let since = last.map(|last| taken.duration_since(last));
        // Samples do not come to the millisecond. A clock that was set back is no reason to wait.
        let is_due = match since {
            Some(Ok(since)) => since + interval / 10 >= interval,
            Some(Err(_)) | None => true,
        };
        if is_due {
            *last = Some(taken);
            queue.push(Arc::clone(sample));
        }
    }

    /// What became of all it was given.
    pub(super) fn counts(&self) -> SinkSample {
        match &self.waiting {
            Waiting::Events(queue) => queue.sample(),
            Waiting::Samples(queue) => queue.sample(),
        }
    }

    /// How often it wants samples.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.settings.interval()
    }

    /// Stops at once. What is left is counted as dropped.
    pub(super) fn stop(&self) {
        self.task.abort();
        match &self.waiting {
            Waiting::Events(queue) => queue.close(),
            Waiting::Samples(queue) => queue.close(),
        }
    }

    /// Waits until its task has ended.
    pub(super) async fn ended(task: &mut JoinHandle<()>) {
        // One that panicked or was aborted has ended, too.
        let _ = task.await;
    }

    /// Its task, and what tells what became of all after it has ended.
    pub(super) fn into_parts(self) -> (JoinHandle<()>, Leftover) {
        (self.task, Leftover(self.waiting))
    }
}

/// What a sink leaves behind.
#[derive(Debug)]
pub(super) struct Leftover(Waiting);

impl Leftover {
    /// Counts what was not delivered as dropped.
    pub(super) fn count(self) -> SinkSample {
        match self.0 {
            Waiting::Events(queue) => {
                queue.close();
                queue.sample()
            }
            Waiting::Samples(queue) => {
                queue.close();
                queue.sample()
            }
        }
    }
}

impl Waiting {
    fn resize(&self, capacity: usize) {
        match self {
            Self::Events(queue) => queue.resize(capacity),
            Self::Samples(queue) => queue.resize(capacity),
        }
    }

    fn take_back(&self) {
        match self {
            Self::Events(queue) => queue.take_back(),
            Self::Samples(queue) => queue.take_back(),
        }
    }
}

/// A sink's work, once it is put on a thread.
type Work = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

struct Start<'a> {
    settings: &'a Settings,
    around: &'a Surroundings,
}

impl Start<'_> {
    fn work(&self, waiting: &Waiting) -> Result<Work, ExportError> {
        // Some of what is made here belongs to the runtime it is made in.
        let _entered = self.around.runtime.enter();
        let host = || Arc::clone(&self.around.host);
        let many = Batching {
            most: 512,
            linger: Duration::from_secs(1),
        };
        let one = Batching {
            most: 1,
            linger: Duration::ZERO,
        };
        Ok(match (&self.settings.kind, waiting) {
            (Kind::Logs(settings, _), Waiting::Events(queue)) => {
                self.run(queue, Logs::new(settings, host())?, many)
            }
            (Kind::Metrics(settings, _), Waiting::Samples(queue)) => {
                self.run(queue, Metrics::new(settings, host())?, one)
            }
            (Kind::Webhook(settings), Waiting::Events(queue)) => {
                self.run(queue, Webhook::new(settings)?, one)
            }
            (Kind::Stdout(_), Waiting::Events(queue)) => self.lines(queue),
            (Kind::Status(_), Waiting::Samples(queue)) => self.lines(queue),
            // A sink goes on only where one of its own kind stopped.
            _ => return Err(io::Error::other("a queue of another kind").into()),
        })
    }

    fn lines<L: Lines>(&self, queue: &Arc<Queue<L>>) -> Work {
        let batching = Batching {
            most: 64,
            linger: Duration::ZERO,
        };
        self.run(queue, Stdout::new(self.around.output.clone()), batching)
    }

    fn run<D: Delivery>(
        &self,
        queue: &Arc<Queue<D::Item>>,
        delivery: D,
        batching: Batching,
    ) -> Work {
        Box::pin(worker::run(
            Arc::clone(queue),
            delivery,
            batching,
            Backoff::within(self.settings.retry_for),
            self.around.finishing.clone(),
        ))
    }
}
