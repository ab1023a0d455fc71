//! A `g` and its parked stack, in memory that holds anything.
#![no_main]

use gostray::{binary::RuntimeAddress, memory::BytesMemory, runtime::read_goroutine};
use gostray_fuzz::{release, unwinder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [choice, bytes @ ..] = bytes else {
        return;
    };
    let memory = BytesMemory {
        base: 0,
        bytes: bytes.to_vec(),
    };
    let layout = &release(*choice).goroutine;
    let read = read_goroutine(&memory, layout, &mut unwinder(), RuntimeAddress(0));
    if let Ok(Some(goroutine)) = read {
        assert!(goroutine.stack.len() <= 512);
    }
});
