//! The offsets that lead to what goroutines wait on.

use crate::runtime::layout::{LayoutError, Layouts};

/// Byte offsets in the runtime's structs; words unless said otherwise. `Option` where a release
/// lacks the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitLayout {
    /// `g.waiting`.
    pub(super) waiting: u32,
    /// `g.timer`.
    pub(super) timer: Option<u32>,
    /// `g.sleepWhen`, from Go 1.23 on.
    pub(super) sleep_when: Option<u32>,
    /// `runtime.sudog`.
    pub(super) sudog: Sudog,
    /// `runtime.hchan`.
    pub(super) channel: Channel,
    /// `timer.when`.
    pub(super) timer_when: u32,
    /// `sync.Cond` and `runtime.notifyList`. A program that does not use them has no DWARF of them,
    /// and nothing waits on one; so it is with the two below.
    pub(super) condition: Option<Condition>,
    /// `runtime.pollDesc`.
    pub(super) poll: Option<PollDescriptor>,
    /// `semaRoot.treap`.
    pub(super) treap: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sudog {
    pub(super) size: u32,
    pub(super) g: u32,
    pub(super) next: u32,
    pub(super) prev: u32,
    pub(super) elem: u32,
    pub(super) waitlink: u32,
    pub(super) c: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    pub(super) size: u32,
    pub(super) qcount: u32,
    pub(super) dataqsiz: u32,
    /// `elemsize`, two bytes.
    pub(super) element_size: u32,
    /// The timer whose channel it is; from Go 1.23 on.
    pub(super) timer: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// `sync.Cond.notify`: the list inside of the condition.
    pub(super) list: u32,
    /// Bytes of the list.
    pub(super) list_size: u32,
    /// `notifyList.head`.
    pub(super) head: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PollDescriptor {
    pub(super) fd: u32,
    pub(super) rg: u32,
    pub(super) wg: u32,
    /// The deadlines of who reads and who writes; `None` where they are not known.
    pub(super) deadlines: Option<(u32, u32)>,
    /// `self`.
    pub(super) own: u32,
}

/// A struct of which more than this would have to be read is none of these.
const MAX_SIZE: u32 = 1024;

impl WaitLayout {
    /// Looks all of them up.
    ///
    /// # Errors
    /// The first that should be there and is not.
    pub fn new(layouts: &Layouts) -> Result<Self, LayoutError> {
        let word = |name, field| layouts.offset_of_size(name, field, 8);
        let optional = |name, field| layouts.optional_word(name, field);
        let size = |name| Ok::<_, LayoutError>(layouts.size(name)?.min(MAX_SIZE));
        Ok(Self {
            waiting: word("runtime.g", "waiting")?,
            timer: optional("runtime.g", "timer")?,
            sleep_when: optional("runtime.g", "sleepWhen")?,
            sudog: Sudog {
                size: size("runtime.sudog")?,
                g: word("runtime.sudog", "g")?,
                next: word("runtime.sudog", "next")?,
                prev: word("runtime.sudog", "prev")?,
                // From Go 1.26 on these two have another word behind the pointer.
                elem: layouts.offset("runtime.sudog", "elem")?,
                c: layouts.offset("runtime.sudog", "c")?,
                waitlink: word("runtime.sudog", "waitlink")?,
            },
            channel: Channel {
                size: size("runtime.hchan")?,
                qcount: word("runtime.hchan", "qcount")?,
                dataqsiz: word("runtime.hchan", "dataqsiz")?,
                element_size: layouts.offset_of_size("runtime.hchan", "elemsize", 2)?,
                timer: optional("runtime.hchan", "timer")?,
            },
            timer_when: word("runtime.timer", "when")?,
            condition: if_used(Condition::new(layouts))?,
            poll: if_used(PollDescriptor::new(layouts))?,
            treap: if_used(word("runtime.semaRoot", "treap"))?,
        })
    }
}

impl Condition {
    fn new(layouts: &Layouts) -> Result<Self, LayoutError> {
        Ok(Self {
            list: layouts.offset("sync.Cond", "notify")?,
            list_size: layouts.size("runtime.notifyList")?.min(MAX_SIZE),
            head: layouts.offset_of_size("runtime.notifyList", "head", 8)?,
        })
    }
}

impl PollDescriptor {
    fn new(layouts: &Layouts) -> Result<Self, LayoutError> {
        let word = |field| layouts.offset_of_size("runtime.pollDesc", field, 8);
        Ok(Self {
            fd: word("fd")?,
            rg: word("rg")?,
            wg: word("wg")?,
            deadlines: word("rd").ok().zip(word("wd").ok()),
            own: word("self")?,
        })
    }
}

/// `None` for a struct that the program does not have.
fn if_used<T>(found: Result<T, LayoutError>) -> Result<Option<T>, LayoutError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(LayoutError::MissingStruct { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
