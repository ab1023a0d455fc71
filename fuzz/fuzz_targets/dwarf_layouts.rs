//! DWARF of a stranger's binary: whatever the bytes, an answer or an error, in bounded time.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let wanted: &[(&str, &[&str])] = &[("runtime.g", &[]), ("runtime.stack", &["lo", "hi"])];
    if let Ok(found) = gostray::binary::dwarf::struct_layouts(bytes, wanted) {
        for layout in found.values() {
            for field in layout.fields.values() {
                assert!(u64::from(field.offset) + u64::from(field.size) <= u64::from(layout.size));
            }
        }
    }
});
