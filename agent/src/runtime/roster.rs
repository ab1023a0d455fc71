//! All goroutines at the beginning of a pass, and at its end who has not moved.
//!
//! What is read in between (stacks, what they wait on, the heap) belongs to one state of a goroutine
//! only if that goroutine rested all the time, so nobody is taken to rest without being asked for
//! again behind everything else.

use std::{ops::Range, thread, time::Duration};

use hashbrown::HashMap;

use super::{
    AllGoroutines, GoroutineState, Wait, Waits,
    goroutine::{RawG, size_of_g},
    layout::GoroutineLayout,
    state::SCAN_BIT,
    waits::{Found, Waiter},
};
use crate::{
    binary::RuntimeAddress,
    memory::{Extent, MemoryError, MemoryReader},
};

/// `g`s read together: 4 MiB of them.
const BATCH: usize = 8192;
/// How often a `g` is read whose stack is just being looked at or moved.
const ATTEMPTS: u32 = 16;
/// The first of them follow one another at once, the others after longer and longer pauses: 45 ms in all.
const PATIENT: u32 = 7;
const PAUSE: Duration = Duration::from_millis(1);

/// A goroutine at the moment at which its `g` was read. Small, because there may be 200,000.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number, never used again in this process.
    pub goid: u64,
    /// The address of its `g`, which is used again when it has ended.
    pub address: RuntimeAddress,
    /// The lowest address of its stack.
    pub stack_low: RuntimeAddress,
    /// One past the highest; equal to `stack_low` where it has none.
    pub stack_high: RuntimeAddress,
    /// Where it will go on; 0 unless it `rests`.
    pub pc: RuntimeAddress,
    /// Its stack pointer there; 0 unless it `rests`.
    pub sp: RuntimeAddress,
    /// Its frame pointer; 0 where it is not kept.
    pub bp: u64,
    /// `g.sched.ctxt`: a word that may be a pointer.
    pub context: u64,
    /// `g._defer`: its innermost deferred call, on its stack or in the heap; 0 for none.
    pub defer: u64,
    /// `g.xRegs`: where the vector registers of one that was stopped from outside are kept, if not on its
    /// stack; 0 for nowhere.
    pub extended_registers: u64,
    /// `g._panic`: its innermost panic, on its stack; 0 for none.
    pub panic: u64,
    /// `g.waiting`: the first of its sudogs where the release keeps them there; else 0.
    pub waiting: u64,
    /// When a garbage collection first saw it wait (`CLOCK_MONOTONIC`, nanoseconds), or 0. It is set
    /// to 0 again when it goes on (`execute` in `src/runtime/proc.go`).
    pub waiting_since_ns: u64,
    /// Places of what it waits on in [`Roster::waits`].
    waits: Range<u32>,
    /// Places of its sudogs in [`Roster::sudogs`].
    sudogs: Range<u32>,
    /// What it does.
    pub state: GoroutineState,
    /// The runtime's `waitReason`; meaningful while it waits.
    pub wait_reason: u8,
    /// `g.trackingSeq`: rises each time it stops running, modulo 256.
    pub runs: u8,
    /// Whether it does not run, so that its stack from `sp` on can be read.
    pub rests: bool,
    /// Whether [`Roster::waits`] has all that it waits on, and [`Roster::sudogs`] all its sudogs.
    /// Where this is false it may wait on more.
    pub waits_are_complete: bool,
}

/// All goroutines, each at some moment of [`Roster::take`].
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// All that are alive, in any order.
    pub goroutines: Vec<Member>,
    /// `g`s that could not be read, though there may be a goroutine in them: nobody knows what
    /// their stacks hold.
    pub unread: Vec<RuntimeAddress>,
    waits: Vec<Wait>,
    sudogs: Vec<RuntimeAddress>,
}

/// Who has not rested between [`Roster::take`] and [`Roster::moved`]. All others were where they
/// were all the time, and so were their stacks.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    /// Places in [`Roster::goroutines`] of those that have ended. Their `g`s may have new ones.
    pub ended: Vec<usize>,
    /// Places of those that ran at either moment, or in between, and how they are now: their stacks
    /// may be elsewhere.
    pub ran: Vec<(usize, Member)>,
    /// Those that did not exist, as they are now.
    pub created: Vec<Member>,
    /// `g`s that cannot be read now; whoever was in them cannot be taken to have rested.
    pub unread: Vec<RuntimeAddress>,
}

impl Roster {
    /// Reads all goroutines, and with `waits` (made for this pass) what they wait on. Without, coroutines
    /// that run in between are not told from those that rest.
    ///
    /// # Errors
    /// The list cannot be read. A single goroutine that cannot be read is in `unread`.
    pub fn take(
        memory: &impl MemoryReader,
        layout: &GoroutineLayout,
        all: AllGoroutines,
        mut waits: Option<&mut Waits>,
    ) -> Result<Self, MemoryError> {
        let mut roster = Self::default();
        for addresses in all.read(memory)?.chunks(BATCH) {
            let first = roster.goroutines.len();
            let mut waiters = Vec::new();
            let (members, unread) = (&mut roster.goroutines, &mut roster.unread);
            read(memory, layout, addresses, unread, &mut |member, g| {
                let Some(mut member) = member else { return };
                if let Some(waits) = &waits {
                    // Nobody would notice that it has run, so it is never taken to rest: then all of its
                    // stack is looked at, at the beginning and behind everything else.
                    if waits.leaves_no_trace(member.state, member.wait_reason) {
                        member.forget_registers();
                    }
                    let known = (member.address, member.state, member.wait_reason);
                    let waiter = waits.waiter(members.len(), known, |offset| g.word(offset));
                    waiters.extend(waiter);
                }
                members.push(member);
            })?;
            if let Some(waits) = &mut waits {
                // What is told has to be read after the `g`s of this batch: who rests from then on
                // is where it says. So nothing that was learnt before counts.
                waits.forget_conditions();
                roster.resolve(memory, waits, &mut waiters, first);
            }
        }
        roster.goroutines.shrink_to_fit();
        roster.waits.shrink_to_fit();
        roster.sudogs.shrink_to_fit();
        Ok(roster)
    }

    /// What `member`, one of [`Self::goroutines`], waits on.
    #[must_use]
    pub fn waits(&self, member: &Member) -> &[Wait] {
        part(&self.waits, &member.waits)
    }

    /// The sudogs of `member`, one of [`Self::goroutines`].
    #[must_use]
    pub fn sudogs(&self, member: &Member) -> &[RuntimeAddress] {
        part(&self.sudogs, &member.sudogs)
    }

    /// Reads all goroutines again, and tells who was created, ended, or ran since.
    ///
    /// One that stopped running exactly 256 times in between, and is where it was, is not
    /// told from one that rested, unless a garbage collection has seen it wait
    /// ([`Member::waiting_since_ns`]).
    ///
    /// # Errors
    /// The list cannot be read.
    pub fn moved(
        &self,
        memory: &impl MemoryReader,
        layout: &GoroutineLayout,
        all: AllGoroutines,
    ) -> Result<Moved, MemoryError> {
        let mut missing: HashMap<RuntimeAddress, usize> = HashMap::new();
        missing.extend(self.goroutines.iter().map(|m| m.address).zip(0..));
        let mut moved = Moved::default();
        for addresses in all.read(memory)?.chunks(BATCH) {
            let mut unread = Vec::new();
            read(memory, layout, addresses, &mut unread, &mut |now, g| {
                let Some(now) = now else { return };
                let was = missing.remove(&g.address);
                match was.map(|place| (place, &self.goroutines[place])) {
                    Some((_, was)) if was.goid == now.goid && was.rests_in(&now) => {}
                    Some((place, was)) if was.goid == now.goid => moved.ran.push((place, now)),
                    Some((place, _)) => {
                        moved.ended.push(place);
                        moved.created.push(now);
                    }
                    None => moved.created.push(now),
                }
            })?;
            for address in &unread {
                missing.remove(address);
            }
            moved.unread.append(&mut unread);
        }
        // Free now, or (which does not happen) no longer on the list.
        moved.ended.extend(missing.into_values());
        Ok(moved)
    }

    /// Finds what the goroutines from place `first` on wait on.
    fn resolve(
        &mut self,
        memory: &impl MemoryReader,
        waits: &mut Waits,
        waiters: &mut [Waiter],
        first: usize,
    ) {
        self.keep_words(memory, waiters);
        // Told in any order, kept one goroutine behind the other.
        let mut found = Vec::new();
        waits.resolve(memory, waiters, &mut |place, what| {
            found.push((place, what))
        });
        found.sort_by_key(|(place, _)| *place);
        let mut found = found.into_iter().peekable();
        for place in first..self.goroutines.len() {
            let (wait, sudog) = (ends(&self.waits), ends(&self.sudogs));
            let member = &mut self.goroutines[place];
            while let Some((_, what)) = found.next_if(|(of, _)| *of == place) {
                match what {
                    Found::Wait(wait) => self.waits.push(wait),
                    Found::Sudog(sudog) => self.sudogs.push(sudog),
                    Found::Complete => member.waits_are_complete = true,
                }
            }
            member.waits = wait..ends(&self.waits);
            member.sudogs = sudog..ends(&self.sudogs);
        }
    }

    /// Reads the top of the stacks of those whose wait is found through it.
    fn keep_words(&self, memory: &impl MemoryReader, waiters: &mut [Waiter]) {
        let mut wanting = Vec::new();
        let mut extents = Vec::new();
        for (place, waiter) in waiters.iter().enumerate() {
            let member = &self.goroutines[waiter.subject()];
            let used = member.stack_high.0.checked_sub(member.sp.0);
            if let Some(used) = used.filter(|_| member.rests && waiter.wants_words()) {
                let length = usize::try_from(used)
                    .map_or(Waiter::STACK_BYTES, |used| used.min(Waiter::STACK_BYTES));
                wanting.push(place);
                extents.push(Extent {
                    address: member.sp,
                    length,
                });
            }
        }
        memory.read_extents(&extents, &mut |index, bytes| {
            let waiter = &mut waiters[wanting[index]];
            if let Ok(bytes) = bytes {
                let member = &self.goroutines[waiter.subject()];
                waiter.keep_words(bytes, member.sp.0, member.stack_high.0);
            }
        });
    }
}

fn part<'a, T>(all: &'a [T], range: &Range<u32>) -> &'a [T] {
    all.get(range.start as usize..range.end as usize)
        .unwrap_or(&[])
}

/// Beyond 2^32 waits there is no memory; then none of them is found.
fn ends<T>(all: &[T]) -> u32 {
    u32::try_from(all.len()).unwrap_or(u32::MAX)
}

/// A `g` that was read.
struct ReadG<'a> {
    address: RuntimeAddress,
    raw: RawG<'a>,
}

impl ReadG<'_> {
    fn word(&self, offset: u32) -> u64 {
        self.raw.word(offset)
    }
}

/// Reads the `g`s at `addresses` and passes on each, with `None` for one that is free, in any order.
/// Those that cannot be read, or whose stack is being moved each time, go to `unread`.
fn read(
    memory: &impl MemoryReader,
    layout: &GoroutineLayout,
    addresses: &[RuntimeAddress],
    unread: &mut Vec<RuntimeAddress>,
    visit: &mut impl FnMut(Option<Member>, ReadG<'_>),
) -> Result<(), MemoryError> {
    let Some(first) = addresses.first() else {
        return Ok(());
    };
    let size = size_of_g(layout, *first)?;
    let mut left = addresses.to_vec();
    for attempt in 0..ATTEMPTS {
        // Who looks at the stack may have lost its processor meanwhile.
        if attempt >= PATIENT {
            thread::sleep(PAUSE * (attempt - PATIENT + 1));
        }
        let mut again = Vec::new();
        let extents = Extent::each(left.iter().copied(), size);
        memory.read_extents(&extents, &mut |index, bytes| {
            let address = left[index];
            let Ok(bytes) = bytes else {
                return again.push(address);
            };
            let raw = RawG::new(bytes);
            if raw.state(layout).is_free() {
                return visit(None, ReadG { address, raw });
            }
            match Member::of(raw, layout, address) {
                Some(member) => visit(Some(member), ReadG { address, raw }),
                None => again.push(address),
            }
        });
        if again.is_empty() {
            return Ok(());
        }
        left = again;
    }
    unread.append(&mut left);
    Ok(())
}

impl Member {
    /// `None` while the collector looks at its stack, or where its stack is none.
    fn of(g: RawG<'_>, layout: &GoroutineLayout, address: RuntimeAddress) -> Option<Self> {
        let goroutine = g.goroutine(layout, address).ok()?;
        if g.status(layout) & SCAN_BIT != 0 {
            return None;
        }
        let [stack_low, stack_high] = [layout.stack_lo, layout.stack_hi].map(|at| g.word(at));
        let registers = g.saved_registers(layout).filter(|registers| {
            (stack_low..=stack_high).contains(&registers.sp) && registers.sp.is_multiple_of(8)
        });
        Some(Self {
            goid: goroutine.goid,
            address,
            stack_low: RuntimeAddress(stack_low),
            stack_high: RuntimeAddress(stack_high),
            pc: RuntimeAddress(registers.map_or(0, |registers| registers.pc)),
            sp: RuntimeAddress(registers.map_or(0, |registers| registers.sp)),
            bp: registers.and_then(|registers| registers.bp).unwrap_or(0),
            context: g.word(layout.sched_ctxt),
            defer: g.word(layout.defer),
            extended_registers: layout.extended_registers.map_or(0, |at| g.word(at)),
            panic: g.word(layout.panic),
            waiting: g.word(layout.waiting),
            waiting_since_ns: g.word(layout.waitsince),
            waits: 0..0,
            sudogs: 0..0,
            state: goroutine.state,
            wait_reason: goroutine.wait_reason,
            runs: goroutine.runs,
            rests: registers.is_some(),
            waits_are_complete: false,
        })
    }

    /// It is not known where it will go on.
    fn forget_registers(&mut self) {
        self.pc = RuntimeAddress(0);
        self.sp = RuntimeAddress(0);
        self.bp = 0;
        self.rests = false;
    }

    /// Whether `now`, the same goroutine later, rests where this one did.
    fn rests_in(&self, now: &Self) -> bool {
        let since = self.waiting_since_ns;
        // What it waits on is not of the `g`.
        let expected = Self {
            waits: now.waits.clone(),
            sudogs: now.sudogs.clone(),
            waits_are_complete: now.waits_are_complete,
            // A collection may have seen it first in between.
            waiting_since_ns: if since == 0 {
                now.waiting_since_ns
            } else {
                since
            },
            ..self.clone()
        };
        self.rests && expected == *now
    }
}

#[cfg(test)]
mod tests;
