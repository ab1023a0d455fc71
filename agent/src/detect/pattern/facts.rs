//! What is known of the goroutines that a pattern is sought for.

use super::Call;

/// One thing that a goroutine waits on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A channel.
    Channel {
        /// Elements in its buffer.
        length: u64,
        /// Room in its buffer.
        capacity: u64,
        /// Bytes of an element.
        element_size: u16,
        /// It is the `Done` of a context. False where that was not found.
        is_context: bool,
    },
    /// A nil channel.
    NilChannel,
    /// A semaphore of the runtime, mostly inside of a lock.
    Semaphore,
    /// A `sync.Cond`.
    Condition,
    /// The clock, or the timer of one of the channels.
    Timer,
    /// A descriptor that the network poller watches.
    Network {
        /// `tcp`, `udp`, `unix`, `pipe`, …; `None` where it is not known.
        protocol: Option<String>,
        /// The peer's address.
        remote: Option<String>,
        /// Whether there is a deadline; `None` where that is not known.
        has_deadline: Option<bool>,
    },
}

/// Bytes of a `time.Time`.
const TIME: u16 = 24;

impl Thing {
    /// Whether it is the channel of a timer or a ticker: it has room for one time. So it was before
    /// Go 1.23, and so it is for one that was stopped, whose timer tells nothing.
    #[must_use]
    pub fn is_timer_channel(&self) -> bool {
        matches!(
            self,
            Self::Channel {
                capacity: 1,
                element_size: TIME,
                ..
            }
        )
    }

    /// Whether it is a channel that tells that something is over: nothing is sent on it.
    #[must_use]
    pub fn is_signal(&self) -> bool {
        matches!(
            self,
            Self::Channel {
                capacity: 0,
                element_size: 0,
                ..
            }
        )
    }

    /// Whether it is the `Done` of a context.
    #[must_use]
    pub fn is_context(&self) -> bool {
        matches!(
            self,
            Self::Channel {
                is_context: true,
                ..
            }
        )
    }
}

/// Counts of a site.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Facts {
    /// Goroutines created since watching began.
    pub created: u64,
    /// Goroutines of the site that ended since then, whenever they were created.
    pub ended: u64,
    /// Of the created ones, those that live.
    pub live: u64,
    /// For how long the site has been watched, in seconds.
    pub watched_seconds: f64,
    /// Of those that were created in the last seconds, the share that has ended; `None` where that is
    /// not known, or too few were.
    pub ended_lately: Option<f64>,
    /// Age of the oldest of those created since; `None` where it is not known.
    pub oldest_seconds: Option<f64>,
    /// How many goroutines were looked at.
    pub looked_at: usize,
    /// How many of them wait on the very same thing as most do.
    pub sharing: usize,
}

impl Facts {
    /// Whether nearly all of them wait on one and the same thing.
    #[must_use]
    pub fn share_one_thing(&self) -> bool {
        self.looked_at >= 4 && self.sharing * 10 >= self.looked_at * 9
    }
}

/// What most of the lost goroutines of a site have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// The runtime's word for what they wait for.
    pub reason: Option<String>,
    /// Where they are parked, innermost first.
    pub stack: Vec<Call>,
    /// The `go` statement.
    pub created_at: Call,
    /// The function that it starts.
    pub start: Call,
    /// The stack on which one of them was created, innermost first; empty where none was taken.
    pub created_by: Vec<Call>,
    /// Whoever asked most often for a connection of `net/http`, where that is known.
    pub requested_by: Option<Call>,
    /// Of goroutines that write to the connections of an HTTP client: what most of those that read from
    /// them wait for.
    pub readers_reason: Option<String>,
    /// What they wait on: more than one thing in a select, none where it was not found.
    pub things: Vec<Thing>,
    /// The path of the program's main module.
    pub main_module: Option<String>,
    /// Counts.
    pub facts: Facts,
}

impl Waiting {
    /// The wait reason, the same inside of a `testing/synctest` bubble.
    pub(super) fn reason(&self) -> &str {
        let reason = self.reason.as_deref().unwrap_or_default();
        reason.strip_suffix(" (durable)").unwrap_or(reason)
    }

    /// Whether one of the calls is of this function: its whole name, or one of the functions inside
    /// of it.
    pub(super) fn calls(&self, function: &str) -> bool {
        self.stack.iter().any(|call| is_or_inside(call, function))
    }

    /// The innermost call but the runtime's own.
    pub(super) fn innermost(&self) -> &str {
        let mut calls = self.stack.iter().map(|call| call.function.as_str());
        calls.next().unwrap_or_default()
    }

    /// Whether the goroutine began with this function, or one inside of it.
    pub(super) fn starts_in(&self, function: &str) -> bool {
        is_or_inside(&self.start, function)
            || self
                .stack
                .last()
                .is_some_and(|call| is_or_inside(call, function))
    }

    /// The program's own line that waits, if any does.
    #[must_use]
    pub fn own_wait(&self) -> Option<&Call> {
        Call::own(&self.stack, self.main_module.as_deref())
    }

    /// The program's own line that creates them, or calls what does.
    pub(super) fn own_creator(&self) -> &Call {
        let module = self.main_module.as_deref();
        Call::own(std::slice::from_ref(&self.created_at), module)
            .or_else(|| Call::own(&self.created_by, module))
            .unwrap_or(&self.created_at)
    }

    /// The program's own line to look at: where they wait, else where they come from.
    pub(super) fn own_place(&self) -> &Call {
        self.own_wait().unwrap_or_else(|| self.own_creator())
    }

    /// `, started at orders.go:12 in main.take`, for the line that creates them.
    pub(super) fn started(&self) -> String {
        let creator = self.own_creator();
        match creator.position() {
            Some(position) => format!("started by {} at {position}", creator.function),
            None => format!("started by {}", creator.function),
        }
    }
}

fn is_or_inside(call: &Call, function: &str) -> bool {
    let rest = call.function.strip_prefix(function);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('['))
}
