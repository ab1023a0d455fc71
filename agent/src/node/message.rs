//! What the threads that watch tell the daemon.

use std::{
    os::fd::{AsFd as _, BorrowedFd},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::{
    report::{
        DetachReason,
        node::{Identity, TargetEvent},
    },
    target::ProcessIdentity,
};

/// Messages that may wait; whoever sends one more waits, which keeps only his own process waiting.
const CAPACITY: usize = 1024;

/// Of one thread.
#[derive(Debug)]
pub(super) struct Message {
    /// Which process it is about.
    pub(super) process: ProcessIdentity,
    /// Which of the threads for this process, as numbered by the daemon.
    pub(super) watcher: u64,
    pub(super) what: What,
}

/// What happened.
#[derive(Debug)]
pub(super) enum What {
    /// It is watched from now on.
    Watched(Arc<Identity>),
    /// There is a first sample of it.
    Sampled,
    /// Something happened in it.
    Event(Box<TargetEvent>),
    /// It is not watched any more, or never was; the last message.
    Over(Outcome),
}

/// Why it is not watched.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Watching ended.
    Ended(DetachReason),
    /// The rules leave it alone.
    LeftAlone {
        identity: Arc<Identity>,
        /// Which rule, in words.
        rule: String,
    },
    /// It is no Go program.
    Foreign,
    /// It ended or was replaced before it was watched.
    Gone,
    /// It cannot be watched.
    Failed {
        /// `inspect`, `attach` or `watch`.
        kind: &'static str,
        error: String,
    },
}

/// Where messages arrive.
#[derive(Debug)]
pub(super) struct Mailbox {
    messages: Receiver<Message>,
    wake: Arc<EventFd>,
}

/// Where they are sent from.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    messages: SyncSender<Message>,
    wake: Arc<EventFd>,
}

/// A mailbox, and what puts something into it.
pub(super) fn mailbox() -> std::io::Result<(Sender, Mailbox)> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let wake = Arc::new(EventFd::from_value_and_flags(0, flags)?);
    let (sender, messages) = sync_channel(CAPACITY);
    let sender = Sender {
        messages: sender,
        wake: Arc::clone(&wake),
    };
    Ok((sender, Mailbox { messages, wake }))
}

impl Sender {
    /// Puts it into the mailbox; waits where that is full. Nothing happens when nobody reads any more.
    pub(super) fn send(&self, message: Message) {
        let _ = self.messages.send(message);
        // It fails only where the counter is full, and then there is enough to wake up for.
        let _ = self.wake.write(1);
    }
}

impl Mailbox {
    /// Becomes readable when there may be a message.
    pub(super) fn woken(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// The next message, if there is one.
    pub(super) fn next(&self) -> Option<Message> {
        self.messages.try_recv().ok()
    }

    /// Forgets that it was woken; call it before [`Self::next`].
    pub(super) fn was_woken(&self) {
        // Nothing to read is no error.
        let _ = self.wake.read();
    }
}
