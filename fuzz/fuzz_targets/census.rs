//! The list of goroutines, in memory that holds anything.
#![no_main]

use gostray::{
    binary::RuntimeAddress,
    memory::BytesMemory,
    runtime::{AllGoroutines, Census, Scope},
};
use gostray_fuzz::{release, unwinder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [choice, bytes @ ..] = bytes else {
        return;
    };
    let layout = &release(*choice).goroutine;
    let memory = BytesMemory {
        base: 0,
        bytes: bytes.to_vec(),
    };
    let all = AllGoroutines::at(RuntimeAddress(0));
    let mut unwinder = unwinder();
    let scope = Scope {
        stacks: Some(&mut unwinder),
        waits: None,
    };
    let mut visited = 0;
    if let Ok(census) = Census::take(&memory, layout, all, scope, |_| visited += 1) {
        // Nothing moves: each is passed on, or counted as not.
        assert!(visited <= census.alive);
        assert!(census.alive <= visited + census.unseen());
    }
    let _ = Census::count(&memory, layout, all);
});
