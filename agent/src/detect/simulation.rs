//! The rules against sites that exist as numbers only.

use std::time::Duration;

use gostray_common::LIFETIME_BUCKETS;

use super::{
    Accumulation, Backlog, Change, Incidents, Judgement, Outliving, Rule, Standing, Verdict, judge,
    pattern::Pattern,
};
use crate::{
    runtime::Purpose,
    track::{AGES, Accuracy, Counts, Goids, Lifetimes, Older, Sample, Sampled, Site},
};

/// A goroutine: when it was created and when it ended, in seconds since it was first watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Life {
    pub(super) born: f64,
    pub(super) died: f64,
    /// It runs so often, in seconds.
    pub(super) runs_every: f64,
    pub(super) waiting: Purpose,
}

impl Life {
    /// One that waits for others until it ends.
    pub(super) fn new(born: f64, lasts: f64) -> Self {
        Self {
            born,
            died: born + lasts,
            runs_every: f64::INFINITY,
            waiting: Purpose::Others,
        }
    }

    /// One that never ends.
    pub(super) fn lost(born: f64) -> Self {
        Self::new(born, f64::INFINITY)
    }
}

/// What was reported when, in seconds; `None` stands for resolved.
pub(super) type Reports = Vec<(f64, Option<Verdict>)>;

/// Watches a site with these goroutines, looking at it at `moments`.
pub(super) fn watch(lives: &[Life], moments: impl IntoIterator<Item = f64>) -> Reports {
    watch_pattern(lives, moments, None, exactly)
}

/// The same by passes at `moments`, which know ages by the numbers that had been given out at them, and
/// each second between them.
pub(super) fn watch_numbers(lives: &[Life], moments: impl IntoIterator<Item = f64>) -> Reports {
    let mut goids = Goids::default();
    let mut next = 0_u32;
    let since = move |now: f64, age: Duration| {
        let at = Duration::from_secs_f64(now);
        while f64::from(next) < now {
            goids.push_between(Duration::from_secs(next.into()), 1 + u64::from(next) * 1000);
            next += 1;
        }
        // A thousand numbers a second.
        let number = |at: Duration| 1 + at.as_millis() as u64;
        if goids.last() != number(at) {
            goids.push(at, number(at));
        }
        let old = at.checked_sub(age).map_or(1, |then| goids.at(then));
        (old - 1) as f64 / 1e3
    };
    watch_pattern(lives, moments, None, since)
}

/// Who was created before this moment is older than `age` at `now`.
fn exactly(now: f64, age: Duration) -> f64 {
    now - age.as_secs_f64()
}

/// The same of goroutines that all wait in one queue.
pub(super) fn watch_queue(lives: &[Life], moments: impl IntoIterator<Item = f64>) -> Reports {
    watch_pattern(lives, moments, Some(Pattern::UnboundedFanOut), exactly)
}

fn watch_pattern(
    lives: &[Life],
    moments: impl IntoIterator<Item = f64>,
    pattern: Option<Pattern>,
    mut since: impl FnMut(f64, Duration) -> f64,
) -> Reports {
    let rules: Vec<Box<dyn Rule>> = vec![
        Box::new(Accumulation),
        Box::new(Outliving),
        Box::new(Backlog),
        Box::new(Standing),
    ];
    let mut site = Site::new(0x1000, counts(lives, 0.0));
    let mut incidents = Incidents::default();
    let mut reports = Vec::new();
    for now in moments {
        observe(&mut site, lives, now, AGES.map(|age| since(now, age)));
        let at = Duration::from_secs_f64(now);
        let (judgement, _) = judge(&rules, &site);
        let judgement = match judgement {
            // Whoever waits for the clock goes round for ever: the worst case.
            Judgement::Leak(finding) => {
                let is_loop = site.rest.waiting() == Some(Purpose::Clock);
                let pattern = is_loop.then_some(Pattern::TimerLoop).or(pattern);
                Judgement::Leak(finding.with_pattern(pattern))
            }
            other => other,
        };
        match incidents.update(&site, judgement, at) {
            Some(Change::Leaks(finding)) => reports.push((now, Some(finding.verdict))),
            Some(Change::Resolved(_)) => reports.push((now, None)),
            None => {}
        }
    }
    reports
}

/// Once a second for so many seconds.
pub(super) fn each_second(seconds: u32) -> impl Iterator<Item = f64> {
    (0..seconds).map(f64::from)
}

/// When `verdict`, or a surer one, was reported first.
pub(super) fn first(reports: &Reports, verdict: Verdict) -> Option<f64> {
    let reported = reports.iter().find(|(_, it)| *it >= Some(verdict));
    reported.map(|(at, _)| *at)
}

fn counts(lives: &[Life], now: f64) -> Counts {
    let number = |of: &dyn Fn(&Life) -> bool| lives.iter().filter(|life| of(life)).count() as u64;
    let created = number(&|life| life.born > 0.0 && life.born <= now);
    let exited = number(&|life| life.born > 0.0 && life.died <= now);
    Counts {
        created,
        exited,
        live: created - exited,
        exited_older: number(&|life| life.born <= 0.0 && life.died <= now && life.died > 0.0),
        accuracy: Accuracy::Exact,
    }
}

fn observe(site: &mut Site, lives: &[Life], now: f64, since: [f64; AGES.len()]) {
    site.counts = counts(lives, now);
    let older = |life: &&Life| life.born <= 0.0;
    let living: Vec<(usize, &Life)> = (0..)
        .zip(lives)
        .filter(|(_, life)| life.born <= now && life.died > now)
        .collect();
    // As in the census: who was there before counts as old from the beginning.
    let survivors = since.map(|since| {
        let old = |life: &Life| life.born <= 0.0 || life.born < since;
        living.iter().filter(|(_, life)| old(life)).count() as u64
    });
    let at_first = lives.iter().filter(older).filter(|life| life.died > 0.0);
    site.older = Some(Older {
        at_first: at_first.count() as u64,
        now: living.iter().filter(|(_, life)| older(life)).count() as u64,
        blocked: living
            .iter()
            .filter(|(_, life)| life.waiting == Purpose::Others)
            .count() as u64,
        watched: Duration::from_secs_f64(now),
    });
    site.lifetimes = lifetimes(lives, now);
    let mut sample = Sample::default();
    for (goid, life) in &living {
        if life.born <= 0.0 || now - life.born > AGES[0].as_secs_f64() {
            let times = ((now - life.born) / life.runs_every).floor();
            sample.offer(Sampled {
                goid: 1 + *goid as u64,
                runs: (times as u64 % 256) as u8,
                waiting: life.waiting,
            });
        }
    }
    let at = Duration::from_secs_f64(now);
    site.rest.observe(at, &sample);
    site.series.push(at, site.counts.created, survivors);
}

fn lifetimes(lives: &[Life], now: f64) -> Lifetimes {
    let mut buckets = [0; LIFETIME_BUCKETS];
    let mut longest = 0;
    for life in lives {
        if life.born > 0.0 && life.died <= now {
            let ns = ((life.died - life.born) * 1e9).max(1.0) as u64;
            buckets[(ns.ilog2() as usize).min(LIFETIME_BUCKETS - 1)] += 1;
            longest = longest.max(ns);
        }
    }
    Lifetimes::new(buckets, longest)
}
