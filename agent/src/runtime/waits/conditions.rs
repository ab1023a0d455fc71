//! Who waits on which condition, before Go 1.26.
//!
//! Nothing in the `g` leads to the `sync.Cond`, but `Wait` holds it in its frame, and its list
//! of waiters holds the goroutine.

use std::collections::{HashMap, HashSet};

use super::{
    Found, Kind, Wait, Waiter, is_pointer,
    layout::{Condition, Sudog},
    word,
};
use crate::{
    binary::RuntimeAddress,
    memory::{CachedPages, Extent, MemoryReader},
};

/// Waiters followed in one pass, on all the lists there are and on what only looks like one.
const MAX_WAITERS: usize = 1 << 22;

/// What has been learnt of conditions in this pass.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// The `g`s on a condition's list: the address of the list, and the sudog.
    lists: HashMap<u64, (RuntimeAddress, RuntimeAddress)>,
    /// Waiters followed so far.
    followed: usize,
}

impl Conditions {
    /// Forgets all lists, but not how much was followed.
    pub(super) fn forget(&mut self) {
        self.lists.clear();
    }

    /// Tells the conditions of those that wait on one.
    pub(super) fn resolve(
        &mut self,
        memory: &impl MemoryReader,
        condition: Condition,
        sudog: Sudog,
        waiters: &[Waiter],
        found: &mut impl FnMut(usize, Found),
    ) {
        let waiting = || {
            let without_sudog = |w: &&Waiter| w.kind == Kind::Condition && w.sudog == 0;
            waiters.iter().filter(without_sudog)
        };
        // Who is on the list of another's condition needs no search of its own.
        for waiter in waiting() {
            if !self.lists.contains_key(&waiter.g.0) {
                self.search(memory, condition, sudog, waiter);
            }
        }
        for waiter in waiting() {
            if let Some((address, sudog)) = self.lists.get(&waiter.g.0).copied() {
                found(waiter.subject, Found::Sudog(sudog));
                found(waiter.subject, Found::Wait(Wait::Condition { address }));
                found(waiter.subject, Found::Complete);
            }
        }
    }

    /// Looks for a list with this goroutine on it among what its stack points to.
    fn search(
        &mut self,
        memory: &impl MemoryReader,
        condition: Condition,
        sudog: Sudog,
        waiter: &Waiter,
    ) {
        let lists: Vec<RuntimeAddress> = waiter
            .words
            .iter()
            .filter_map(|word| RuntimeAddress(*word).checked_add(condition.list.into()))
            .collect();
        let extents = Extent::each(lists.iter().copied(), condition.list_size as usize);
        let mut heads = Vec::new();
        memory.read_extents(&extents, &mut |index, bytes| {
            let head = bytes.map_or(0, |bytes| word(bytes, condition.head));
            if is_pointer(head) {
                heads.push((lists[index], head));
            }
        });
        for (list, head) in heads {
            let left = MAX_WAITERS.saturating_sub(self.followed);
            let members = members(memory, sudog, head, left);
            self.followed += members.len();
            if members.iter().any(|(g, _)| *g == waiter.g.0) {
                let members = members.into_iter();
                self.lists
                    .extend(members.map(|(g, sudog)| (g, (list, sudog))));
                return;
            }
        }
    }
}

/// The `g`s on the list that begins with `head`, each with its sudog, at most `left` of them.
fn members(
    memory: &impl MemoryReader,
    layout: Sudog,
    head: u64,
    left: usize,
) -> Vec<(u64, RuntimeAddress)> {
    let memory = CachedPages::new(memory);
    let mut bytes = vec![0; layout.size as usize];
    let mut gs = Vec::new();
    // A list that is changed meanwhile may lead back.
    let mut seen = HashSet::new();
    let mut sudog = head;
    while gs.len() < left
        && is_pointer(sudog)
        && seen.insert(sudog)
        && memory.read(RuntimeAddress(sudog), &mut bytes).is_ok()
    {
        let g = word(&bytes, layout.g);
        if !is_pointer(g) {
            break;
        }
        gs.push((g, RuntimeAddress(sudog)));
        sudog = word(&bytes, layout.next);
    }
    gs
}
