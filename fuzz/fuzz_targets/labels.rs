//! A goroutine's labels, a list or a map, in memory that holds anything.
#![no_main]

use gostray::binary::RuntimeAddress;
use gostray_fuzz::{BASE, memory, release};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [choice, bytes @ ..] = bytes else {
        return;
    };
    let memory = memory(bytes, 0x4000);
    if let Ok(labels) = release(*choice).labels.read(&memory, RuntimeAddress(BASE)) {
        assert!(labels.len() <= 256);
    }
});
