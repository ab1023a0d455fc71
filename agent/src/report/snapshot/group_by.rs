//! Groups of a snapshot merged into larger ones.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    str::FromStr,
};

use super::{Group, Snapshot, Waited, WaitsOn};
use crate::report::Place;

/// How the reason begins for which a field of merged groups is null.
pub(super) const DIFFERS: &str = "differs within the group";

/// State of a group whose goroutines are in different ones.
const MIXED: &str = "mixed";

/// Goroutines named, and things they wait on, for each group.
const EXAMPLES: usize = 10;

/// What goroutines of a group have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GroupBy {
    /// Creation site, started function, what they wait for, stack, and pprof labels.
    #[default]
    All,
    /// The same but for the labels: what a leak is known by.
    Unlabelled,
    /// The `go` statement.
    Site,
    /// The stack; of those without one, the started function.
    Stack,
    /// What they wait for, or the state of those that do not wait.
    State,
    /// The value of the pprof label of this name; those without it are a group too.
    Label(String),
}

impl FromStr for GroupBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.split_once(':')) {
            ("site", _) => Ok(Self::Site),
            ("stack", _) => Ok(Self::Stack),
            ("state", _) => Ok(Self::State),
            (_, Some(("label", key))) if !key.is_empty() => Ok(Self::Label(key.into())),
            _ => Err("groups can be made by site, stack, state or label:KEY".into()),
        }
    }
}

/// What is the same for all goroutines of a merged group, and for it alone. It is the same after
/// merging as before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Key {
    created_at: Option<Place>,
    start: Option<Place>,
    waits: Option<String>,
    stack: Option<Vec<Place>>,
    label: Option<String>,
    labels: Option<BTreeMap<String, String>>,
}

impl GroupBy {
    pub(super) fn key(&self, group: &Group) -> Key {
        let mut key = Key::default();
        match self {
            Self::All | Self::Unlabelled => {
                key.created_at.clone_from(&group.created_at);
                key.start = Some(group.start.clone());
                key.waits = Some(group.waits().into());
                key.stack.clone_from(&group.stack);
                if *self == Self::All {
                    key.labels.clone_from(&group.labels);
                }
            }
            Self::Site => match &group.created_at {
                Some(place) => key.created_at = Some(place.clone()),
                None => key.start = Some(group.start.clone()),
            },
            Self::Stack => match &group.stack {
                Some(stack) => key.stack = Some(stack.clone()),
                None => key.start = Some(group.start.clone()),
            },
            Self::State => key.waits = Some(group.waits().into()),
            Self::Label(name) => {
                key.label = group.labels.as_ref().and_then(|all| all.get(name)).cloned();
            }
        }
        key
    }
}

impl Snapshot {
    /// Merges groups that are the same as far as `by` says, the largest first. A field in which
    /// they differ becomes null, with the reason in [`Group::unknown`]; `state` becomes `mixed`,
    /// `start` that of the most goroutines, and of the labels those are left that all of them
    /// have.
    pub fn group_by(&mut self, by: &GroupBy) {
        let mut places: HashMap<Key, usize> = HashMap::new();
        let mut parts: Vec<Vec<Group>> = Vec::new();
        for group in self.groups.drain(..) {
            let place = *places.entry(by.key(&group)).or_insert(parts.len());
            if place == parts.len() {
                parts.push(Vec::new());
            }
            parts[place].push(group);
        }
        self.groups = parts.into_iter().filter_map(merged).collect();
        self.groups
            .sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.goids.cmp(&b.goids)));
    }
}

fn merged(mut parts: Vec<Group>) -> Option<Group> {
    // What is kept of one of them is kept of the largest.
    parts.sort_by_key(|part| std::cmp::Reverse(part.count));
    let mut parts = parts.into_iter();
    let mut whole = parts.next()?;
    let mut starts: BTreeMap<Place, u64> = BTreeMap::from([(whole.start.clone(), whole.count)]);
    let mut things = std::mem::take(&mut whole.waits_on);
    for mut part in parts {
        *starts.entry(part.start.clone()).or_default() += part.count;
        things.append(&mut part.waits_on);
        whole.absorb(part);
    }
    whole.waits_on = summed(things);
    if starts.len() > 1
        && let Some((start, _)) = starts.into_iter().max_by_key(|(_, count)| *count)
    {
        whole.start = start;
        whole.unknown.insert(
            "start",
            format!("{DIFFERS}; shown is what most of them started with"),
        );
    }
    Some(whole)
}

impl Group {
    fn absorb(&mut self, other: Self) {
        self.count += other.count;
        self.stack_bytes += other.stack_bytes;
        self.locked_to_thread += other.locked_to_thread;
        self.locked_threads.extend(other.locked_threads);
        self.locked_threads.sort_unstable();
        self.locked_threads.truncate(EXAMPLES);
        self.system &= other.system;
        if self.state != other.state {
            self.state = MIXED.into();
        }
        let unknown = &mut self.unknown;
        for (field, reason) in other.unknown {
            unknown.entry(field).or_insert(reason);
        }
        let mut differs = |field, same: bool| {
            if !same {
                unknown.insert(field, DIFFERS.into());
            }
            same
        };
        if !differs("wait_reason", self.wait_reason == other.wait_reason) {
            self.wait_reason = None;
        }
        if !differs("created_at", self.created_at == other.created_at) {
            self.created_at = None;
        }
        if !differs("stack", self.stack == other.stack) {
            self.stack = None;
        }
        if !differs("labels", self.labels == other.labels) {
            self.labels = common(self.labels.take(), other.labels.as_ref());
        }
        // Of those of which it is known.
        self.oldest_seconds = max(self.oldest_seconds, other.oldest_seconds);
        self.age_seconds = max(self.age_seconds, other.age_seconds);
        if self.oldest_seconds.is_some() {
            unknown.remove("oldest_seconds");
        }
        if self.age_seconds.is_some() {
            unknown.remove("age_seconds");
        }
        let mut ids = family(&self.goids, &self.parent_goids);
        ids.extend(family(&other.goids, &other.parent_goids));
        ids.sort_unstable();
        ids.truncate(EXAMPLES);
        (self.goids, self.parent_goids) = ids.into_iter().unzip();
    }
}

/// Goroutines with their parents. A snapshot of an older gostray names no parents.
fn family(goids: &[u64], parents: &[u64]) -> Vec<(u64, u64)> {
    let parents = parents.iter().chain(std::iter::repeat(&0));
    goids.iter().copied().zip(parents.copied()).collect()
}

/// Each thing once, those first that most wait on.
fn summed(things: Vec<WaitsOn>) -> Vec<WaitsOn> {
    let mut places = HashMap::new();
    let mut sums: Vec<WaitsOn> = Vec::new();
    for thing in things {
        let place = *places.entry(identity(&thing.what)).or_insert(sums.len());
        let Some(sum) = sums.get_mut(place) else {
            sums.push(thing);
            continue;
        };
        sum.count += thing.count;
        // There is one clock: of all who wait for it, the next that it wakes.
        if let (
            Waited::Timer { wakes_in_seconds },
            Waited::Timer {
                wakes_in_seconds: other,
            },
        ) = (&mut sum.what, thing.what)
        {
            *wakes_in_seconds = wakes_in_seconds.min(other);
        }
    }
    sums.sort_by_key(|sum| std::cmp::Reverse(sum.count));
    sums.truncate(EXAMPLES);
    sums
}

/// What tells a thing from others. The length of a channel does not: it changes while goroutines
/// are read.
fn identity(what: &Waited) -> (std::mem::Discriminant<Waited>, String) {
    let name = match what {
        Waited::Channel { address, .. }
        | Waited::Mutex { address }
        | Waited::RwMutex { address }
        | Waited::WaitGroup { address }
        | Waited::Cond { address }
        | Waited::Semaphore { address } => address.clone(),
        Waited::Network { fd, .. } => fd.to_string(),
        Waited::NilChannel | Waited::Timer { .. } => String::new(),
    };
    (std::mem::discriminant(what), name)
}

fn max(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}

/// The labels of both.
fn common(
    labels: Option<BTreeMap<String, String>>,
    others: Option<&BTreeMap<String, String>>,
) -> Option<BTreeMap<String, String>> {
    let mut labels = labels?;
    labels.retain(|key, value| others.and_then(|others| others.get(key)) == Some(value));
    (!labels.is_empty()).then_some(labels)
}
