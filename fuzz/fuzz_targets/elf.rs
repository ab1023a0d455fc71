//! A whole file: headers, notes, symbols, debug sections, and all the rest if it gets that far.
#![no_main]

use gostray::binary::{ElfView, FileOffset, GoBinary, LinkAddress, debug_section, native_frames};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(elf) = ElfView::parse(data) else {
        return;
    };
    for section in elf.sections() {
        let _ = (elf.section_name(section), elf.section_bytes(section));
    }
    for segment in elf.segments() {
        let _ = (
            elf.tail_at(segment.address),
            elf.file_offset(segment.address),
        );
        let _ = elf.bytes_at(segment.address, segment.memory_size);
        let _ = elf.link_address(segment.offset);
    }
    let _ = (
        elf.gnu_build_id(),
        elf.go_build_id(),
        elf.symbol("main.main"),
    );
    let _ = (
        elf.symbol_at(elf.entry()),
        elf.text_mapping_address(FileOffset(0)),
    );
    let _ = debug_section(&elf, ".debug_info");
    let _ = native_frames(&elf, LinkAddress(elf.entry().0));
    let _ = GoBinary::from_bytes(data);
});
