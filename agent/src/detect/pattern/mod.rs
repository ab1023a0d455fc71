//! What kind of mistake lost a goroutine, from what it waits for, where, and on what; and what to
//! change. One file a family.

mod calls;
mod channels;
mod contexts;
mod errgroup;
mod fan_out;
mod facts;
mod network;
mod sync;
#[cfg(test)]
mod tests;
mod timers;

pub use calls::Call;
pub use facts::{Facts, Thing, Waiting};
pub use network::{READ_LOOP, WRITE_LOOP, serves_client};

/// A kind of mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// Sends on a channel without buffer, and nobody receives.
    ChannelSend,
    /// Receives from a channel on which nobody sends, and which nobody closes.
    ChannelReceive,
    /// A select of whose cases none ever comes.
    SelectWithoutWayOut,
    /// Waits on a nil channel: for ever.
    NilChannel,
    /// Waits for the end of a context, or another signal to stop, that does not come.
    ContextNeverCancelled,
    /// Waits for a peer, without a limit.
    NetworkWithoutDeadline,
    /// A connection kept open by a response whose body was not closed.
    HttpBodyNotClosed,
    /// Waits for a `sync.WaitGroup` whose counter stays above zero.
    WaitGroup,
    /// In a group of `golang.org/x/sync/errgroup` that never ends.
    Errgroup,
    /// Waits for a lock that nobody gives back.
    Mutex,
    /// Waits for a `sync.Cond` that nobody signals.
    Cond,
    /// Goes round with a timer, a ticker or a sleep and never ends.
    TimerLoop,
    /// Created faster than the one thing they all need lets them through.
    UnboundedFanOut,
    /// Sends on a channel whose buffer is full.
    FullBuffer,
}

impl Pattern {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::ChannelSend,
        Self::ChannelReceive,
        Self::SelectWithoutWayOut,
        Self::NilChannel,
        Self::ContextNeverCancelled,
        Self::NetworkWithoutDeadline,
        Self::HttpBodyNotClosed,
        Self::WaitGroup,
        Self::Errgroup,
        Self::Mutex,
        Self::Cond,
        Self::TimerLoop,
        Self::UnboundedFanOut,
        Self::FullBuffer,
    ];

    /// The word for it in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChannelSend => "channel_send",
            Self::ChannelReceive => "channel_receive",
            Self::SelectWithoutWayOut => "select_without_way_out",
            Self::NilChannel => "nil_channel",
            Self::ContextNeverCancelled => "context_never_cancelled",
            Self::NetworkWithoutDeadline => "network_without_deadline",
            Self::HttpBodyNotClosed => "http_body_not_closed",
            Self::WaitGroup => "wait_group",
            Self::Errgroup => "errgroup",
            Self::Mutex => "mutex",
            Self::Cond => "cond",
            Self::TimerLoop => "timer_loop",
            Self::UnboundedFanOut => "unbounded_fan_out",
            Self::FullBuffer => "full_buffer",
        }
    }
}

/// A pattern that was recognised, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// Which.
    pub pattern: Pattern,
    /// The program's own line to look at.
    pub place: Call,
    /// What it was recognised by: a sentence.
    pub because: String,
    /// What to change: a sentence or two that name the line.
    pub advice: String,
    /// Go code that does it: a few lines.
    pub example: String,
}

/// The families, the most specific first: a request that waits for its answer parks in a select,
/// and a lock in a semaphore.
const FAMILIES: [fn(&Waiting) -> Option<Recognised>; 7] = [
    network::recognise,
    fan_out::recognise,
    errgroup::recognise,
    sync::recognise,
    contexts::recognise,
    timers::recognise,
    channels::recognise,
];

/// What pattern the goroutines of a site follow.
///
/// # Errors
/// None that is known; the reason is a clause.
pub fn recognise(waiting: &Waiting) -> Result<Recognised, String> {
    let found = FAMILIES.iter().find_map(|family| family(waiting));
    found.ok_or_else(|| match waiting.reason.as_deref() {
        None => "it is not known what they wait for".into(),
        Some("IO wait") if network::reads_ahead(waiting) => {
            "they read ahead for handlers of an HTTP server that do not return".into()
        }
        Some("IO wait") => "they wait for the network or a pipe, and have a deadline".into(),
        Some(reason) => format!("none of the known patterns waits like this ({reason})"),
    })
}
