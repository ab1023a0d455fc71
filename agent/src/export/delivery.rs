//! What each sink knows to do, and what can come of it.

use std::{future::Future, time::Duration};

use prost::bytes::Bytes;

/// A sink's own part: its format, and one attempt to deliver.
pub(super) trait Delivery: Send + 'static {
    /// What it delivers.
    type Item: Clone + Send + Sync + 'static;

    /// Only the newest is of interest: one that failed is not tried again if another waits.
    const ONLY_THE_NEWEST: bool = false;

    /// `items` as they are sent, in their order.
    fn parcels(&mut self, items: &[Self::Item]) -> Vec<Parcel>;

    /// Sends one, once.
    fn send(&mut self, parcel: &Parcel) -> impl Future<Output = Result<Accepted, Failure>> + Send;
}

/// A request, or whatever is sent at once.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    /// Its bytes.
    pub(super) body: Bytes,
    /// How many items end with it. Where one item is several parcels, the last of them has it.
    pub(super) items: u64,
}

/// What a receiver said of a parcel that it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Parts that it did not take.
    pub(super) rejected: u64,
    /// Why, or what else it wanted to be known.
    pub(super) message: Option<String>,
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// In what way.
    pub(super) kind: FailureKind,
    /// In words, without secrets.
    pub(super) message: String,
    /// What follows.
    pub(super) then: Then,
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It is tried again, after that time if one was told.
    Again(Option<Duration>),
    /// It will not be taken.
    GiveUp,
    /// Nothing will be taken any more.
    Closed,
}

/// Kinds of failures, as they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// No connection, or one that broke.
    Connect,
    /// No answer in time.
    Timeout,
    /// The receiver will not have it.
    Refused,
    /// A status that may be another one later.
    Status,
    /// No trust in the other side, or none in us.
    Tls,
    /// All else.
    Other,
}

impl FailureKind {
    /// As in [`crate::report::node::SinkSample::errors`].
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Status => "status",
            Self::Tls => "tls",
            Self::Other => "other",
        }
    }
}
