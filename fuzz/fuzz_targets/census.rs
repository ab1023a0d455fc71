//! The list of goroutines, in memory that holds anything.
#![no_main]

use std::sync::LazyLock;

use gostray::{
    binary::{Architecture, RuntimeAddress},
    memory::BytesMemory,
    runtime::{
        AllGoroutines, Census,
        layout::{GoroutineLayout, Layouts},
    },
};
use libfuzzer_sys::fuzz_target;

static LAYOUT: LazyLock<GoroutineLayout> = LazyLock::new(|| {
    let layouts = Layouts::for_binary(&[], 24, Architecture::X86_64).expect("a known release");
    GoroutineLayout::new(&layouts).expect("a complete layout")
});

fuzz_target!(|bytes: &[u8]| {
    let memory = BytesMemory {
        base: 0,
        bytes: bytes.to_vec(),
    };
    let all = AllGoroutines::at(RuntimeAddress(0));
    let mut visited = 0;
    if let Ok(census) = Census::take(&memory, &LAYOUT, all, |_| visited += 1) {
        assert!(visited <= census.alive);
    }
    let _ = Census::count(&memory, &LAYOUT, all);
});
