use std::io::Write as _;

use object::elf::{NT_AUXV, NT_FILE, NT_PRPSINFO, NT_PRSTATUS, PT_LOAD, PT_NOTE};
use proptest::prelude::*;

use super::*;

const HEADER: usize = 64;
const ENTRY: usize = 56;

/// What a core file is to hold; `bytes` puts it together as the kernel does, notes first.
#[derive(Clone, Default)]
struct Core {
    /// Address, bytes in memory, bytes in the file.
    segments: Vec<(u64, u64, Vec<u8>)>,
    notes: Vec<(u32, Vec<u8>)>,
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A list of notes of the kernel.
fn note_bytes(notes: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, description) in notes {
        let header = [5, u32::try_from(description.len()).unwrap(), *kind];
        bytes.extend(header.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(b"CORE\0\0\0\0");
        bytes.extend(description);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

impl Core {
    fn segment(mut self, address: u64, memory: u64, bytes: &[u8]) -> Self {
        self.segments.push((address, memory, bytes.to_vec()));
        self
    }

    fn note(mut self, kind: u32, description: Vec<u8>) -> Self {
        self.notes.push((kind, description));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let count = 1 + self.segments.len();
        let mut file = vec![0; HEADER];
        file[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\0");
        file[16..20].copy_from_slice(&[4, 0, 62, 0]);
        file[20] = 1;
        file[32] = 64;
        file[54] = 56;
        file[56..58].copy_from_slice(&u16::try_from(count).unwrap().to_le_bytes());
        let notes = note_bytes(&self.notes);
        let mut offset = (HEADER + count * ENTRY) as u64;
        let mut contents = notes.clone();
        let pieces = self.segments.iter();
        let pieces = pieces.map(|(address, memory, bytes)| (PT_LOAD, *address, *memory, bytes));
        for (kind, address, memory, bytes) in std::iter::once((PT_NOTE, 0, 0, &notes)).chain(pieces)
        {
            file.extend(u64::from(kind).to_le_bytes());
            let size = bytes.len() as u64;
            file.extend(words(&[offset, address, 0, size, memory, 1]));
            offset += size;
            if kind == PT_LOAD {
                contents.extend(bytes);
            }
        }
        file.extend(contents);
        file
    }

    fn open(&self) -> CoreFile {
        open(&self.bytes()).expect("a core file")
    }
}

fn open(bytes: &[u8]) -> Result<CoreFile, CoreFileError> {
    CoreFile::from_file(MappedFile::from_bytes(bytes).unwrap())
}

fn read(core: &CoreFile, address: u64, length: usize) -> Result<Vec<u8>, MemoryError> {
    let mut bytes = vec![0xee; length];
    core.read(RuntimeAddress(address), &mut bytes)?;
    Ok(bytes)
}

/// 256 different bytes.
fn content() -> Vec<u8> {
    (0..=255).collect()
}

/// Two segments that touch, one of which a half is missing; one that is missing; not in order.
fn sample() -> Core {
    Core::default()
        .segment(0x9000, 0x100, &[])
        .segment(0x5100, 0x200, &content())
        .segment(0x5000, 0x100, &[7; 0x100])
        .note(NT_PRSTATUS, vec![0; 336])
        .note(NT_PRPSINFO, prpsinfo(4711))
        .note(NT_AUXV, words(&[3, 0x40, 9, 0x40_1234, 0, 0]))
        .note(
            NT_FILE,
            nt_file(
                4096,
                &[(0x9000, 0x9100, 2, "/srv/app"), (0xa000, 0xb000, 0, "/x")],
            ),
        )
}

fn prpsinfo(pid: i32) -> Vec<u8> {
    let mut bytes = vec![0; 136];
    bytes[24..28].copy_from_slice(&pid.to_le_bytes());
    bytes
}

fn nt_file(unit: u64, files: &[(u64, u64, u64, &str)]) -> Vec<u8> {
    let mut bytes = words(&[files.len() as u64, unit]);
    bytes.extend(
        files
            .iter()
            .flat_map(|(start, end, offset, _)| words(&[*start, *end, *offset])),
    );
    for (.., path) in files {
        bytes.extend(path.as_bytes());
        bytes.push(0);
    }
    bytes
}

#[test]
fn memory_is_read_across_segments() {
    let core = sample().open();
    assert_eq!(core.architecture(), Architecture::X86_64);
    assert_eq!(core.shortfall(), None);
    let both = read(&core, 0x50f0, 0x20).expect("two segments");
    assert_eq!(both, [vec![7; 0x10], content()[..0x10].to_vec()].concat());
    assert_eq!(read(&core, 0x51ff, 1).unwrap(), [255]);
    assert_eq!(read(&core, 0x9000, 0).unwrap(), [0; 0]);
    let starts: Vec<u64> = core.starts().map(|start| start.0).collect();
    assert_eq!(starts, [0x5000, 0x5100]);
}

#[test]
fn what_was_not_dumped_is_an_error_and_not_zeros() {
    let core = sample().open();
    for (address, length) in [(0x51ff, 2), (0x5200, 1), (0x9000, 1), (0x90ff, 1)] {
        let found = read(&core, address, length);
        let Err(MemoryError::NotInCore {
            address: at,
            length: of,
        }) = found
        else {
            panic!("{address:#x}: {found:?}");
        };
        assert_eq!((at.0, of), (address, length), "what was asked for");
    }
    for (address, length) in [(0x4fff, 2), (0x5300, 1), (0x9100, 1), (0, 8), (u64::MAX, 8)] {
        let found = read(&core, address, length);
        assert!(
            matches!(found, Err(MemoryError::Unmapped { .. })),
            "{address:#x}: {found:?}"
        );
    }
    // gcore leaves out whole mappings; only the list of files knows of this one.
    assert!(matches!(
        read(&core, 0xa000, 1),
        Err(MemoryError::NotInCore { .. })
    ));
}

#[test]
fn what_was_not_dumped_is_read_from_the_executable() {
    let mut core = sample().open();
    let file = MappedFile::from_bytes(&content()).unwrap();
    let range = |address, offset, size| ReadOnly {
        address: RuntimeAddress(address),
        offset: FileOffset(offset),
        size,
    };
    core.set_executable(
        file,
        vec![
            range(0x9000, 0x10, 0x80),
            range(0x5000, 0, 0x100),
            range(0xa000, 0, 0x1000),
            range(0xc000, u64::MAX, 8),
        ],
    );
    assert_eq!(read(&core, 0x9000, 2).unwrap(), [0x10, 0x11]);
    assert_eq!(read(&core, 0x9070, 0x10).unwrap(), content()[0x80..0x90]);
    assert_eq!(
        read(&core, 0x5000, 2).unwrap(),
        [7, 7],
        "the core file comes first"
    );
    assert!(matches!(
        read(&core, 0x9070, 0x11),
        Err(MemoryError::NotInCore { .. })
    ));
    assert!(matches!(
        read(&core, 0x5200, 1),
        Err(MemoryError::NotInCore { .. })
    ));
    // The executable is shorter than its own headers say.
    assert_eq!(read(&core, 0xa0ff, 1).unwrap(), [0xff]);
    assert!(matches!(
        read(&core, 0xa0ff, 2),
        Err(MemoryError::NotInCore { .. })
    ));
    assert!(matches!(
        read(&core, 0xc000, 1),
        Err(MemoryError::Unmapped { .. })
    ));
}

/// A page that was written to is in the core file, amid others that are not.
#[test]
fn bytes_of_the_executable_end_where_the_core_file_has_its_own() {
    let core = Core::default().segment(0x1000, 0x100, &[]);
    let mut core = core.segment(0x1100, 0x10, &[7; 0x10]).open();
    let file = MappedFile::from_bytes(&[1; 0x200]).unwrap();
    let all = ReadOnly {
        address: RuntimeAddress(0x1000),
        offset: FileOffset(0),
        size: 0x200,
    };
    core.set_executable(file, vec![all]);
    let expected = [[1; 0x10], [7; 0x10], [1; 0x10]].concat();
    assert_eq!(read(&core, 0x10f0, 0x30).unwrap(), expected);
}

/// A damaged file: the answer does not depend on where a read begins.
#[test]
fn of_segments_that_overlap_the_later_is_believed() {
    let core = Core::default().segment(0x1000, 0x20, &[1; 0x20]);
    let core = core.segment(0x1010, 0x20, &[2; 8]).open();
    let expected = [&[1; 0x10][..], &[2; 8]].concat();
    assert_eq!(read(&core, 0x1000, 0x18).unwrap(), expected);
    for (address, length) in [(0x1000, 0x19), (0x101f, 1)] {
        let found = read(&core, address, length);
        assert!(matches!(found, Err(MemoryError::NotInCore { .. })));
    }
}

#[test]
fn the_notes_tell_of_the_process() {
    let core = sample().open();
    let process = core.process();
    assert_eq!(process.pid, Some(4711));
    assert_eq!(process.entry, Some(RuntimeAddress(0x40_1234)));
    let [app, _] = &process.files[..] else {
        panic!("{:?}", process.files);
    };
    assert_eq!(app.path, Path::new("/srv/app"));
    assert_eq!(app.offset, FileOffset(0x2000), "counted in pages");
    assert_eq!(process.file_at(RuntimeAddress(0x90ff)), Some(app));
    assert_eq!(process.file_at(RuntimeAddress(0x9100)), None);
    assert_eq!(process.file_at(RuntimeAddress(0)), None);
    // gcore counts in bytes.
    let files = nt_file(1, &[(0, 1, 2, "/x")]);
    let core = Core::default().note(NT_FILE, files).open();
    assert_eq!(core.process().files[0].offset, FileOffset(2));
    // A thread's id is not the process's.
    let core = Core::default().note(NT_PRSTATUS, vec![1; 336]).open();
    assert_eq!(core.process(), &Process::default());
}

/// Whatever is missing, what is read is what was there.
#[test]
fn cut_short_at_every_length() {
    let whole = sample().bytes();
    for length in 0..whole.len() {
        let cut = match open(&whole[..length]) {
            Ok(core) => core,
            Err(error) => {
                assert!(length < HEADER + 4 * ENTRY, "{length}: {error}");
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
        let all = sample().open();
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
