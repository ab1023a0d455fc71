//! Core files that are cut short, damaged, or something else.

use std::io::Write as _;

use proptest::prelude::*;

use super::*;

/// Whatever is missing, what is read is what was there. Cut at every byte of the file's header and
/// around the ends of what is behind it, else at every eighth: each cut is a mapping of its own, and
/// threads that map wait for each other.
#[test]
fn cut_short_at_many_lengths() {
    let whole = sample().bytes();
    let all = sample().open();
    let headers = HEADER + 4 * ENTRY;
    let contents = whole.len() - 0x200;
    let is_tried = |length: &usize| {
        let ends = [headers, contents, contents + 0x100, whole.len()];
        let near = |end: usize| length.abs_diff(end) <= 4;
        *length < HEADER || length.is_multiple_of(8) || ends.into_iter().any(near)
    };
    for length in (0..whole.len()).filter(is_tried) {
        let cut = match open(&whole[..length]) {
            Ok(core) => core,
            Err(error) => {
                assert!(length < headers, "{length}: {error}");
                let expected = match length {
                    0 => matches!(error, CoreFileError::Empty),
                    1..4 => matches!(error, CoreFileError::NotElf),
                    _ => matches!(error, CoreFileError::HeadersCutShort { .. }),
                };
                assert!(expected, "{length}: {error}");
                continue;
            }
        };
        let (present, expected) = (length as u64, whole.len() as u64);
        assert_eq!(cut.shortfall(), Some(Shortfall { present, expected }));
        let mut missing = 0;
        for address in 0x4ff0..0x5310 {
            match (read(&cut, address, 1), read(&all, address, 1)) {
                (Ok(cut), Ok(whole)) => assert_eq!(cut, whole),
                (Err(MemoryError::CutShort { .. }), Ok(_)) => missing += 1,
                (Err(cut), Err(whole)) => assert_eq!(cut.to_string(), whole.to_string()),
                (cut, whole) => panic!("{length}, {address:#x}: {cut:?}, {whole:?}"),
            }
        }
        assert_eq!(missing, (whole.len() - length).min(0x200), "{length}");
    }
}

#[test]
fn a_file_that_shrinks_later_is_an_error_too() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let core = Core::default().segment(0x1000, 0x10000, &[7; 0x10000]);
    file.write_all(&core.bytes()).unwrap();
    let core = CoreFile::open(file.path()).unwrap();
    assert_eq!(read(&core, 0x10000, 1).unwrap(), [7]);
    file.as_file().set_len(0x2000).unwrap();
    assert!(matches!(
        read(&core, 0x10000, 1),
        Err(MemoryError::FileChanged(_))
    ));
}

/// Sets bytes of a file.
fn changed(at: usize, to: &[u8]) -> Vec<u8> {
    let mut bytes = sample().bytes();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn other_files_are_refused_by_kind() {
    type Kind = fn(&CoreFileError) -> bool;
    let not_core: Kind = |error| matches!(error, CoreFileError::NotCore { .. });
    let not_supported: Kind = |error| matches!(error, CoreFileError::NotSupported { .. });
    let not_elf: Kind = |error| matches!(error, CoreFileError::NotElf);
    let malformed: Kind = |error| matches!(error, CoreFileError::Malformed { .. });
    let compressed: Kind =
        |error| matches!(error, CoreFileError::Compressed { format: "zstd", .. });
    let cut: Kind = |error| matches!(error, CoreFileError::HeadersCutShort { .. });
    let cases: [(&str, Vec<u8>, Kind); 12] = [
        ("text", b"#!/bin/sh\n".to_vec(), not_elf),
        ("zstd", b"\x28\xb5\x2f\xfd rest".to_vec(), compressed),
        ("executable", changed(16, &[2, 0]), not_core),
        ("library", changed(16, &[3, 0]), not_core),
        ("32 bits", changed(4, &[1]), not_supported),
        ("big-endian", changed(5, &[2]), not_supported),
        ("riscv", changed(18, &[243, 0]), not_supported),
        ("version", changed(6, &[9]), malformed),
        ("no segments", changed(56, &[0, 0]), malformed),
        ("small entries", changed(54, &[8, 0]), malformed),
        ("65534 segments", changed(56, &[0xfe, 0xff]), cut),
        ("far away", changed(39, &[0xff]), cut),
    ];
    for (name, bytes, kind) in cases {
        let error = open(&bytes).expect_err(name);
        assert!(kind(&error), "{name}: {error}");
    }
    let core = open(&changed(18, &[183, 0])).expect("arm64");
    assert_eq!(core.architecture(), Architecture::Aarch64);
}

/// More segments than the header can count: the first section header counts them.
#[test]
fn absurd_numbers_of_segments() {
    let counted = |count: u32| {
        let mut bytes = changed(56, &[0xff, 0xff]);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let place = bytes.len() as u64;
        bytes[40..48].copy_from_slice(&place.to_le_bytes());
        bytes[58..60].copy_from_slice(&[64, 0]);
        let mut section = vec![0; 64];
        section[44..48].copy_from_slice(&count.to_le_bytes());
        bytes.extend(section);
        open(&bytes)
    };
    assert_eq!(read(&counted(4).unwrap(), 0x51ff, 1).unwrap(), [255]);
    assert!(matches!(
        counted(70_000),
        Err(CoreFileError::HeadersCutShort { .. })
    ));
    assert!(matches!(
        counted(u32::MAX),
        Err(CoreFileError::Malformed { .. })
    ));
    // Where that section header should be the file has ended.
    assert!(matches!(
        open(&changed(56, &[0xff, 0xff])),
        Err(CoreFileError::HeadersCutShort { .. })
    ));
}

#[test]
fn absurd_sizes() {
    // Of the segment at 0x5100: offset, address, file size, memory size.
    let entry = HEADER + 2 * ENTRY;
    let set = |field: usize, to: u64| open(&changed(entry + 8 * field, &to.to_le_bytes())).unwrap();
    let offset = set(1, u64::MAX - 8);
    assert!(matches!(
        read(&offset, 0x5100, 1),
        Err(MemoryError::CutShort { .. })
    ));
    assert_eq!(offset.shortfall().unwrap().expected, u64::MAX);
    let address = set(2, u64::MAX - 4);
    assert_eq!(read(&address, u64::MAX - 4, 4).unwrap(), [0, 1, 2, 3]);
    assert!(matches!(
        read(&address, u64::MAX - 4, 6),
        Err(MemoryError::Unmapped { .. })
    ));
    let size = set(4, u64::MAX);
    assert_eq!(read(&size, 0x51ff, 1).unwrap(), [255]);
    assert!(size.shortfall().is_some());
    let memory = set(5, u64::MAX);
    assert!(matches!(
        read(&memory, 0x5200, 1),
        Err(MemoryError::NotInCore { .. })
    ));
    let small = set(5, 1);
    assert!(matches!(
        read(&small, 0x5101, 1),
        Err(MemoryError::Unmapped { .. })
    ));
    // The list of files: too many, too large a unit, a path without end.
    for (at, to) in [(0, u64::MAX), (0, 3), (8, u64::MAX)] {
        let mut files = nt_file(4096, &[(1, 2, 3, "/x"), (3, 4, 5, "/y")]);
        files[at..at + 8].copy_from_slice(&to.to_le_bytes());
        let core = Core::default().note(NT_FILE, files).open();
        assert_eq!(core.process().files, [], "{at} {to}");
    }
    let mut files = nt_file(4096, &[(1, 2, 3, "/x"), (3, 4, 5, "/y")]);
    files.pop();
    let core = Core::default().note(NT_FILE, files).open();
    assert_eq!(core.process().files.len(), 1);
}

proptest! {
    #[test]
    fn damaged_files_never_panic(
        changes in prop::collection::vec((0_usize..700, any::<u8>()), 1..20),
        length in 0_usize..2000,
        address in prop_oneof![0x4ff0_u64..0x5310, any::<u64>()],
    ) {
        let mut bytes = sample().bytes();
        for (at, to) in changes {
            let at = at % bytes.len();
            bytes[at] = to;
        }
        bytes.truncate(length.max(HEADER));
        if let Ok(core) = open(&bytes) {
            let _ = (core.shortfall(), core.process(), core.starts().count());
            let _ = read(&core, address, 300);
        }
    }
}
