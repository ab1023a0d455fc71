//! A `g` and its parked stack, in memory that holds anything.
#![no_main]

use std::sync::LazyLock;

use gostray::{
    binary::{Architecture, RuntimeAddress},
    memory::BytesMemory,
    runtime::{
        layout::{GoroutineLayout, Layouts},
        read_goroutine,
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
    if let Ok(Some(goroutine)) = read_goroutine(&memory, &LAYOUT, RuntimeAddress(0)) {
        assert!(goroutine.stack.len() <= 64);
    }
});
