//! The scheduler's counter, its list of processors, and the collector's books, in memory that holds anything.
#![no_main]

use gostray::{
    binary::RuntimeAddress,
    runtime::{HeapSize, Scheduler},
};
use gostray_fuzz::{BASE, memory, put, release};
use libfuzzer_sys::fuzz_target;

/// Room for the scheduler and some processors, which take ten thousand bytes each.
const SIZE: usize = 0x2_0000;

fuzz_target!(|bytes: &[u8]| {
    let [choice, count, bytes @ ..] = bytes else {
        return;
    };
    let layouts = &release(*choice).layouts;
    let mut memory = memory(bytes, SIZE);
    let all = SIZE - 32;
    // Processors in order, so that more than the first is looked at.
    let id = layouts.offset("runtime.p", "id").expect("it has one");
    let p = layouts
        .size("runtime.p")
        .expect("it is known")
        .next_multiple_of(8);
    let count = u32::from(*count) % 8;
    for n in 0..count {
        let place = (0x1000 + n * p) as usize;
        put(&mut memory, place + id as usize, &n.to_le_bytes());
        let address = BASE + place as u64;
        put(&mut memory, 0x800 + 8 * n as usize, &address.to_le_bytes());
    }
    let slice = [BASE + 0x800, count.into(), count.into()];
    for (n, word) in slice.into_iter().enumerate() {
        put(&mut memory, all + 8 * n, &word.to_le_bytes());
    }
    let processors = RuntimeAddress(BASE + all as u64);
    let scheduler = Scheduler::at(RuntimeAddress(BASE), processors, layouts);
    if let Ok(created) = scheduler.expect("a complete layout").created(&memory) {
        assert!(created <= 1 << 56);
    }
    let heap = HeapSize::at(RuntimeAddress(BASE), layouts).expect("a complete layout");
    if let Ok(heap) = heap.read(&memory) {
        assert!(heap.live_bytes <= 1 << 48 && heap.marked_bytes <= 1 << 48);
    }
});
