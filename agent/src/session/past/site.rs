//! One site of a session: what was seen of it, and how much of that is written.

use std::time::Duration;

use super::is_sure;
use crate::{
    detect::Taken,
    report::Place,
    store::{LeakFound, SiteIdentity, SiteSample, Watched},
    track::Site,
};

/// See the module.
#[derive(Debug)]
pub(super) struct Remembered {
    pub(super) identity: SiteIdentity,
    created_at: Place,
    /// Since the session began: at the last look, in the batch on its way, and what is written.
    seen: Watched,
    sent: Watched,
    written: Watched,
    /// Creations at the last sample.
    sampled: u64,
    /// Whether the batch counts what was seen for an incident.
    is_counted: bool,
    /// What it took to find the leak in this session.
    after: Option<Taken>,
    /// Found to leak, and not written yet.
    leak: Option<LeakFound>,
    leak_is_sent: bool,
    has_stopped: bool,
    stop_is_sent: bool,
    /// Found in this session.
    leaks: bool,
    is_sure: bool,
    has_leaked: bool,
}

impl Remembered {
    pub(super) fn new(identity: SiteIdentity, created_at: Place) -> Self {
        Self {
            identity,
            created_at,
            seen: Watched::default(),
            sent: Watched::default(),
            written: Watched::default(),
            sampled: 0,
            is_counted: false,
            after: None,
            leak: None,
            leak_is_sent: false,
            has_stopped: false,
            stop_is_sent: false,
            leaks: false,
            is_sure: false,
            has_leaked: false,
        }
    }

    pub(super) fn found(&mut self, mut leak: LeakFound) {
        // Said again later, it took no longer.
        if is_sure(leak.verdict) {
            leak.after = *self.after.get_or_insert(leak.after);
        }
        self.leaks = true;
        self.is_sure |= is_sure(leak.verdict);
        self.has_leaked = true;
        self.leak = Some(leak);
        self.leak_is_sent = false;
        self.has_stopped = false;
    }

    pub(super) fn stopped(&mut self) {
        self.leaks = false;
        self.is_sure = false;
        self.has_stopped = true;
        self.stop_is_sent = false;
    }

    /// Whether what is seen of it must not be learnt as normal.
    pub(super) fn is_leaking(&self) -> bool {
        self.leaks && self.is_sure
    }

    /// Whether it was found to leak in this session.
    pub(super) fn has_leaked(&self) -> bool {
        self.has_leaked
    }

    /// What was seen of it since the session began.
    pub(super) fn totals(&self) -> Watched {
        self.seen
    }

    /// The site as it is at `at`, `since` the last sample.
    pub(super) fn sample(
        &mut self,
        site: &Site,
        at: Duration,
        since: Duration,
        is_normal: bool,
    ) -> SiteSample {
        // Those that were there before gostray are not lost of those created since, and those younger
        // than 3 s are not lost yet.
        let old = site.series.points(0).next_back();
        let lost = old.map_or(0, |point| point.survivors[0].min(site.counts.live));
        self.seen = Watched {
            seconds: at.as_secs_f64(),
            created: site.counts.created.max(self.seen.created),
            lost: i64::try_from(lost).unwrap_or(i64::MAX),
        };
        let created = site.counts.created.saturating_sub(self.sampled);
        let rate = (!since.is_zero()).then(|| created as f64 / since.as_secs_f64());
        SiteSample {
            site: self.identity.clone(),
            created_at: self.created_at.clone(),
            live: site.alive(),
            creation_rate: rate,
            is_normal,
            since: Watched {
                seconds: (self.seen.seconds - self.written.seconds).max(0.0),
                created: self.seen.created - self.written.created,
                lost: self.seen.lost - self.written.lost,
            },
            leaks: self.leaks,
            leak: self.leak.clone(),
            has_stopped: self.has_stopped,
        }
    }

    /// The batch goes, with this site in it or not; the site `is_known` to have leaked; as a sample or
    /// not.
    pub(super) fn send(&mut self, is_in: bool, is_known: bool, is_sample: bool) {
        if is_sample {
            self.sampled = self.seen.created;
        }
        if is_in {
            self.sent = self.seen;
            // Of a site without an incident nothing but the baseline is written.
            self.is_counted = is_known || self.has_leaked;
            self.leak_is_sent = self.leak.is_some();
            self.stop_is_sent = self.has_stopped;
        }
    }

    /// The batch is written, or not.
    pub(super) fn written(&mut self, is_done: bool) {
        if is_done {
            if self.is_counted {
                self.written = self.sent;
            }
            if self.leak_is_sent {
                self.leak = None;
            }
            if self.stop_is_sent {
                self.has_stopped = false;
            }
        }
        self.leak_is_sent = false;
        self.stop_is_sent = false;
    }
}
