//! Which object a word points into now, asked of the runtime's own tables.

use super::{Heap, HeapError, MAX_ADDRESS, PAGE, Span, layout::IN_USE};
use crate::memory::MemoryReader;

/// Words that are looked up before the next.
const BATCH: usize = 1 << 14;

/// What a word points into now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookedUp {
    /// An object of a span in use. Whether it is in use itself is not looked at.
    Object {
        /// The span now. Its `first_word` means nothing: it belongs to no copy.
        span: Span,
        /// The object's number in it.
        index: u32,
    },
    /// No object of the heap: a stack, memory that is free, or none of the heap's.
    Nothing,
    /// A span in use whose record cannot be right, or changed while it was read. There may be an
    /// object, of which nothing is known.
    Unsure,
}

impl Heap {
    /// In which object each of `words` lies now, if any, by way of the arena's table of pages.
    ///
    /// A word that was read before this and pointed to an object then is [`LookedUp::Nothing`] only if
    /// that object has been freed since: the runtime makes a span known before it hands out objects of
    /// it.
    ///
    /// # Errors
    /// Not readable.
    pub fn look_up(
        &self,
        memory: &impl MemoryReader,
        words: &[u64],
    ) -> Result<Vec<LookedUp>, HeapError> {
        let mut found = Vec::with_capacity(words.len());
        for batch in words.chunks(BATCH) {
            self.look_up_batch(memory, batch, &mut found)?;
        }
        Ok(found)
    }

    fn look_up_batch(
        &self,
        memory: &impl MemoryReader,
        words: &[u64],
        found: &mut Vec<LookedUp>,
    ) -> Result<(), HeapError> {
        let page = |word: &u64| word / PAGE * PAGE;
        let mut pages: Vec<u64> = words.iter().map(page).collect();
        pages.retain(|page| *page < MAX_ADDRESS);
        pages.sort_unstable();
        pages.dedup();
        let owners = self.owners(memory, &pages)?;
        let mut records: Vec<u64> = owners.iter().flatten().copied().collect();
        records.sort_unstable();
        records.dedup();
        let before = self.raw_spans(memory, &records)?;
        let after = self.raw_spans(memory, &records)?;
        let at = |word: &u64| {
            let owner = owners[pages.binary_search(&page(word)).ok()?]?;
            let place = records.binary_search(&owner).ok()?;
            let (raw, again) = (before[place], after[place]);
            if raw.state != IN_USE && again.state != IN_USE {
                return None;
            }
            let span = Span::new(&raw, owner).filter(|span| span.is_still(&again));
            let Some(span) = span else {
                return Some(LookedUp::Unsure);
            };
            match word.checked_sub(span.start).filter(|it| *it < span.bytes) {
                Some(offset) => span
                    .index(offset)
                    .map(|index| LookedUp::Object { span, index }),
                // The page has another owner by now.
                None => Some(LookedUp::Unsure),
            }
        };
        found.extend(
            words
                .iter()
                .map(|word| at(word).unwrap_or(LookedUp::Nothing)),
        );
        Ok(())
    }
}
