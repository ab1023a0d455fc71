//! What goroutines wait on: channels, semaphores, conditions, the clock, file descriptors.
//!
//! Where a parked goroutine's `g` leads to it (`g.waiting`, `g.timer`) that way is taken. Where
//! it does not (semaphores before Go 1.26, conditions before 1.26, the network poller), the thing is
//! found from its own side or by words on the parked stack, and counts only when it points back at
//! this very goroutine.

mod conditions;
mod layout;
mod poll;
mod semaphores;
mod sudogs;

use std::collections::HashMap;

pub use layout::WaitLayout;
pub use semaphores::SemaphoreTable;

use super::{GoroutineState, WaitReasons};
use crate::{
    binary::{
        RuntimeAddress,
        bytes::{u64_at, words},
    },
    memory::{MemoryError, MemoryReader},
};

/// One thing that a goroutine waits on. A select waits on several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// A channel.
    Channel {
        /// Of its `hchan`.
        address: RuntimeAddress,
        /// Elements in its buffer.
        length: u64,
        /// Room in its buffer.
        capacity: u64,
        /// Bytes of an element.
        element_size: u16,
    },
    /// A nil channel: for ever.
    NilChannel,
    /// A semaphore, mostly one inside of a mutex or a wait group.
    Semaphore {
        /// Of its counter.
        address: RuntimeAddress,
    },
    /// A condition.
    Condition {
        /// Of its list of waiters (`notifyList`).
        address: RuntimeAddress,
    },
    /// The clock.
    Timer {
        /// When it is to wake, `CLOCK_MONOTONIC` in nanoseconds.
        at_ns: u64,
    },
    /// The network poller.
    Descriptor {
        /// The file descriptor.
        fd: u64,
        /// Whether it waits no longer than to a deadline; `None` where that is not known.
        has_deadline: Option<bool>,
    },
}

/// What is told of one goroutine's waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It waits on this.
    Wait(Wait),
    /// This `sudog` stands for it in a list of waiters.
    Sudog(RuntimeAddress),
    /// Nothing else: all that it waits on is told, each with its sudog. A list that was not followed
    /// to its end, or a thing that could not be read, leaves this out.
    Complete,
}

/// How a goroutine parked for a certain reason is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Channels,
    Select,
    NilChannel,
    Semaphore,
    Condition,
    Sleep,
    Poller,
    Coroutine,
    Other,
}

impl Kind {
    /// From the runtime's word for the reason (`waitReasonStrings` in `src/runtime/runtime2.go`).
    fn of(reason: &str) -> Self {
        // Inside of a `testing/synctest` bubble.
        match reason.strip_suffix(" (durable)").unwrap_or(reason) {
            "chan receive" | "chan send" => Self::Channels,
            "select" => Self::Select,
            "chan receive (nil chan)" | "chan send (nil chan)" => Self::NilChannel,
            // The last four are from Go 1.20 and 1.25 on; before, all are the first.
            "semacquire"
            | "sync.Mutex.Lock"
            | "sync.RWMutex.RLock"
            | "sync.RWMutex.Lock"
            | "sync.WaitGroup.Wait" => Self::Semaphore,
            "sync.Cond.Wait" => Self::Condition,
            "sleep" => Self::Sleep,
            "IO wait" => Self::Poller,
            "coroutine" => Self::Coroutine,
            _ => Self::Other,
        }
    }
}

impl Kind {
    fn is_on_a_thing(self) -> bool {
        !matches!(self, Self::Coroutine | Self::Other)
    }
}

/// What brings a goroutine to run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Another goroutine; nobody in a `select` without cases.
    Others,
    /// Time: it will wake by itself.
    Clock,
    /// The network, or another descriptor.
    Network,
    /// The runtime or the system; or it is not parked at all.
    Other,
}

/// What a goroutine parked for this reason waits for.
pub(super) fn purpose(reason: &str) -> Purpose {
    match Kind::of(reason) {
        _ if reason == "select (no cases)" => Purpose::Others,
        Kind::Sleep => Purpose::Clock,
        Kind::Poller => Purpose::Network,
        Kind::Coroutine | Kind::Other => Purpose::Other,
        _ => Purpose::Others,
    }
}

/// Whether a goroutine parked for this reason waits on something that can be found.
pub(super) fn is_on_a_thing(reason: &str) -> bool {
    Kind::of(reason).is_on_a_thing()
}

/// A parked goroutine whose waits are sought, and what its `g` and stack say of them.
#[derive(Debug)]
pub(super) struct Waiter {
    /// Place of the goroutine in its batch.
    subject: usize,
    kind: Kind,
    g: RuntimeAddress,
    /// `g.waiting`, or 0.
    sudog: u64,
    /// `g.timer`, or 0.
    timer: u64,
    /// `g.sleepWhen`, or 0.
    sleep_until: u64,
    /// Words from the top of the stack, for kinds that are found through them.
    words: Vec<u64>,
}

/// Words of a stack that are kept: those of the runtime's and the library's own frames, which
/// come first. The deepest seen, an accept through `net`, has its own within fifty.
const STACK_WORDS: usize = 96;

/// Finds what goroutines wait on, in one pass over all of them.
#[derive(Debug)]
pub struct Waits {
    layout: WaitLayout,
    kinds: Vec<Kind>,
    /// By the address of the `g`: the semaphores' own lists, where `g.waiting` does not lead to
    /// them.
    semaphores: HashMap<RuntimeAddress, RuntimeAddress>,
    conditions: conditions::Conditions,
    poll: poll::Poll,
}

impl Waits {
    /// For one pass; reads the table of semaphores where the release needs it.
    ///
    /// # Errors
    /// The table of semaphores is not readable.
    pub fn new(
        memory: &impl MemoryReader,
        layout: WaitLayout,
        reasons: &WaitReasons,
        semaphores: Option<&SemaphoreTable>,
    ) -> Result<Self, MemoryError> {
        let semaphores = match semaphores {
            Some(table) => table.waiters(memory, &layout)?,
            None => HashMap::new(),
        };
        Ok(Self {
            layout,
            kinds: reasons.all().map(Kind::of).collect(),
            semaphores,
            conditions: conditions::Conditions::default(),
            poll: poll::Poll::default(),
        })
    }

    /// What is known of a parked goroutine from its `g`, where more can be found out: the address of the
    /// `g`, its state and its wait reason. `word` gives that at an offset of the `g`.
    pub(super) fn waiter(
        &self,
        subject: usize,
        (g, state, wait_reason): (RuntimeAddress, GoroutineState, u8),
        word: impl Fn(u32) -> u64,
    ) -> Option<Waiter> {
        if !state.is_parked() {
            return None;
        }
        let kind = *self.kinds.get(usize::from(wait_reason))?;
        if !kind.is_on_a_thing() {
            return None;
        }
        let optional = |offset: Option<u32>| offset.map_or(0, &word);
        let mut sudog = word(self.layout.waiting);
        if kind == Kind::Semaphore && sudog == 0 {
            sudog = self.semaphores.get(&g).map_or(0, |s| s.0);
        }
        Some(Waiter {
            subject,
            kind,
            g,
            sudog,
            timer: optional(self.layout.timer),
            sleep_until: optional(self.layout.sleep_when),
            words: Vec::new(),
        })
    }

    /// Whether a goroutine in this state, parked for this reason, may run and park again without leaving
    /// a trace in its `g`: coroutines (`iter.Pull`) hand over to one another by a bare change of
    /// their states, which does not raise `g.trackingSeq` (`coroswitch_m` in `src/runtime/coro.go`, from
    /// Go 1.23 on).
    pub(super) fn leaves_no_trace(&self, state: GoroutineState, wait_reason: u8) -> bool {
        let kind = self.kinds.get(usize::from(wait_reason));
        state.is_parked() && kind == Some(&Kind::Coroutine)
    }

    /// Forgets who was on which condition's list. Who is asked for from now on is on the list that is
    /// read from now on.
    pub(super) fn forget_conditions(&mut self) {
        self.conditions.forget();
    }

    /// Finds what they wait on and tells it with the place of the goroutine. What cannot be found or
    /// read is left out: the goroutine itself is known without it.
    pub(super) fn resolve(
        &mut self,
        memory: &impl MemoryReader,
        waiters: &[Waiter],
        found: &mut impl FnMut(usize, Found),
    ) {
        // A select that waits and is on no list has nil channels only.
        let on_nil =
            |w: &&Waiter| w.kind == Kind::NilChannel || (w.kind == Kind::Select && w.sudog == 0);
        for waiter in waiters.iter().filter(on_nil) {
            found(waiter.subject, Found::Wait(Wait::NilChannel));
            found(waiter.subject, Found::Complete);
        }
        sudogs::resolve(memory, &self.layout, waiters, found);
        sudogs::sleepers(memory, &self.layout, waiters, found);
        if let Some(condition) = self.layout.condition {
            let sudog = self.layout.sudog;
            self.conditions
                .resolve(memory, condition, sudog, waiters, found);
        }
        if let Some(poll) = self.layout.poll {
            self.poll.resolve(memory, poll, waiters, found);
        }
    }
}

impl Waiter {
    /// Place of the goroutine in its batch.
    pub(super) fn subject(&self) -> usize {
        self.subject
    }

    /// Whether it wants words of its stack.
    pub(super) fn wants_words(&self) -> bool {
        self.kind == Kind::Poller || (self.kind == Kind::Condition && self.sudog == 0)
    }

    /// Bytes from the top of its stack that hold the words it wants.
    pub(super) const STACK_BYTES: usize = STACK_WORDS * 8;

    /// Keeps the words of `stack`, the bytes from its top on, which lies at `sp` and ends at
    /// `high`, that may point to something outside of it.
    pub(super) fn keep_words(&mut self, stack: &[u8], sp: u64, high: u64) {
        self.words = words(stack)
            .take(STACK_WORDS)
            .filter(|word| is_pointer(*word) && !(sp..high).contains(word))
            .collect();
        self.words.dedup();
    }
}

/// Whether a word may be the address of a struct: aligned, not in the first pages, and in the lower
/// half of the address space.
fn is_pointer(word: u64) -> bool {
    word.is_multiple_of(8) && (0x1_0000..1 << 56).contains(&word)
}

/// The word at `offset` of a struct's bytes; 0 beyond their end, as nothing is there.
fn word(bytes: &[u8], offset: u32) -> u64 {
    u64_at(bytes, offset.into()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
