//! From `g.waiting` to channels, semaphores and conditions, and from sleepers to their timers.

// For each goroutine on a channel there is one look-up.
use hashbrown::HashMap;

use super::{Found, Kind, Wait, WaitLayout, Waiter, word};
use crate::{
    binary::{RuntimeAddress, bytes::u16_at},
    memory::{Extent, MemoryReader},
};

/// Cases of one select that are followed. Go allows 65,536 and people write three.
const MAX_CASES: usize = 1024;

/// What one sudog of a goroutine leads to.
struct Link {
    waiter: usize,
    sudog: RuntimeAddress,
}

/// Follows the lists of sudogs, all goroutines' one step at a time.
pub(super) fn resolve(
    memory: &impl MemoryReader,
    layout: &WaitLayout,
    waiters: &[Waiter],
    found: &mut impl FnMut(usize, Found),
) {
    let mut channels: Vec<(usize, RuntimeAddress)> = Vec::new();
    // Whose list was followed to its end.
    let mut ended = vec![false; waiters.len()];
    let mut links: Vec<Link> = waiters
        .iter()
        .enumerate()
        .filter(|(_, waiter)| waiter.sudog != 0)
        .map(|(index, waiter)| Link {
            waiter: index,
            sudog: RuntimeAddress(waiter.sudog),
        })
        .collect();
    for _ in 0..MAX_CASES {
        if links.is_empty() {
            break;
        }
        let sudogs = links.iter().map(|link| link.sudog);
        let extents = Extent::each(sudogs, layout.sudog.size as usize);
        let mut next = Vec::new();
        memory.read_extents(&extents, &mut |index, bytes| {
            let (link, Ok(bytes)) = (&links[index], bytes) else {
                return;
            };
            let waiter = &waiters[link.waiter];
            // A sudog that was given to another goroutine meanwhile leads elsewhere.
            if word(bytes, layout.sudog.g) != waiter.g.0 {
                return;
            }
            let channel = RuntimeAddress(word(bytes, layout.sudog.c));
            let element = RuntimeAddress(word(bytes, layout.sudog.elem));
            found(waiter.subject, Found::Sudog(link.sudog));
            match waiter.kind {
                Kind::Channels | Kind::Select if channel.0 != 0 => {
                    channels.push((link.waiter, channel));
                    let sudog = RuntimeAddress(word(bytes, layout.sudog.waitlink));
                    // A list that is changed meanwhile may lead back.
                    if sudog.0 == 0 {
                        ended[link.waiter] = true;
                    } else if sudog != link.sudog && sudog.0 != waiter.sudog {
                        next.push(Link {
                            waiter: link.waiter,
                            sudog,
                        });
                    }
                }
                Kind::Semaphore if element.0 != 0 => {
                    found(
                        waiter.subject,
                        Found::Wait(Wait::Semaphore { address: element }),
                    );
                    found(waiter.subject, Found::Complete);
                }
                Kind::Condition if element.0 != 0 => {
                    found(
                        waiter.subject,
                        Found::Wait(Wait::Condition { address: element }),
                    );
                    found(waiter.subject, Found::Complete);
                }
                _ => {}
            }
        });
        links = next;
    }
    tell_channels(memory, layout, waiters, &channels, &mut ended, found);
    for (waiter, _) in waiters.iter().zip(ended).filter(|(_, ended)| *ended) {
        found(waiter.subject, Found::Complete);
    }
}

/// Reads each channel once, and the timers that some belong to. Who waits on one that cannot be read
/// has not `ended`.
fn tell_channels(
    memory: &impl MemoryReader,
    layout: &WaitLayout,
    waiters: &[Waiter],
    channels: &[(usize, RuntimeAddress)],
    ended: &mut [bool],
    found: &mut impl FnMut(usize, Found),
) {
    let mut distinct: Vec<RuntimeAddress> = channels.iter().map(|(_, channel)| *channel).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let extents = Extent::each(distinct.iter().copied(), layout.channel.size as usize);
    let mut read = HashMap::with_capacity(distinct.len());
    let mut timers = Vec::new();
    memory.read_extents(&extents, &mut |index, bytes| {
        let Ok(bytes) = bytes else { return };
        let (length, capacity) = (
            word(bytes, layout.channel.qcount),
            word(bytes, layout.channel.dataqsiz),
        );
        let element_size = u16_at(bytes, layout.channel.element_size.into()).unwrap_or(0);
        // What has more in it than it has room for is no channel any more.
        if length <= capacity {
            let timer = layout.channel.timer.map_or(0, |at| word(bytes, at));
            read.insert(distinct[index], (length, capacity, element_size, timer));
            if timer != 0 {
                timers.push(RuntimeAddress(timer));
            }
        }
    });
    let times = timer_times(memory, layout, timers.into_iter());
    for (waiter, address) in channels {
        let Some((length, capacity, element_size, timer)) = read.get(address).copied() else {
            ended[*waiter] = false;
            continue;
        };
        let subject = waiters[*waiter].subject;
        let address = *address;
        found(
            subject,
            Found::Wait(Wait::Channel {
                address,
                length,
                capacity,
                element_size,
            }),
        );
        if let Some(at_ns) = times.get(&RuntimeAddress(timer)).copied() {
            found(subject, Found::Wait(Wait::Timer { at_ns }));
        }
    }
}

/// When those that sleep are to wake.
pub(super) fn sleepers(
    memory: &impl MemoryReader,
    layout: &WaitLayout,
    waiters: &[Waiter],
    found: &mut impl FnMut(usize, Found),
) {
    let sleeping = || waiters.iter().filter(|w| w.kind == Kind::Sleep);
    let by_timer = sleeping().filter(|w| w.sleep_until == 0 && w.timer != 0);
    let times = timer_times(memory, layout, by_timer.map(|w| RuntimeAddress(w.timer)));
    for waiter in sleeping() {
        let known = (waiter.sleep_until != 0).then_some(waiter.sleep_until);
        let timer = RuntimeAddress(waiter.timer);
        if let Some(at_ns) = known.or_else(|| times.get(&timer).copied()) {
            found(waiter.subject, Found::Wait(Wait::Timer { at_ns }));
        }
    }
}

fn timer_times(
    memory: &impl MemoryReader,
    layout: &WaitLayout,
    timers: impl Iterator<Item = RuntimeAddress>,
) -> HashMap<RuntimeAddress, u64> {
    let (timers, times_at): (Vec<_>, Vec<_>) = timers
        .filter_map(|timer| Some((timer, timer.checked_add(layout.timer_when.into())?)))
        .unzip();
    let mut times = HashMap::new();
    memory.read_extents(&Extent::each(times_at, 8), &mut |index, bytes| {
        // 0 is a timer that was never set.
        if let Ok(bytes) = bytes
            && let when @ 1.. = word(bytes, 0)
        {
            times.insert(timers[index], when);
        }
    });
    times
}
