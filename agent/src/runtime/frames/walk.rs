//! The live words of one stack, from its bytes.
//!
//! As `scanstack` and `scanframeworker` do it (`src/runtime/mgcmark.go`, the same in all releases from
//! 1.18 to 1.27): frame by frame, then what leads from there to variables on the same stack.

use std::sync::Arc;

use super::{
    Reason, StackWord,
    map::{FrameMaps, FrameWords, ObjectMap},
};
use crate::{
    binary::{RuntimeAddress, bytes::u64_at},
    runtime::Member,
};

/// Bytes above the outermost frame in which nothing is.
const FREE_ABOVE: u64 = 64;

/// The used part of a stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stack<'a> {
    /// Its lowest address.
    pub(super) low: u64,
    /// One past its highest.
    pub(super) high: u64,
    /// The stack pointer, aligned to a word.
    pub(super) sp: u64,
    /// The bytes from there to `high`.
    pub(super) bytes: &'a [u8],
}

impl Stack<'_> {
    pub(super) fn word(self, address: u64) -> Option<u64> {
        u64_at(self.bytes, address.checked_sub(self.sp)?)
    }

    /// Whether `address` is on the stack.
    pub(super) fn holds(self, address: u64) -> bool {
        (self.low..self.high).contains(&address)
    }
}

/// A variable on the stack that nothing has led to yet.
struct Object {
    begin: u64,
    pc: RuntimeAddress,
    map: Arc<ObjectMap>,
}

/// What is being told of one stack.
pub(super) struct Walk<'a, T> {
    stack: Stack<'a>,
    told: T,
    /// Pointers into the stack that are still to be followed.
    inside: Vec<u64>,
    objects: Vec<Object>,
    /// Why something was told word for word, the first time.
    pub(super) reason: Option<Reason>,
    /// Whether all words from the stack pointer on were told.
    pub(super) is_whole: bool,
    /// Words and variables that may still be looked at.
    left: u64,
}

impl<'a, T: FnMut(StackWord)> Walk<'a, T> {
    /// `told` gets each word.
    pub(super) fn new(stack: Stack<'a>, told: T) -> Self {
        Self {
            stack,
            told,
            inside: Vec::new(),
            objects: Vec::new(),
            reason: None,
            is_whole: false,
            // Each word is in one frame, and may be among the arguments of another. Damaged tables
            // can say otherwise, and make no end of a stack.
            left: 1024 + stack.bytes.len() as u64 / 2,
        }
    }

    /// Whether so many words may still be looked at.
    fn spends(&mut self, words: u64) -> bool {
        let left = self.left.checked_sub(words);
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    /// Tells `value`, found at `slot` in the frame with `pc`, or remembers to follow it.
    pub(super) fn found(&mut self, value: u64, slot: u64, pc: RuntimeAddress) {
        if self.stack.holds(value) {
            self.inside.push(value);
        } else if value != 0 {
            let slot = RuntimeAddress(slot);
            (self.told)(StackWord { value, slot, pc });
        }
    }

    /// Tells all words from `begin` to before `end`, as far as they are there.
    fn all(&mut self, begin: u64, end: u64, pc: RuntimeAddress) {
        for slot in (begin..end.min(self.stack.high)).step_by(8) {
            if let Some(value) = self.stack.word(slot) {
                self.found(value, slot, pc);
            }
        }
    }

    /// Tells all words there are, because of `reason`.
    pub(super) fn whole(&mut self, reason: Reason) {
        self.all(self.stack.sp, self.stack.high, RuntimeAddress(0));
        self.reason.get_or_insert(reason);
        self.is_whole = true;
    }

    /// Tells the live words of all frames, of which the innermost will go on at `member.pc`. Where they
    /// cannot be followed, all words behind count, so nothing is lost.
    pub(super) fn frames(&mut self, maps: &mut FrameMaps, member: &Member) {
        let mut sp = self.stack.sp;
        let mut pc = member.pc;
        // Whether the frame before could be one whose arguments are not known, or that interrupted
        // this one.
        let mut carried = None;
        loop {
            let is_innermost = sp == self.stack.sp;
            let Some(map) = maps.at(pc) else {
                return self.rest(sp, Reason::UnknownFunction);
            };
            let (size, arguments) = (map.frame.size, map.argument_bytes);
            // The return address is behind the frame, and the frame on the stack.
            let Some(above) = sp.checked_add(size).and_then(|at| at.checked_add(8)) else {
                return self.rest(sp, Reason::Broken);
            };
            if above > self.stack.high {
                return self.rest(sp, Reason::Broken);
            }
            match (&map.words, carried) {
                (FrameWords::Precise { live, objects }, None) => {
                    if !self.spends((live.len() + objects.len()) as u64) {
                        return self.whole(Reason::Damaged);
                    }
                    for offset in live {
                        let slot = sp.saturating_add(*offset);
                        // The arguments of a damaged stack may lie beyond its end.
                        let Some(value) = self.stack.word(slot) else {
                            return self.rest(sp, Reason::Broken);
                        };
                        self.found(value, slot, pc);
                    }
                    self.objects
                        .extend(objects.iter().map(|(offset, map)| Object {
                            begin: sp.saturating_add(*offset),
                            pc,
                            map: Arc::clone(map),
                        }));
                }
                (words, _) => {
                    if !self.spends((size + arguments) / 8) {
                        return self.whole(Reason::Damaged);
                    }
                    let own = match words {
                        FrameWords::Any(reason) => Some(*reason),
                        FrameWords::Precise { .. } => None,
                    };
                    self.reason = self.reason.or(own).or(carried);
                    self.all(sp, above, pc);
                    self.all(above, above.saturating_add(arguments), pc);
                    carried = own;
                }
            }
            if map.frame.is_top {
                // A new stack leaves four words free above the first frame (`newproc1` in
                // `src/runtime/proc.go`), in which there is nothing. More is something else.
                if self.stack.high - above > FREE_ABOVE {
                    self.rest(above, Reason::Broken);
                }
                return;
            }
            let return_pc = self.stack.word(above - 8).unwrap_or(0);
            if return_pc == 0 || (map.frame.ends && !is_innermost) {
                return self.rest(above, Reason::Broken);
            }
            sp = above;
            pc = RuntimeAddress(return_pc);
        }
    }

    /// Tells all words from `begin` on, because frames cannot be followed beyond.
    fn rest(&mut self, begin: u64, reason: Reason) {
        self.reason.get_or_insert(reason);
        self.is_whole |= begin == self.stack.sp;
        self.all(begin, self.stack.high, RuntimeAddress(0));
    }

    /// Follows pointers into the stack to the variables there, and what these hold.
    pub(super) fn follow(&mut self) {
        self.objects.sort_by_key(|object| object.begin);
        let mut is_followed = vec![false; self.objects.len()];
        while let Some(value) = self.inside.pop() {
            let behind = self.objects.partition_point(|object| object.begin <= value);
            let Some(place) = behind.checked_sub(1) else {
                continue;
            };
            let Object { begin, pc, ref map } = self.objects[place];
            if value - begin >= map.size || std::mem::replace(&mut is_followed[place], true) {
                continue;
            }
            let map = Arc::clone(map);
            match &map.live {
                Some(live) => {
                    for slot in live.iter().map(|offset| begin.saturating_add(*offset)) {
                        // Beyond the end of a damaged stack nothing is.
                        if let Some(value) = self.stack.word(slot) {
                            self.found(value, slot, pc);
                        }
                    }
                }
                None => {
                    self.reason.get_or_insert(Reason::PointerProgram);
                    self.all(begin, begin.saturating_add(map.size), pc);
                }
            }
        }
    }
}
