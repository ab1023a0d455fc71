//! A copy of the heap's spans, and which object a word points into.

use super::{
    PAGE,
    layout::{IN_USE, RawSpan},
    page_table::PageTable,
};

/// Some pages with objects of one size, at the moment when they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Address of the first byte, and of the first object.
    pub start: u64,
    /// Bytes of its pages. Behind the last object may be some that belong to none.
    pub bytes: u64,
    /// Bytes of each object.
    pub element: u64,
    /// Address of its record (`runtime.mspan`).
    pub mspan: u64,
    /// How many objects it has room for; at least 1.
    pub count: u32,
    /// Its first word in bit arrays that have a bit for each object: see [`Spans::bit_words`].
    pub first_word: u32,
    /// 2^32 divided by `element`, rounded up; 0 where there is one object only.
    reciprocal: u32,
    /// Where its bits of objects in use were: a sweep gives it others.
    pub(super) alloc_bits: u64,
    /// None of its objects has pointers.
    pub no_scan: bool,
    /// Twice the size class, which is 0 of an object with a span of its own, and 1 for `no_scan`.
    pub(super) class: u8,
    /// A chunk of a user arena (`GOEXPERIMENT=arenas`), where objects lie without order.
    pub(super) is_user_arena: bool,
}

impl Span {
    /// The number of its object `index` among those of all spans: its bit in arrays of [`Spans::bit_words`]
    /// words.
    #[inline]
    #[must_use]
    pub fn number_of(&self, index: u32) -> usize {
        self.first_word as usize * 64 + index as usize
    }

    /// A span in use that was read from `mspan`; `None` where it is not one, or cannot be.
    pub(super) fn new(raw: &RawSpan, mspan: u64) -> Option<Self> {
        let bytes = raw.pages.checked_mul(PAGE)?;
        let end = raw.start.checked_add(bytes)?;
        let count = u32::try_from(raw.elements).ok()?;
        let objects = raw.element.checked_mul(raw.elements)?;
        let fits = raw.state == IN_USE
            && raw.start != 0
            && raw.start.is_multiple_of(PAGE)
            && end <= super::MAX_ADDRESS
            && raw.element >= 8
            && raw.element.is_multiple_of(8)
            && count > 0
            && objects <= bytes
            // Of this the division below makes use.
            && (count == 1 || bytes.checked_mul(raw.element)? < 1 << 32);
        if !fits {
            return None;
        }
        let reciprocal = match count {
            1 => 0,
            _ => u32::try_from((1_u64 << 32).div_ceil(raw.element)).ok()?,
        };
        Some(Self {
            start: raw.start,
            bytes,
            element: raw.element,
            mspan,
            count,
            first_word: 0,
            reciprocal,
            alloc_bits: raw.alloc_bits,
            no_scan: raw.class & 1 == 1,
            class: raw.class,
            is_user_arena: raw.is_user_arena,
        })
    }

    /// Address of an object.
    #[inline]
    #[must_use]
    pub fn object(&self, index: u32) -> u64 {
        self.start + u64::from(index) * self.element
    }

    /// The object in which the byte at `offset` lies; `None` behind the last. `offset` is less than
    /// `bytes`.
    #[inline]
    #[must_use]
    pub fn index(&self, offset: u64) -> Option<u32> {
        // Exact: with r = (2^32 + d) / e and d < e, the result is too large by offset * d / (e * 2^32),
        // which is less than 1 / e, the least that is missing to the next whole number, because
        // offset * e < 2^32.
        let index = (offset * u64::from(self.reciprocal)) >> 32;
        let index = u32::try_from(index).ok()?;
        // A single object may be followed by bytes that belong to none, too.
        (index < self.count && (self.count > 1 || offset < self.element)).then_some(index)
    }

    /// Words that its objects take in a bit array.
    #[must_use]
    pub fn words(&self) -> u32 {
        self.count.div_ceil(64)
    }

    /// Whether an object has the span for itself, and more than 32 KiB.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.class >> 1 == 0
    }
}

/// The spans in use of a heap, as they were when they were read.
///
/// The heap goes on: objects that were free are handed out, spans are freed and pages are used anew.
/// A later copy tells where this one is no longer right.
#[derive(Debug, Default)]
pub struct Spans {
    spans: Vec<Span>,
    free: Vec<u64>,
    table: PageTable,
    bytes: u64,
    objects: u64,
}

impl Spans {
    /// From spans and, for each, where the words of its free objects begin in `free`; `arenas` are the
    /// starts of all arenas.
    pub(super) fn new(mut read: Vec<(Span, u32)>, free: &[u64], arenas: &[u64]) -> Self {
        read.sort_unstable_by_key(|(span, _)| span.start);
        // A span was freed and its pages used again while the list was read. Which one is right now
        // is not known: words that lead there have to be looked up.
        let mut covered = 0;
        let mut clashes = Vec::new();
        for place in 0..read.len() {
            let (span, _) = read[place];
            let end = span.start + span.bytes;
            let next = read.get(place + 1).map_or(u64::MAX, |(next, _)| next.start);
            if span.start < covered || end > next {
                clashes.push(place);
            }
            covered = covered.max(end);
        }
        let mut clashes = clashes.into_iter().peekable();
        let mut place = 0;
        read.retain(|_| {
            let clash = clashes.next_if_eq(&place).is_some();
            place += 1;
            !clash
        });
        let mut spans = Self {
            spans: Vec::with_capacity(read.len()),
            free: Vec::with_capacity(free.len()),
            ..Self::default()
        };
        for (mut span, at) in read {
            let at = at as usize;
            let words = free.get(at..at + span.words() as usize);
            // There cannot be so many that they do not fit: the heap's size is limited.
            let (Some(words), Ok(first)) = (words, u32::try_from(spans.free.len())) else {
                continue;
            };
            span.first_word = first;
            spans.free.extend_from_slice(words);
            spans.bytes += span.bytes;
            spans.objects += u64::from(span.count);
            spans.spans.push(span);
        }
        spans.table = PageTable::new(&spans.spans, arenas);
        spans
    }

    /// All, sorted by address. None overlaps another.
    #[must_use]
    pub fn all(&self) -> &[Span] {
        &self.spans
    }

    /// The span, and the object in it, that `word` points into, if it is a pointer.
    #[inline]
    #[must_use]
    pub fn find(&self, word: u64) -> Option<(u32, u32)> {
        let number = self.table.span(word)?;
        let span = self.spans.get(number as usize)?;
        let index = span.index(word.checked_sub(span.start)?)?;
        Some((number, index))
    }

    /// Whether `word` lies in the heap's address range, but in no span in use that this copy knows.
    ///
    /// There may be one now: a later copy tells. Most such words are addresses of stacks.
    /// The heap may also have grown meanwhile, so the 4 GiB around each arena are in its range, and
    /// [`super::Heap::has_grown`] says whether that was not enough.
    #[inline]
    #[must_use]
    pub fn is_arena(&self, word: u64) -> bool {
        self.table.is_near(word) && self.table.span(word).is_none()
    }

    /// Length of a bit array with one bit for each object. The bits of a span begin with the lowest
    /// of the word [`Span::first_word`].
    #[must_use]
    pub fn bit_words(&self) -> usize {
        self.free.len()
    }

    /// Such a bit array: 1 for an object that was free when it was read.
    ///
    /// Free it was for sure; it may have been handed out since, and then it may hold anything. So the
    /// bit must not be used to leave out an object that is reached, unless it has it in a later copy too.
    #[must_use]
    pub fn free_objects(&self) -> &[u64] {
        &self.free
    }

    /// Whether an object was free when `span`, one of these, was read.
    #[must_use]
    pub fn is_free(&self, span: &Span, index: u32) -> bool {
        let word = self
            .free
            .get(span.first_word as usize + index as usize / 64);
        index < span.count && word.is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Bytes of all spans.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Room for so many objects, the free ones included.
    #[must_use]
    pub fn object_count(&self) -> u64 {
        self.objects
    }

    /// Whether a word may be a pointer into the heap.
    pub(super) fn may_hold(&self, word: u64) -> bool {
        self.table.is_near(word)
    }

    /// Whether an address lies in an arena of this copy, or near one.
    pub(super) fn is_near(&self, address: u64) -> bool {
        self.table.is_near(address)
    }
}

#[cfg(test)]
impl Spans {
    /// Of spans with this start and so many pages, of objects of this size, of which there are as many as fit;
    /// without pointers or not. All objects are in use but those at the addresses `free`.
    pub(crate) fn of(spans: &[(u64, u64, u64, bool)], free: &[u64]) -> Self {
        let mut bits = Vec::new();
        let mut read = Vec::new();
        for (start, pages, element, no_scan) in spans {
            let raw = RawSpan {
                start: *start,
                pages: *pages,
                element: *element,
                elements: pages * PAGE / element,
                free_from: pages * PAGE / element,
                alloc_bits: 0,
                sweep_generation: 0,
                state: IN_USE,
                class: 4 | u8::from(*no_scan),
                is_user_arena: false,
            };
            let span = Span::new(&raw, 0x1000).expect("a span");
            read.push((span, u32::try_from(bits.len()).expect("few")));
            let first = bits.len();
            bits.resize(first + span.words() as usize, 0_u64);
            for address in free {
                let index = address.checked_sub(span.start).and_then(|o| span.index(o));
                if let Some(index) = index.filter(|_| *address < span.start + span.bytes) {
                    bits[first + index as usize / 64] |= 1 << (index % 64);
                }
            }
        }
        let arenas: Vec<u64> = spans
            .iter()
            .map(|span| span.0 & !(super::ARENA - 1))
            .collect();
        Self::new(read, &bits, &arenas)
    }
}
