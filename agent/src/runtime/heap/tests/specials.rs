use super::fake::{BASE, FakeHeap, LIMIT, SMALL, Shape};
use crate::{
    binary::RuntimeAddress,
    runtime::heap::{HeapError, ObjectAt, Specials, WeakPointer},
};

const NO_SCAN: Shape = Shape { class: 11, ..SMALL };

impl FakeHeap {
    /// A record about the byte at `offset` of a span, followed by `next`.
    fn special(&self, offset: u64, kind: u8, words: &[u64], next: u64) -> u64 {
        let layout = &self.heap.layout.special;
        let at = self
            .runtime
            .allocate(layout.size as usize + words.len() * 8);
        self.runtime.set(at, layout.next, next);
        let bytes = &offset.to_le_bytes()[..layout.offset_size as usize];
        self.runtime.put(at + u64::from(layout.offset), bytes);
        self.runtime.put(at + u64::from(layout.kind), &[kind]);
        for (place, word) in (0..).zip(words) {
            self.runtime.set(at, layout.size + 8 * place, *word);
        }
        at
    }

    /// Says that the span in this page has specials.
    fn specials(&self, page: u64, mspan: u64, first: u64) {
        self.set(mspan, "specials", first);
        let bits = self.arena + u64::from(self.heap.layout.arena.page_specials);
        self.runtime.put(bits + page / 8, &[1 << (page % 8)]);
    }

    fn read_specials(&self) -> Result<Specials, HeapError> {
        let spans = self.heap.spans(&self.runtime, LIMIT).expect("spans");
        self.heap.specials(&self.runtime, &spans)
    }
}

fn finalizer(minor: u32) -> u8 {
    if minor < 25 { 1 } else { 2 }
}

#[test]
fn what_a_finalized_object_leads_to_is_a_root_in_every_release() {
    for minor in 18..=27 {
        let mut fake = FakeHeap::new(minor);
        let mspan = fake.span(SMALL);
        // A profile's record behind it, the last of its memory.
        let profile = match minor {
            18..=22 => 2,
            23..=24 => 3,
            _ => 4,
        };
        let last = fake.special(64 * 9, profile, &[BASE + 64], 0);
        let words = [BASE + 128, 0, 7, 0x40_0000];
        let first = fake.special(64 * 3 + 8, finalizer(minor), &words, last);
        fake.specials(0, mspan, first);
        let found = fake.read_specials().expect("readable");
        let object = ObjectAt {
            start: BASE + 64 * 3,
            bytes: 64,
        };
        assert_eq!(found.contents, [object], "1.{minor}");
        assert_eq!(found.words, [BASE + 128], "1.{minor}");
    }
}

#[test]
fn weak_targets_cleanups_and_unknown_kinds() {
    let mut fake = FakeHeap::new(27);
    let mspan = fake.span(SMALL);
    let quiet = fake.span(NO_SCAN);
    let unknown = fake.special(128, 77, &[0, BASE + 1, 0, BASE + 2], 0);
    let cleanup = fake.special(64, 7, &[1, BASE + 192, BASE + 256, 9], unknown);
    let weak = fake.special(0, 3, &[BASE + 512], cleanup);
    fake.specials(0, mspan, weak);
    let found = fake.read_specials().expect("readable");
    let object = ObjectAt {
        start: BASE + 128,
        bytes: 64,
    };
    assert_eq!(found.contents, [object]);
    assert_eq!(found.words, [1, 2, 192, 256].map(|offset| BASE + offset));
    let weak = WeakPointer {
        handle: BASE + 512,
        start: BASE,
    };
    assert_eq!(found.weak, [weak]);

    // It has nothing that could be a root.
    fake.specials(1, quiet, fake.special(0, 2, &[0; 4], 0));
    let found = fake.read_specials().expect("readable");
    assert_eq!(found, Specials::default(), "the first page's bit is gone");
}

#[test]
fn lists_that_are_none_or_move_are_errors() {
    for minor in [18, 27] {
        let kind = finalizer(minor);
        let broken = |make: fn(&FakeHeap, u8) -> u64| {
            let mut fake = FakeHeap::new(minor);
            let mspan = fake.span(SMALL);
            fake.specials(0, mspan, make(&fake, kind));
            fake.read_specials().expect_err("no list")
        };
        // Out of order, out of the span, a ring, nowhere, cut off.
        for error in [
            broken(|fake, kind| {
                let last = fake.special(64, kind, &[0; 4], 0);
                fake.special(128, kind, &[0; 4], last)
            }),
            broken(|fake, kind| fake.special(8192, kind, &[0; 4], 0)),
            broken(|_, _| 8),
            broken(|fake, kind| fake.special(64, kind, &[0; 3], 0)),
        ] {
            assert!(matches!(error, HeapError::Moving { .. }), "{error}");
        }
        let ring = broken(|fake, kind| {
            let first = fake.special(64, kind, &[0; 4], 0);
            fake.runtime
                .set(first, fake.heap.layout.special.next, first);
            first
        });
        assert!(matches!(ring, HeapError::Memory(_)), "{ring}");
    }
}

#[test]
fn a_list_is_read_until_it_rests() {
    let mut fake = FakeHeap::new(27);
    let mspan = fake.span(SMALL);
    let last = fake.special(128, 2, &[BASE + 192, 0, 0, 0], 0);
    let first = fake.special(64, 2, &[BASE + 256, 0, 0, 0], last);
    fake.specials(0, mspan, first);
    let next = fake.heap.layout.special.next;
    let spans = fake.heap.spans(&fake.runtime, LIMIT).expect("spans");
    let runtime = fake.runtime.on_read(move |runtime, address, times| {
        // The second is there again when the list is read for the third time.
        if address == first {
            runtime.set(first, next, if times < 2 { 0 } else { last });
        }
    });
    let found = fake.heap.specials(&runtime, &spans).expect("readable");
    assert_eq!(found.contents.len(), 2);
    assert_eq!(found.words, [BASE + 192, BASE + 256]);
}

#[test]
fn what_is_queued_is_a_root() {
    let mut fake = FakeHeap::new(27);
    fake.span(SMALL);
    let blocks: Vec<u64> = (0..2).map(|_| fake.runtime.allocate(4096)).collect();
    fake.runtime.set(blocks[0], 0, blocks[1]);
    fake.runtime.set(blocks[0], 32, BASE + 64);
    fake.runtime.set(blocks[1], 24, BASE + 128);
    let cleanups = fake.runtime.allocate(512);
    fake.runtime.set(cleanups, 48, BASE + 192);
    let head = |block| RuntimeAddress(fake.runtime.words(&[block]));
    // Something else that two functions refer to.
    let other = head(8);
    fake.heap.queues.finalizers.heads = vec![other, head(blocks[0])];
    fake.heap.queues.cleanups.heads = vec![head(cleanups)];
    let found = fake.read_specials().expect("readable");
    assert_eq!(found.words, [64, 128, 192].map(|offset| BASE + offset));

    fake.heap.queues.finalizers.certain = true;
    assert!(fake.read_specials().is_err(), "nothing else can be meant");
    fake.heap.queues.finalizers.heads = vec![RuntimeAddress(fake.runtime.words(&[blocks[0]]))];
    fake.runtime.set(blocks[1], 0, blocks[0]);
    assert!(fake.read_specials().is_err(), "a ring");
}
