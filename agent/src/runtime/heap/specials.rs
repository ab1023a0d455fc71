//! Records about objects (`mspan.specials`): finalizers, cleanups, weak handles and others.
//!
//! What the collector takes for roots is in `markrootSpans` (`runtime/mgcmark.go`): what an object with
//! a finalizer leads to, but not the object; the finalizer's and the cleanup's function; the handle of
//! a weak pointer.
//!
//! We go further in two points, which only loses proofs. The target of a weak pointer is a root for
//! us: until the next collection the program may still make a pointer of it. And of a kind that is
//! not known every word counts.

use super::{Heap, HeapError, PAGE, PAGES_OF_ARENA, Span, Spans};
use crate::{
    binary::{
        RuntimeAddress,
        bytes::{u8_at, u16_at, u64_at, words},
    },
    memory::{Extent, MemoryError, MemoryReader, bounded},
};

/// Spans whose records are read together.
const BATCH: usize = 256;
/// Records of so many spans that are believed: each page has 1024 objects at most, and few have more
/// than one.
const MAX_RECORDS: u64 = 1 << 19;
/// Reads of a list until two that follow one another agree.
const MAX_TRIES: usize = 8;
/// Words behind the head of the largest kind: `specialfinalizer`; `specialCleanup` from Go 1.26 on.
const WORDS: usize = 4;

/// An object of which only the contents are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectAt {
    /// Its first byte.
    pub start: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

/// An object that has weak pointers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeakPointer {
    /// Where its handle is, an object of its own, to which all of its weak pointers lead.
    pub handle: u64,
    /// Its first byte.
    pub start: u64,
}

/// Roots that the heap's own books hold.
///
/// They have to be read before the stacks are: what a finalizer's goroutine takes from here is on its
/// stack afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Specials {
    /// Objects with finalizers, and with records of unknown kinds: what they lead to is alive, they
    /// themselves are not for that. Objects without pointers are left out.
    pub contents: Vec<ObjectAt>,
    /// Words that are roots, those only that may lead into the heap.
    pub words: Vec<u64>,
    /// Weak pointers. To the collector they lead nowhere. But whoever has one can make a pointer of it as
    /// long as the object is there, and what leaked goroutines hold is there.
    pub weak: Vec<WeakPointer>,
}

/// What a kind of record means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing is a root.
    Harmless,
    /// So many words of it.
    Words(usize),
    /// One word: the handle. What has it may get at the object.
    Weak,
    /// What the object leads to, and all words.
    Finalizer,
}

/// `_KindSpecial…` in `runtime/mheap.go` of each release, as `markrootSpans` takes them.
fn kind(minor: u32, number: u8) -> Kind {
    match (minor, number) {
        (18..=24, 1) | (25..=27, 2) => Kind::Finalizer,
        // Profile, reachable, pin counter.
        (18..=20, 2..=3) | (21..=22, 2..=4) | (23..=24, 3..=5) => Kind::Harmless,
        // Tiny block; profile, reachable, pin counter; check finalizer, bubble.
        (25..=27, 1 | 4..=6 | 8..=9) => Kind::Harmless,
        // Secret.
        (26..=27, 10) => Kind::Harmless,
        (23..=24, 2) | (25..=27, 3) => Kind::Weak,
        // Before Go 1.26 a function and a number, which no pointer is like.
        (24, 6) | (25, 7) => Kind::Words(2),
        (26..=27, 7) => Kind::Words(4),
        _ => Kind::Finalizer,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    offset: u64,
    kind: u8,
    words: [u64; WORDS],
}

/// The records of a span as they were read once; `None` where the list was not one.
type List = Option<Vec<Record>>;

impl Heap {
    /// Goes through the records of all spans there are now, and through what is queued to be run.
    /// `spans` says which words may lead into the heap.
    ///
    /// # Errors
    /// Not readable; or lists that are damaged, too long, or change all the time.
    pub fn specials(
        &self,
        memory: &impl MemoryReader,
        spans: &Spans,
    ) -> Result<Specials, HeapError> {
        let mut found = Specials::default();
        let records = self.spans_with_specials(memory)?;
        for batch in records.chunks(BATCH) {
            self.specials_of(memory, batch, spans, &mut found)?;
        }
        // After the records: what leaves them is queued before.
        self.queued(memory, spans, &mut found.words)?;
        found.words.sort_unstable();
        found.words.dedup();
        Ok(found)
    }

    /// The span records that the arenas' bitmaps say have specials.
    fn spans_with_specials(&self, memory: &impl MemoryReader) -> Result<Vec<u64>, HeapError> {
        let starts = self.arena_starts(memory)?;
        let mut pages = Vec::new();
        // One after the other: a kibibyte for each 64 MiB.
        for start in starts {
            let Some(arena) = self.arena(memory, start)? else {
                continue;
            };
            let mut bits = [0; (PAGES_OF_ARENA / 8) as usize];
            memory.read(
                arena.plus(self.layout.arena.page_specials.into())?,
                &mut bits,
            )?;
            for (word, bits) in (0..).zip(words(&bits)) {
                let set = (0..64).filter(|bit| bits >> bit & 1 == 1);
                pages.extend(set.map(|bit| start + (word * 64 + bit) * PAGE));
            }
        }
        let mut records: Vec<u64> = self.owners(memory, &pages)?.into_iter().flatten().collect();
        records.sort_unstable();
        records.dedup();
        Ok(records)
    }

    fn specials_of(
        &self,
        memory: &impl MemoryReader,
        records: &[u64],
        spans: &Spans,
        found: &mut Specials,
    ) -> Result<(), HeapError> {
        let mut pending = self.spans_and_lists(memory, records)?;
        for _ in 0..MAX_TRIES {
            let records: Vec<u64> = pending.iter().map(|(at, ..)| *at).collect();
            let again = self.spans_and_lists(memory, &records)?;
            let mut unsettled = Vec::new();
            // A record that is taken off while we stand on it leads astray: to those that are free. So
            // each list is read until nothing changes.
            for (before, after) in pending.into_iter().zip(again) {
                let (_, span, list) = &after;
                match (span, list) {
                    _ if before != after => unsettled.push(after),
                    // A span that is no longer one has no records: it was empty.
                    (None, _) => {}
                    (Some(_), None) => unsettled.push(after),
                    (Some(span), Some(list)) => {
                        for record in list {
                            self.add(span, record, spans, found);
                        }
                    }
                }
            }
            if unsettled.is_empty() {
                return Ok(());
            }
            pending = unsettled;
        }
        Err(HeapError::Moving {
            what: "the list of finalizers of a span",
            address: RuntimeAddress(pending[0].0),
        })
    }

    /// The spans that have these records now, if they are in use, and their lists.
    fn spans_and_lists(
        &self,
        memory: &impl MemoryReader,
        records: &[u64],
    ) -> Result<Vec<(u64, Option<Span>, List)>, HeapError> {
        let raw = self.raw_spans(memory, records)?;
        let spans = raw.iter().zip(records);
        let spans: Vec<Option<Span>> = spans.map(|(raw, at)| Span::new(raw, *at)).collect();
        let in_use: Vec<Span> = spans.iter().flatten().copied().collect();
        let mut lists = self.lists(memory, &in_use)?.into_iter();
        let all = records.iter().zip(spans).map(|(record, span)| {
            let list = span.and_then(|_| lists.next()).flatten();
            (*record, span, list)
        });
        Ok(all.collect())
    }

    fn add(&self, span: &Span, record: &Record, spans: &Spans, found: &mut Specials) {
        // They may be set for an inner byte.
        let start = span.start + record.offset / span.element * span.element;
        let object = ObjectAt {
            start,
            bytes: span.element,
        };
        let words = match kind(self.layout.minor, record.kind) {
            Kind::Harmless => 0,
            Kind::Words(words) => words,
            Kind::Weak => {
                let handle = record.words[0];
                found.weak.push(WeakPointer { handle, start });
                0
            }
            Kind::Finalizer => {
                if !span.no_scan {
                    found.contents.push(object);
                }
                WORDS
            }
        };
        let words = record.words.iter().take(words).copied();
        found
            .words
            .extend(words.filter(|word| spans.may_hold(*word)));
    }

    /// The lists of these spans, a record of each at a time.
    fn lists(&self, memory: &impl MemoryReader, spans: &[Span]) -> Result<Vec<List>, HeapError> {
        let layout = &self.layout.special;
        let heads = spans
            .iter()
            .map(|span| RuntimeAddress(span.mspan).plus(self.layout.span.specials.into()));
        let heads = heads.collect::<Result<Vec<_>, _>>()?;
        let mut lists: Vec<List> = vec![Some(Vec::new()); spans.len()];
        // Which list, and where its next record is.
        let mut next: Vec<(usize, u64)> = Vec::new();
        let mut failed = None;
        memory.read_extents(&Extent::each(heads, 8), &mut |place, bytes| match bytes {
            Ok(bytes) => next.extend(u64_at(bytes, 0).map(|head| (place, head))),
            Err(error) => failed = Some(error),
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        let mut count = 0;
        loop {
            next.retain(|(_, at)| *at != 0);
            if next.is_empty() {
                return Ok(lists);
            }
            count += next.len() as u64;
            let place = RuntimeAddress(next[0].1);
            bounded(
                "the number of finalizers of some spans",
                place,
                count,
                MAX_RECORDS,
            )?;
            let length = layout.size as usize + WORDS * 8;
            let extents = Extent::each(next.iter().map(|(_, at)| RuntimeAddress(*at)), length);
            let mut read: Vec<Option<(Record, u64)>> = vec![None; next.len()];
            memory.read_extents(&extents, &mut |place, bytes| {
                read[place] = bytes.ok().and_then(|bytes| self.record(bytes));
            });
            for ((list, at), read) in next.iter_mut().zip(read) {
                // Records of smaller kinds may be the last of their memory.
                let read = match read {
                    Some(read) => Some(read),
                    None => self.record_alone(memory, RuntimeAddress(*at))?,
                };
                let (records, span) = (&mut lists[*list], &spans[*list]);
                let fits = |record: &Record, records: &[Record]| {
                    // In this order `addspecial` keeps them.
                    let key = |record: &Record| (record.offset, record.kind);
                    record.offset < span.bytes
                        && records.last().is_none_or(|last| key(last) <= key(record))
                };
                *at = 0;
                match (read, records.as_mut()) {
                    (Some((record, next)), Some(list)) if fits(&record, list) => {
                        list.push(record);
                        *at = next;
                    }
                    _ => *records = None,
                }
            }
        }
    }

    /// A record, and the address of the next.
    fn record(&self, bytes: &[u8]) -> Option<(Record, u64)> {
        let layout = &self.layout.special;
        let mut all = words(bytes.get(layout.size as usize..)?);
        let record = Record {
            offset: match layout.offset_size {
                2 => u16_at(bytes, layout.offset.into())?.into(),
                _ => u64_at(bytes, layout.offset.into())?,
            },
            kind: u8_at(bytes, layout.kind.into())?,
            words: std::array::from_fn(|_| all.next().unwrap_or(0)),
        };
        Some((record, u64_at(bytes, layout.next.into())?))
    }

    /// One behind which nothing may be mapped; `None` where it is no record.
    fn record_alone(
        &self,
        memory: &impl MemoryReader,
        at: RuntimeAddress,
    ) -> Result<Option<(Record, u64)>, MemoryError> {
        let size = self.layout.special.size as usize;
        let mut bytes = vec![0; size + WORDS * 8];
        for words in (0..=WORDS).rev() {
            match memory.read(at, &mut bytes[..size + words * 8]) {
                Ok(()) => {
                    let read = self.record(&bytes[..size + words * 8]);
                    // It must have as many words as its kind has.
                    return Ok(read.filter(|(record, _)| words >= self.words_of(record.kind)));
                }
                Err(MemoryError::Unmapped { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn words_of(&self, number: u8) -> usize {
        match kind(self.layout.minor, number) {
            Kind::Harmless => 0,
            Kind::Words(words) => words,
            Kind::Weak => 1,
            Kind::Finalizer => WORDS,
        }
    }
}
