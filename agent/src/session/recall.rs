//! The past in a session's events.

use std::time::{Duration, SystemTime};

use super::{
    Inspected, Options, Session, names,
    past::{Mended, Past, Precedent},
};
use crate::{
    detect::Finding,
    report::{Event, EventKind, Leak, Resolved, Unknown},
    store::{BuildIdentity, RunIdentity},
    track::Site,
};

/// Sites that are identified in one observation: their functions have to be decoded. There is time for
/// thousands before the first sample is taken.
const AT_ONCE: usize = 100;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

impl Session {
    /// The memory of the past of the program that is to be watched.
    pub(super) fn past_of(inspected: &Inspected, options: &Options) -> Past {
        let build = inspected.program.binary.build_info();
        let identity = inspected.process.identity;
        let run = RunIdentity {
            // Without it runs of two boots may be taken for one, which is rare and does little harm.
            boot_id: std::fs::read_to_string(BOOT_ID)
                .map_or_else(|_| "unknown".into(), |id| id.trim().into()),
            pid: identity.pid,
            start_ticks: identity.start_time,
        };
        Past::begin(
            options.history.as_deref(),
            BuildIdentity::of(&inspected.info(), build.path.as_deref()),
            run,
            SystemTime::now(),
        )
    }

    /// The database in use, or why there is none.
    pub(super) fn history(&self) -> (Option<String>, Unknown) {
        let reason = self.past.reason().map(str::to_owned);
        let unknown = reason.into_iter().map(|reason| ("history", reason));
        (self.past.path(), unknown.collect())
    }

    /// Adds to `leak` what is known of it from before.
    pub(super) fn recall(&mut self, site: &Site, finding: &Finding, leak: &mut Leak, at: Duration) {
        self.identify(site);
        let Precedent {
            history,
            mut evidence,
            mut unknown,
        } = self.past.leak(
            site,
            finding,
            leak.rule,
            (leak.pattern.as_deref(), leak.wait_reason.as_deref()),
            at,
            SystemTime::now(),
        );
        leak.history = history;
        leak.evidence.append(&mut evidence);
        leak.unknown.append(&mut unknown);
    }

    /// Remembers what is seen at `at`, if that is due. Fixes that have been verified come out.
    pub(super) fn remember(&mut self, at: Duration) -> Vec<Event> {
        if !self.past.is_on() {
            return Vec::new();
        }
        self.identify_all();
        let now = SystemTime::now();
        let mended = self.past.observe(self.tracker.sites(), at, now);
        self.mended(mended)
    }

    /// Remembers what was seen last: nothing more is, behind this. Fixes that have been verified come
    /// out.
    pub fn settle(&mut self) -> Vec<Event> {
        if !self.past.is_on() {
            return Vec::new();
        }
        self.identify_all();
        let at = self.began.elapsed();
        let mended = self.past.end(self.tracker.sites(), at, SystemTime::now());
        self.mended(mended)
    }

    fn identify_all(&mut self) {
        let all = self.tracker.sites().len();
        if self.identified == all {
            return;
        }
        let mut left = AT_ONCE;
        let mut unknown = 0;
        for site in self.tracker.sites() {
            let name = self.names.site(site.pc, site.start);
            if names::is_system(&name.start.function) || site.start.is_none() {
                unknown += usize::from(site.start.is_none());
                continue;
            }
            let names = &mut self.names;
            let is_new = self
                .past
                .identify(site.pc, || names.remembered(site.pc, site.start));
            left -= usize::from(is_new);
            if left == 0 {
                return;
            }
        }
        self.identified = all - unknown;
    }

    fn identify(&mut self, site: &Site) {
        let names = &mut self.names;
        self.past
            .identify(site.pc, || names.remembered(site.pc, site.start));
    }

    fn mended(&mut self, mended: Vec<Mended>) -> Vec<Event> {
        let mut events = Vec::new();
        for Mended { site, evidence } in mended {
            let Some(site) = self.tracker.get(site) else {
                continue;
            };
            let resolved = Resolved {
                site: self.names.site(site.pc, site.start).clone(),
                live: site.alive(),
                evidence,
                state: "verified",
            };
            events.push(self.event(EventKind::Resolved(resolved)));
        }
        events
    }
}
