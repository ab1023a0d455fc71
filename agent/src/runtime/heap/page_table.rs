//! From an address to the span: a table of pages for each arena, and a table of arenas.

use super::{ARENA_SHIFT, PAGE, PAGE_SHIFT, PAGES_OF_ARENA, spans::Span};

/// No span, or no arena.
const NONE: u32 = u32::MAX;
/// Arenas on both sides of one that count as near: where the heap grows next. `runtime/malloc.go`
/// takes the arena behind the last as long as it gets it.
const NEAR: u64 = 64;
/// Arenas that the table of arenas spans at most; all addresses of 48 bits have so many.
const MAX_ARENAS: u64 = 1 << (48 - ARENA_SHIFT);

/// Which span a page belongs to.
#[derive(Debug)]
pub(super) struct PageTable {
    /// Number of the first arena that is near.
    first: u64,
    /// For each arena from there on: `UNKNOWN`, `EMPTY`, or where its pages begin in `pages`, in
    /// arenas, plus `FULL`.
    arenas: Vec<u32>,
    pages: Vec<u32>,
}

/// No arena. Zero, so that the kernel hands out pages of the table only where it is written to.
const UNKNOWN: u32 = 0;
/// An arena without spans.
const EMPTY: u32 = 1;
const FULL: u32 = 2;

impl Default for PageTable {
    fn default() -> Self {
        Self::new(&[], &[])
    }
}

impl PageTable {
    /// Of spans that do not overlap, and the starts of arenas.
    pub(super) fn new(spans: &[Span], arenas: &[u64]) -> Self {
        let with_spans = numbers(spans.iter().flat_map(arenas_of));
        let known = numbers(arenas.iter().map(|start| start >> ARENA_SHIFT));
        let ends = [with_spans.first(), known.first()];
        let Some(first) = ends.into_iter().flatten().min() else {
            return Self {
                first: 0,
                arenas: Vec::new(),
                pages: Vec::new(),
            };
        };
        let ends = [with_spans.last(), known.last()];
        let last = ends.into_iter().flatten().max().unwrap_or(first);
        let first = first.saturating_sub(NEAR);
        let end = (last + 1 + NEAR).min(MAX_ARENAS);
        let mut table = Self {
            first,
            arenas: vec![UNKNOWN; index(end - first)],
            pages: vec![NONE; with_spans.len() * index(PAGES_OF_ARENA)],
        };
        for number in known {
            table.arenas[index(number - first)] = EMPTY;
        }
        for (place, number) in (FULL..).zip(&with_spans) {
            table.arenas[index(number - first)] = place;
        }
        for (number, span) in (0_u32..).zip(spans) {
            for page in 0..span.bytes / PAGE {
                if let Some(at) = table.page(span.start + page * PAGE) {
                    table.pages[at] = number;
                }
            }
        }
        table
    }

    /// Place in `pages`; `None` where no arena is known.
    #[inline]
    fn page(&self, address: u64) -> Option<usize> {
        let arena = (address >> ARENA_SHIFT).wrapping_sub(self.first);
        let place = *self.arenas.get(index(arena))?;
        let place = place.checked_sub(FULL)?;
        let page = (address >> PAGE_SHIFT) & (PAGES_OF_ARENA - 1);
        Some(index(u64::from(place) * PAGES_OF_ARENA + page))
    }

    /// The span that has the page of this address.
    #[inline]
    pub(super) fn span(&self, address: u64) -> Option<u32> {
        let span = *self.pages.get(self.page(address)?)?;
        (span != NONE).then_some(span)
    }

    /// Whether the address lies in an arena, or where the next ones may come.
    #[inline]
    pub(super) fn is_near(&self, address: u64) -> bool {
        let number = address >> ARENA_SHIFT;
        let place = index(number.wrapping_sub(self.first));
        let Some(arena) = self.arenas.get(place) else {
            return false;
        };
        if *arena != UNKNOWN {
            return true;
        }
        let reach = index(NEAR);
        let around = place.saturating_sub(reach)..(place + reach + 1).min(self.arenas.len());
        self.arenas[around].iter().any(|arena| *arena != UNKNOWN)
    }
}

/// The arenas that a span lies in, at least in part.
pub(super) fn arenas_of(span: &Span) -> std::ops::RangeInclusive<u64> {
    span.start >> ARENA_SHIFT..=(span.start + span.bytes - 1) >> ARENA_SHIFT
}

fn numbers(arenas: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut numbers: Vec<u64> = arenas.filter(|number| *number < MAX_ARENAS).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Numbers here have 48 bits at most, and one that does not fit is behind the end of every table.
#[inline]
fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
