//! A core file: headers, notes, and the memory in it.
#![no_main]

use gostray::{
    binary::{FileOffset, RuntimeAddress},
    memory::{CoreFile, MappedFile, MemoryReader as _, core_file::ReadOnly},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(file) = MappedFile::from_bytes(data) else {
        return;
    };
    let Ok(mut core) = CoreFile::from_file(file) else {
        return;
    };
    let shortfall = core.shortfall();
    assert!(shortfall.is_none_or(|shortfall| shortfall.present < shortfall.expected));
    let process = core.process().clone();
    let mut addresses: Vec<RuntimeAddress> = core.starts().take(64).collect();
    addresses.extend(process.entry);
    addresses.extend(process.files.iter().take(64).map(|file| file.start));
    for address in &addresses {
        let _ = process.file_at(*address);
    }
    // As if the file were its own executable.
    if let Ok(executable) = MappedFile::from_bytes(data) {
        let ranges = process.files.iter().take(64).map(|file| ReadOnly {
            address: file.start,
            offset: FileOffset(file.offset.0),
            size: file.end.0.wrapping_sub(file.start.0),
        });
        core.set_executable(executable, ranges.collect());
    }
    let mut bytes = vec![0; 5000];
    for address in addresses {
        for length in [1, 8, 5000] {
            if core.read(address, &mut bytes[..length]).is_ok() {
                // What can be read as a whole can be read from its end too.
                let last = RuntimeAddress(address.0 + (length as u64 - 1));
                assert!(core.read(last, &mut [0]).is_ok());
            }
        }
    }
});
