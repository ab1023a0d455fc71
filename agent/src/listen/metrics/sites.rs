//! Which creation sites of a process are told apart.
//!
//! The number of series is bounded: of each process so many sites, and of all processes so many. What is
//! not told apart is summed, as `other`, and those of the runtime itself as `runtime`. Counters may only
//! rise, and so:
//!
//! - A site once told apart stays so, until its process ends or there are so many processes that each has
//!   room for fewer. A site that leaks is taken in whenever that is found out; for those there is as much room again.
//! - What a site had counted when it was taken out of `other` stays there: its own counters begin at
//!   nothing, and `other` does not fall. What a site counts while it is told apart is never part of `other`,
//!   also after it went back. So the sum of all rises by what happened, once.

use std::{
    collections::{HashMap, HashSet},
    time::SystemTime,
};

use super::{counts::Counts, labels::SiteLabels};
use crate::report::{
    SiteCounts,
    node::{NodeSample, TargetSample},
};

/// All processes.
#[derive(Debug)]
pub(super) struct Selections {
    sites: usize,
    of_all: usize,
    targets: HashMap<i32, Selection>,
}

/// One process.
#[derive(Debug)]
struct Selection {
    /// Since when it is counted, and when it was started: the counts are others' after that.
    counted: (SystemTime, SystemTime),
    apart: HashMap<String, Apart>,
    other: Rest,
    runtime: Rest,
}

/// A site that is told apart.
#[derive(Debug)]
struct Apart {
    /// What it had counted before, which is part of `other`.
    before: Counts,
    /// As told last.
    told: Counts,
    /// It was taken in because it leaks.
    leaks: bool,
}

/// Sites in sum.
#[derive(Debug)]
struct Rest {
    /// There has been one.
    any: bool,
    /// Counted here by sites that are told apart by now.
    left: Counts,
    /// Counted by sites of this sum while they were told apart.
    elsewhere: Counts,
    /// As told last.
    told: Counts,
}

/// What is told of a process.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) lines: Vec<Line>,
    /// Sites there are.
    pub(super) sites: u64,
}

/// One site, or some in sum.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) site: SiteLabels,
    pub(super) live: u64,
    /// `None` where it is of no site known.
    pub(super) older: Option<u64>,
    pub(super) counts: Counts,
}

impl Selections {
    pub(super) fn new(sites: usize, of_all: usize) -> Self {
        Self {
            sites,
            of_all,
            targets: HashMap::new(),
        }
    }

    /// What to tell, for each target of the sample.
    pub(super) fn choose(&mut self, node: &NodeSample) -> Vec<Chosen> {
        let room = self.of_all / node.targets.len().max(1);
        let room = room.clamp(1, self.sites);
        let alive: HashSet<_> = node.targets.iter().map(|t| t.target.pid).collect();
        self.targets.retain(|pid, _| alive.contains(pid));
        let choose = |target: &TargetSample| {
            let counted = (target.began, target.target.started);
            let selection = self
                .targets
                .entry(target.target.pid)
                .or_insert_with(|| Selection::new(counted));
            if selection.counted != counted {
                *selection = Selection::new(counted);
            }
            selection.choose(target, room)
        };
        node.targets.iter().map(choose).collect()
    }
}

impl Selection {
    fn new(counted: (SystemTime, SystemTime)) -> Self {
        Self {
            counted,
            apart: HashMap::new(),
            other: Rest::none(),
            runtime: Rest::none(),
        }
    }

    fn choose(&mut self, target: &TargetSample, room: usize) -> Chosen {
        let sites = &target.status.sites;
        self.make_room(target, room);
        self.take_in(target, room);
        let mut chosen = Chosen {
            lines: Vec::new(),
            sites: sites.len() as u64,
        };
        let mut by_labels = HashMap::new();
        let (mut other, mut runtime) = (Sum::none(), Sum::none());
        for site in sites {
            if site.system {
                runtime.add(site);
                continue;
            }
            let Some(apart) = self.apart.get_mut(&site.site.id) else {
                other.add(site);
                continue;
            };
            let mut counts = Counts::of(site);
            counts.subtract(&apart.before);
            apart.told.raise(&counts);
            let labels = SiteLabels::of(&site.site);
            // Two `go` statements in one line are one site to those who read their names only.
            let line = *by_labels.entry(labels.clone()).or_insert_with(|| {
                chosen.lines.push(Line::none(labels));
                chosen.lines.len() - 1
            });
            let line = &mut chosen.lines[line];
            line.live += site.live;
            line.older = added(line.older, site.older);
            line.counts.add(&apart.told);
        }
        chosen.lines.extend(self.other.line("other", other));
        chosen.lines.extend(self.runtime.line("runtime", runtime));
        chosen
    }

    /// Puts back those with the fewest goroutines, where there is less room than there was.
    fn make_room(&mut self, target: &TargetSample, room: usize) {
        for leaks in [true, false] {
            let too_many = self.taken(leaks).saturating_sub(room);
            if too_many == 0 {
                continue;
            }
            // In the order of the sample: most goroutines first.
            let last = target.status.sites.iter().rev();
            let of_kind = last.filter(|site| {
                let apart = self.apart.get(&site.site.id);
                apart.is_some_and(|apart| apart.leaks == leaks)
            });
            for site in of_kind.take(too_many).collect::<Vec<_>>() {
                let id = &site.site.id;
                let stays = self.taken(!leaks) < room
                    && (leaks || target.status.leaks.iter().any(|leak| leak.id == *id));
                if stays && let Some(apart) = self.apart.get_mut(id) {
                    apart.leaks = !leaks;
                } else {
                    self.put_back(id);
                }
            }
        }
    }

    fn put_back(&mut self, id: &str) {
        if let Some(apart) = self.apart.remove(id) {
            // As far as it was told: what came since is told of the others.
            self.other.elsewhere.add(&apart.told);
            // What it had counted before comes back with the site itself.
            self.other.left.subtract(&apart.before);
            self.other.any = true;
        }
    }

    /// How many are told apart because they leak, or for another reason.
    fn taken(&self, leaks: bool) -> usize {
        let of_kind = self.apart.values().filter(|apart| apart.leaks == leaks);
        of_kind.count()
    }

    fn take_in(&mut self, target: &TargetSample, room: usize) {
        let sites = &target.status.sites;
        let most = sites.iter().filter(|site| !site.system);
        let free = |leaks| room.saturating_sub(self.taken(leaks));
        let mut wanted: Vec<(&SiteCounts, bool)> = Vec::new();
        let first = most.filter(|site| !self.apart.contains_key(&site.site.id));
        wanted.extend(first.take(free(false)).map(|site| (site, false)));
        let mut leaking: HashSet<&str> = HashSet::new();
        for leak in &target.status.leaks {
            let known = self.apart.contains_key(&leak.id)
                || wanted.iter().any(|(site, _)| site.site.id == leak.id);
            if !known && leaking.len() < free(true) {
                leaking.insert(&leak.id);
            }
        }
        let leaks = sites.iter().filter(|s| leaking.contains(&*s.site.id));
        wanted.extend(leaks.map(|site| (site, true)));
        for (site, leaks) in wanted {
            // As long as nothing was ever told in sum, nothing can have been counted there.
            let before = if self.other.any {
                Counts::of(site)
            } else {
                Counts::none()
            };
            self.other.left.add(&before);
            let told = Counts::none();
            let apart = Apart {
                before,
                told,
                leaks,
            };
            self.apart.insert(site.site.id.clone(), apart);
        }
    }
}

impl Line {
    fn none(site: SiteLabels) -> Self {
        Self {
            site,
            live: 0,
            older: None,
            counts: Counts::none(),
        }
    }
}

/// Sites of one moment.
struct Sum {
    sites: usize,
    live: u64,
    older: Option<u64>,
    counts: Counts,
}

impl Sum {
    fn none() -> Self {
        Self {
            sites: 0,
            live: 0,
            older: None,
            counts: Counts::none(),
        }
    }

    fn add(&mut self, site: &SiteCounts) {
        self.sites += 1;
        self.live += site.live;
        self.older = added(self.older, site.older);
        self.counts.add_site(site);
    }
}

impl Rest {
    fn none() -> Self {
        Self {
            any: false,
            left: Counts::none(),
            elsewhere: Counts::none(),
            told: Counts::none(),
        }
    }

    /// The sum, if there has ever been something in it.
    fn line(&mut self, name: &'static str, mut now: Sum) -> Option<Line> {
        self.any |= now.sites > 0;
        if !self.any {
            return None;
        }
        now.counts.add(&self.left);
        now.counts.subtract(&self.elsewhere);
        self.told.raise(&now.counts);
        Some(Line {
            site: SiteLabels::sum(name),
            live: now.live,
            older: now.older,
            counts: self.told.clone(),
        })
    }
}

fn added(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0) + b.unwrap_or(0)),
    }
}
