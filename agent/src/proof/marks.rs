//! What of the heap has been reached, an object a bit.

use hashbrown::HashSet;

use super::{
    ProofError,
    bits::{Bits, ones},
    paths::{Paths, Root},
    sweep::Sweep,
};
use crate::runtime::heap::Spans;

/// Pages of the heap that are followed though no object was there: as many as a gigabyte has.
const MAX_STRANGE: usize = 1 << 17;
/// Go's pages are of 8 KiB.
const PAGE_BITS: u32 = 13;

/// Which objects have been reached, and which of those have been read.
#[derive(Debug)]
pub struct Marks<'a> {
    spans: &'a Spans,
    /// By [`Span::first_word`](crate::runtime::heap::Span) and the object's index.
    reached: Bits,
    /// Those whose words have been followed, or are not to be.
    read: Bits,
    /// Objects that were free when the books were read, and have not been found to be in use since.
    free: Bits,
    /// Objects that are not to be read.
    leaves: HashSet<usize>,
    /// Spans with objects that were reached and not read, and how many.
    is_waiting: Bits,
    waiting: usize,
    /// Pages of the heap where a word points to and there was no object when the books were read.
    strange: HashSet<u64>,
    too_strange: bool,
    /// Spans that came meanwhile and have been told, of this look.
    looked_at: HashSet<u64>,
    paths: Option<Paths>,
}

impl<'a> Marks<'a> {
    /// Nothing of `spans` reached. With `paths` it is remembered from where each was.
    #[must_use]
    pub fn new(spans: &'a Spans, paths: Option<Paths>) -> Self {
        Self {
            reached: Bits::zeroes(spans.bit_words()),
            read: Bits::zeroes(spans.bit_words()),
            free: Bits::of(spans.free_objects()),
            leaves: HashSet::new(),
            waiting: 0,
            is_waiting: Bits::for_count(spans.all().len()),
            strange: HashSet::new(),
            too_strange: false,
            looked_at: HashSet::new(),
            paths,
            spans,
        }
    }

    /// The table of objects this is about.
    #[must_use]
    pub fn spans(&self) -> &'a Spans {
        self.spans
    }

    /// The number of the object that `word` points into.
    #[inline]
    #[must_use]
    pub fn object(&self, word: u64) -> Option<usize> {
        let (span, index) = self.spans.find(word)?;
        Some(self.spans.all()[span as usize].number_of(index))
    }

    /// Reaches what `word`, found in the object `from`, points to, if that is an object.
    #[inline]
    pub fn reach_from(&mut self, word: u64, from: usize) {
        if let Some(object) = self.reach(word)
            && let Some(paths) = &mut self.paths
        {
            paths.reached_from(object, from);
        }
    }

    /// Reaches what `word`, found at a root, points to, if that is an object.
    pub fn reach_root(&mut self, word: u64, root: Root) {
        if let Some(object) = self.reach(word)
            && let Some(paths) = &mut self.paths
        {
            paths.reached_at_root(object, root);
        }
    }

    /// The object, if this was the first word that pointed to it.
    #[inline]
    fn reach(&mut self, word: u64) -> Option<usize> {
        let Some((span_number, index)) = self.spans.find(word) else {
            if self.spans.is_arena(word) {
                self.remember(word >> PAGE_BITS);
            }
            return None;
        };
        let span = &self.spans.all()[span_number as usize];
        let object = span.number_of(index);
        if !self.reached.set(object) {
            return None;
        }
        // What was free may be in use by now; [`Self::used_again`] tells at the end of the pass.
        if !span.no_scan && !self.read.has(object) {
            if self.free.has(object) {
                self.read.set(object);
            } else {
                self.wait(span_number);
            }
        }
        Some(object)
    }

    #[cold]
    fn remember(&mut self, page: u64) {
        if self.strange.len() < MAX_STRANGE {
            self.strange.insert(page);
        } else {
            self.too_strange |= !self.strange.contains(&page);
        }
    }

    fn wait(&mut self, span: u32) {
        if self.is_waiting.set(span as usize) {
            self.waiting += 1;
        }
    }

    /// Whether the object of this number has been reached.
    #[inline]
    #[must_use]
    pub fn has_reached_object(&self, object: usize) -> bool {
        self.reached.has(object)
    }

    /// Whether the object of this number has been reached and read, and was to be.
    #[inline]
    pub(super) fn was_read(&self, object: usize) -> bool {
        self.reached.has(object)
            && self.read.has(object)
            && !self.free.has(object)
            && !self.leaves.contains(&object)
    }

    /// The object at `address` is not to be read, though it may be reached.
    pub fn leave(&mut self, address: u64) {
        if let Some(object) = self.object(address) {
            self.read.set(object);
            self.leaves.insert(object);
        }
    }

    /// Takes back that the object at `address` was read, or was not to be. Whether there is one.
    pub fn read_again(&mut self, address: u64) -> bool {
        let Some((span_number, index)) = self.spans.find(address) else {
            return false;
        };
        let span = &self.spans.all()[span_number as usize];
        let object = span.number_of(index);
        self.read.clear(object);
        self.leaves.remove(&object);
        if self.reached.has(object) && !span.no_scan {
            self.wait(span_number);
        }
        true
    }

    /// The next spans on the way of `sweep` that wait to be read, of `bytes` together or a little more; from
    /// now on they do not wait. None only where none waits.
    pub(super) fn take_waiting(&mut self, sweep: &mut Sweep, bytes: u64) -> Vec<u32> {
        let mut taken = Vec::new();
        let mut held = 0;
        while held < bytes && self.waiting > 0 {
            let Some(span) = sweep.next(&self.is_waiting) else {
                // Those of the other way may point to what has been taken here.
                match taken.is_empty() {
                    true => continue,
                    false => break,
                }
            };
            self.stop_waiting(span);
            held += self.spans.all()[span as usize].bytes;
            taken.push(span);
        }
        taken
    }

    /// Whether a span waited to be read; from now on it does not.
    pub(super) fn stop_waiting(&mut self, span: u32) -> bool {
        let waited = self.is_waiting.has(span as usize);
        if waited {
            self.is_waiting.clear(span as usize);
            self.waiting -= 1;
        }
        waited
    }

    /// Whether nothing waits to be read.
    pub(super) fn is_drained(&self) -> bool {
        self.waiting == 0
    }

    /// The next objects of a span, sixty-four at most, that were reached and not read, as indices in
    /// the span. From now on they are read.
    pub(super) fn take_reached(&mut self, span: u32) -> Option<impl Iterator<Item = u32> + use<>> {
        let span = &self.spans.all()[span as usize];
        let first = span.first_word as usize;
        for word in 0..(span.count as usize).div_ceil(64) {
            let fresh = self.reached.word(first + word) & !self.read.word(first + word);
            if fresh != 0 {
                self.read.set_word(first + word, fresh);
                let index = move |place| u32::try_from(word * 64 + place).unwrap_or(u32::MAX);
                return Some(ones(fresh).map(index));
            }
        }
        None
    }

    /// What the end of a pass has to look at besides, by the books as they are `now`: spans that are new, or
    /// not what they were, where words point to. Each is told once a look.
    ///
    /// # Errors
    /// There are more such places than are remembered.
    pub(super) fn changed(&mut self, now: &Spans) -> Result<Vec<(u64, u64)>, ProofError> {
        if self.too_strange {
            return Err(ProofError::Unsteady);
        }
        let mut changed = Vec::new();
        for span in now.all() {
            let before = self
                .spans
                .find(span.start)
                .map(|(number, _)| self.spans.all()[number as usize]);
            let is_same = before.is_some_and(|before| {
                before.start == span.start
                    && before.bytes == span.bytes
                    && before.element == span.element
                    && before.no_scan == span.no_scan
            });
            if !is_same
                && !span.no_scan
                && !self.looked_at.contains(&span.start)
                && self.is_touched(span.start, span.bytes)
            {
                self.looked_at.insert(span.start);
                changed.push((span.start, span.bytes));
            }
        }
        Ok(changed)
    }

    /// Whether a word pointed to one of the pages of `bytes` at `start`.
    fn is_touched(&self, start: u64, bytes: u64) -> bool {
        let pages = start >> PAGE_BITS..(start + bytes).div_ceil(1 << PAGE_BITS);
        let mut at = pages.clone();
        at.any(|page| {
            self.strange.contains(&page)
                || self
                    .spans
                    .find(page << PAGE_BITS)
                    .is_some_and(|(number, _)| self.has_reached(number))
        })
    }

    fn has_reached(&self, span: u32) -> bool {
        let span = &self.spans.all()[span as usize];
        let first = span.first_word as usize;
        (0..(span.count as usize).div_ceil(64)).any(|word| self.reached.word(first + word) != 0)
    }

    /// Objects that were free when the books were read, were pointed to, and are in use `now`, are read
    /// after all.
    pub(super) fn used_again(&mut self, now: &Spans) {
        let spans = self.spans;
        for (number, span) in (0..).zip(spans.all()) {
            if span.no_scan {
                continue;
            }
            let first = span.first_word as usize;
            let count = (span.count as usize).div_ceil(64);
            let pointed =
                |word: usize| self.reached.word(first + word) & self.free.word(first + word);
            if (0..count).all(|word| pointed(word) == 0) {
                continue;
            }
            let Some((after, 0)) = now.find(span.start) else {
                continue;
            };
            let after = &now.all()[after as usize];
            let mut again = Vec::new();
            for word in 0..count {
                let free = now.free_objects().get(after.first_word as usize + word);
                let used = pointed(word) & !free.copied().unwrap_or(0);
                again.extend(ones(used).map(|place| (first + word) * 64 + place));
            }
            for object in again {
                self.free.clear(object);
                self.read.clear(object);
                self.wait(number);
            }
        }
    }

    /// From now on spans that came meanwhile are told anew.
    pub(super) fn look_again(&mut self) {
        self.looked_at.clear();
    }

    /// Objects reached, and their bytes.
    #[must_use]
    pub fn reached(&self) -> (u64, u64) {
        let mut objects = 0;
        let mut bytes = 0;
        for span in self.spans.all() {
            let first = span.first_word as usize;
            let words = (span.count as usize).div_ceil(64);
            let reached: u64 = (0..words)
                .map(|word| u64::from(self.reached.word(first + word).count_ones()))
                .sum();
            objects += reached;
            bytes += reached * span.element;
        }
        (objects, bytes)
    }

    /// From where each was reached, where that was asked for.
    #[must_use]
    pub fn paths(&self) -> Option<&Paths> {
        self.paths.as_ref()
    }
}
