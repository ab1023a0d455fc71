//! Build information of a file without section headers, so that the search for it is fuzzed too.
#![no_main]

use gostray::binary::{BuildInfo, ElfView, GoVersion};
use libfuzzer_sys::fuzz_target;

/// An ELF header and one writable segment that holds the rest of the file.
fn wrap(data: &[u8]) -> Vec<u8> {
    let mut file = vec![0_u8; 128];
    file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(16, &2_u16.to_le_bytes()); // ET_EXEC
    put(18, &62_u16.to_le_bytes()); // EM_X86_64
    put(20, &1_u32.to_le_bytes());
    put(32, &64_u64.to_le_bytes()); // program headers
    put(52, &64_u16.to_le_bytes());
    put(54, &56_u16.to_le_bytes());
    put(56, &1_u16.to_le_bytes());
    put(64, &1_u32.to_le_bytes()); // PT_LOAD
    put(68, &6_u32.to_le_bytes()); // read, write
    put(72, &128_u64.to_le_bytes());
    put(80, &0x40_0000_u64.to_le_bytes());
    put(96, &(data.len() as u64).to_le_bytes());
    put(104, &(data.len() as u64).to_le_bytes());
    file.extend_from_slice(data);
    file
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(version) = GoVersion::parse(text)
    {
        // What is printed is what is understood.
        assert_eq!(GoVersion::parse(&version.to_string()), Some(version));
    }
    let file = wrap(data);
    let elf = ElfView::parse(&file).expect("the header is right");
    if let Ok(info) = BuildInfo::read(&elf) {
        let _ = (info.vcs_revision(), info.vcs_modified(), info.is_trimpath());
    }
});
