//! What others see of the daemon: the newest sample, and whether all is well.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{profiles::ProfileCost, watcher::Common};
use crate::{
    listen::{self, Profile, ProfileError, ProfileKind},
    report::node::NodeSample,
    session::ProveOptions,
};

/// A daemon whose loop has not gone round for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// Shared by the daemon's loop and the listener.
pub(super) struct View {
    common: Arc<Common>,
    profiles: ProfileCost,
    seen: Mutex<Seen>,
}

struct Seen {
    sample: Arc<NodeSample>,
    went_round: Instant,
    /// Why it is not ready.
    waits_for: Option<&'static str>,
}

impl View {
    pub(super) fn new(common: Arc<Common>, sample: NodeSample) -> Self {
        Self {
            common,
            profiles: ProfileCost::default(),
            seen: Mutex::new(Seen {
                sample: Arc::new(sample),
                went_round: Instant::now(),
                waits_for: Some("the processes of this node have not been looked through yet"),
            }),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Each field is replaced as a whole.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop has gone round.
    pub(super) fn went_round(&self) {
        self.seen().went_round = Instant::now();
    }

    pub(super) fn set_sample(&self, sample: Arc<NodeSample>) {
        self.seen().sample = sample;
    }

    /// All that ran at the beginning is decided about.
    pub(super) fn is_ready(&self) {
        self.seen().waits_for = None;
    }

    /// Processor time that profiles have taken, in seconds.
    pub(super) fn profiles_seconds(&self) -> f64 {
        self.profiles.seconds()
    }

    pub(super) fn is_stopping(&self) {
        self.seen().waits_for = Some("the daemon is stopping");
    }
}

impl listen::Node for View {
    fn sample(&self) -> Arc<NodeSample> {
        Arc::clone(&self.seen().sample)
    }

    fn readiness(&self) -> Result<(), String> {
        match self.seen().waits_for {
            None => Ok(()),
            Some(reason) => Err(reason.into()),
        }
    }

    fn liveness(&self) -> Result<(), String> {
        let since = self.seen().went_round.elapsed();
        match since <= PATIENCE {
            true => Ok(()),
            false => Err(format!(
                "the daemon's loop has been stuck for {} s",
                since.as_secs()
            )),
        }
    }

    fn profile(&self, pid: i32, kind: ProfileKind) -> Result<Profile, ProfileError> {
        let sample = self.sample();
        let is_watched = sample.targets.iter().any(|target| target.target.pid == pid);
        if !is_watched {
            return Err(ProfileError::NotWatched { pid });
        }
        let memory = self.common.settings().memory;
        let options = ProveOptions {
            max_heap_bytes: memory.largest_heap(),
            ..ProveOptions::default()
        };
        self.profiles
            .of(|| listen::take_profile(pid, kind, &self.common.binaries, &options))
    }
}
