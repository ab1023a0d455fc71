use super::fake::{BASE, FakeHeap, SMALL};
use crate::runtime::heap::{ARENA, LookedUp, PAGE};

#[test]
fn objects_are_found_by_way_of_the_arenas_table() {
    for minor in 18..=27 {
        let mut fake = FakeHeap::new(minor);
        let first = fake.span(SMALL);
        let second = fake.span(SMALL);
        let stack = fake.span(SMALL);
        fake.set(stack, "state", 2);
        let words = [
            BASE + PAGE + 64 * 3 + 1,
            BASE,
            BASE + PAGE - 1,
            BASE + 2 * PAGE,
            BASE + 3 * PAGE,
            BASE + ARENA,
            8,
            u64::MAX,
        ];
        let found = fake.heap.look_up(&fake.runtime, &words).expect("readable");
        let object = |found: &LookedUp| match found {
            LookedUp::Object { span, index } => Some((span.mspan, span.object(*index))),
            _ => None,
        };
        assert_eq!(object(&found[0]), Some((second, BASE + PAGE + 64 * 3)));
        assert_eq!(object(&found[1]), Some((first, BASE)));
        assert_eq!(found[2..], [LookedUp::Nothing; 6], "1.{minor}");
    }
}

#[test]
fn a_span_that_changes_or_cannot_be_is_unsure() {
    let mut fake = FakeHeap::new(27);
    let mspan = fake.span(SMALL);
    fake.set(mspan, "elemsize", 63);
    let found = fake.heap.look_up(&fake.runtime, &[BASE]).expect("readable");
    assert_eq!(found, [LookedUp::Unsure]);

    fake.set(mspan, "elemsize", 64);
    fake.set(mspan, "startAddr", BASE + PAGE);
    let found = fake.heap.look_up(&fake.runtime, &[BASE]).expect("readable");
    assert_eq!(found, [LookedUp::Unsure]);

    fake.set(mspan, "startAddr", BASE);
    let element = fake.runtime.layouts.offset("runtime.mspan", "elemsize");
    let element = element.expect("a field");
    fake.runtime = fake.runtime.on_read(move |runtime, address, times| {
        if (address, times) == (mspan, 1) {
            runtime.set(mspan, element, 32);
        }
    });
    let found = fake.heap.look_up(&fake.runtime, &[BASE]).expect("readable");
    assert_eq!(found, [LookedUp::Unsure]);
}

#[test]
fn a_table_that_is_not_there_is_an_error() {
    let fake = FakeHeap::new(27);
    fake.runtime.set(fake.mheap, fake.heap.layout.arenas, 8);
    assert!(fake.heap.look_up(&fake.runtime, &[BASE]).is_err());
}
