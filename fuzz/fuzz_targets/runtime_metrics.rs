//! The figures that the runtime counts of itself, in memory that holds anything.
#![no_main]

use gostray::{
    binary::RuntimeAddress,
    runtime::{
        AllGoroutines, HeapSize, Scheduler,
        metrics::{Known, RuntimeReader},
    },
};
use gostray_fuzz::{BASE, layouts_of, memory, put};
use libfuzzer_sys::fuzz_target;

/// Room for the statistics, which take fifteen thousand bytes in Go 1.18, and some processors.
const SIZE: usize = 0x2_0000;

fuzz_target!(|bytes: &[u8]| {
    let [choice, count, at, bytes @ ..] = bytes else {
        return;
    };
    let minor = 18 + choice % 10;
    let layouts = layouts_of(minor.into());
    let mut memory = memory(bytes, SIZE);
    let lists = SIZE - 64;
    // Processors in order, so that more than the first is looked at.
    let id = layouts.offset("runtime.p", "id").expect("it has one");
    let p = layouts
        .size("runtime.p")
        .expect("it is known")
        .next_multiple_of(8);
    let count = u32::from(*count) % 4;
    for n in 0..count {
        let place = (0x8000 + n * p) as usize;
        put(&mut memory, place + id as usize, &n.to_le_bytes());
        let address = BASE + place as u64;
        put(&mut memory, 0x7f00 + 8 * n as usize, &address.to_le_bytes());
    }
    for (n, word) in [BASE + 0x7f00, count.into(), count.into()]
        .into_iter()
        .enumerate()
    {
        put(&mut memory, lists + 8 * n, &word.to_le_bytes());
    }
    // What lies where does not matter, and they may overlap.
    let place = |shift: u64| RuntimeAddress(BASE + u64::from(*at) * 8 + shift);
    let lists = RuntimeAddress(BASE + lists as u64);
    let scheduler = Scheduler::at(place(0x1000), lists, layouts).expect("a complete layout");
    let heap = HeapSize::at(place(0x3000), layouts).expect("a complete layout");
    let known = Known {
        all: AllGoroutines::at(lists),
        scheduler: Some(scheduler),
        heap: Some(heap),
    };
    let read = RuntimeReader::at(place(0x2000), layouts, minor.into(), known).read(&memory);
    if let Ok(memory) = read.memory {
        assert!(memory.stack_bytes <= 1 << 48 && memory.other_bytes < 1 << 52);
    }
    if let Ok(collector) = read.collector {
        assert!(collector.goal_bytes.is_none_or(|goal| goal < 1 << 48));
        assert!(collector.percent.is_none_or(|percent| percent < 1 << 31));
    }
    if let Ok(buckets) = read.latencies {
        assert!(buckets.len() <= 722);
        assert!(buckets.is_sorted_by(|a, b| a.below_seconds < b.below_seconds));
    }
    if let Ok(goroutines) = read.goroutines {
        assert!(goroutines >= 1);
    }
});
