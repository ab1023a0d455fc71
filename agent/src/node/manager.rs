//! The service manager that started us, if it is systemd: it is told when we are ready, that we are alive,
//! and when we stop (`sd_notify(3)`).

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::report::node::ProcessCounts;

/// Between two lines of status.
const STATUS: Duration = Duration::from_secs(30);

/// What the manager wants of us.
#[derive(Debug)]
pub(super) struct Manager {
    /// A third of the time within which it wants to hear of us.
    every: Option<Duration>,
    next: Option<Instant>,
    next_status: Option<Instant>,
    /// It has been told that we are ready.
    is_ready: bool,
}

impl Manager {
    /// As the environment tells (`NOTIFY_SOCKET`, `WATCHDOG_USEC`); without it nobody is told anything.
    pub(super) fn of_environment() -> Self {
        Self {
            every: sd_notify::watchdog_enabled().map(|within| within / 3),
            next: None,
            next_status: None,
            is_ready: false,
        }
    }

    pub(super) fn is_ready(&mut self) {
        self.is_ready = true;
        notify(&[NotifyState::Ready]);
    }

    /// The configuration is being read again, until [`Self::is_reloaded`].
    pub(super) fn is_reloading(&self) {
        if self.is_ready
            && let Ok(now) = NotifyState::monotonic_usec_now()
        {
            notify(&[NotifyState::Reloading, now]);
        }
    }

    /// That is done. Who is not ready yet is not so because of it.
    pub(super) fn is_reloaded(&self) {
        if self.is_ready {
            notify(&[NotifyState::Ready]);
        }
    }

    pub(super) fn is_stopping(&self) {
        notify(&[NotifyState::Stopping]);
    }

    /// The loop has gone round.
    pub(super) fn is_alive(&mut self, now: Instant, counts: impl FnOnce() -> ProcessCounts) {
        if let Some(every) = self.every
            && self.next.is_none_or(|next| now >= next)
        {
            notify(&[NotifyState::Watchdog]);
            self.next = Some(now + every);
        }
        if self.next_status.is_none_or(|next| now >= next) {
            let ProcessCounts {
                watched, failed, ..
            } = counts();
            let status = format!("{watched} processes watched, {failed} that cannot be");
            notify(&[NotifyState::Status(&status)]);
            self.next_status = Some(now + STATUS);
        }
    }
}

/// Who does not listen any more does not matter.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("the service manager was not told: {error}");
    }
}
