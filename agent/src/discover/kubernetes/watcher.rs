//! The thread that asks, and what it has learnt.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{
    Health, KubernetesConfig, KubernetesError, Source, client::Question, pod_list::KnownPods,
};
use crate::{discover::Pods, report::node::Pod};

/// The least between two questions, however many unknown pods are asked for.
const LEAST: Duration = Duration::from_secs(5);

/// Asks for a node's pods until it is dropped.
pub struct Kubernetes {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    learnt: Mutex<Learnt>,
    /// Somebody has asked for what is not known.
    wanted: Notify,
    stop: Notify,
}

#[derive(Debug, Default)]
struct Learnt {
    pods: KnownPods,
    health: Health,
}

impl Kubernetes {
    /// Begins to ask; `None` where nobody is to be asked.
    ///
    /// # Errors
    /// It is not known whom to ask, or no thread can be started. A server that does not answer is no error here: it is asked
    /// again.
    pub fn start(config: &KubernetesConfig) -> Result<Option<Self>, KubernetesError> {
        if config.source == Source::None {
            return Ok(None);
        }
        let question = Question::new(config)?;
        Self::asking(question, config.interval.get(), LEAST).map(Some)
    }

    pub(super) fn asking(
        question: Question,
        every: Duration,
        least: Duration,
    ) -> Result<Self, KubernetesError> {
        let failed = |error: io::Error| KubernetesError::Client(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("kubernetes".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = own.stop.notified() => {}
                        () = own.keep_asking(&question, every, least) => {}
                    }
                });
                // A name that is being looked up may take its time; nobody waits for it.
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// How the questions went.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.learnt().health.clone()
    }
}

impl Pods for Kubernetes {
    fn pod(&self, uid: &str, container_id: &str) -> Option<(Pod, Option<String>, Option<String>)> {
        let known = self.shared.learnt().pods.get(uid).cloned();
        let container = known
            .as_ref()
            .and_then(|known| known.container(container_id));
        if container.is_none() {
            // Started since the last answer, most likely.
            self.shared.wanted.notify_one();
        }
        let (name, image) = container.map_or((None, None), |(name, image)| {
            (Some(name.to_owned()), image.map(str::to_owned))
        });
        let mut pod = known.as_ref()?.pod.clone();
        pod.container.clone_from(&name);
        Some((pod, name, image))
    }
}

impl Shared {
    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        // Consistent between any two statements.
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep_asking(&self, question: &Question, every: Duration, least: Duration) {
        loop {
            let asked = Instant::now();
            let answer = question.ask().await;
            self.learn(answer);
            let soon = async {
                self.wanted.notified().await;
                tokio::time::sleep_until(asked + least).await;
            };
            tokio::select! {
                () = tokio::time::sleep_until(asked + every) => {}
                () = soon => {}
            }
        }
    }

    fn learn(&self, answer: Result<KnownPods, KubernetesError>) {
        let mut learnt = self.learnt();
        match answer {
            Ok(pods) => {
                learnt.pods = pods;
                learnt.health.answers += 1;
                learnt.health.last_error = None;
            }
            // What was known stays: a uid is never given out twice.
            Err(error) => {
                let text = error.to_string();
                if learnt.health.last_error.as_ref() != Some(&text) {
                    tracing::warn!(%error, "names and labels of pods are not up to date");
                }
                *learnt.health.errors.entry(error.kind()).or_default() += 1;
                learnt.health.last_error = Some(text);
            }
        }
    }
}

impl Drop for Kubernetes {
    fn drop(&mut self) {
        self.shared.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // It panics nowhere that we know of; and if so, it has said so.
            let _: thread::Result<()> = thread.join();
        }
    }
}

impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes")
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}
