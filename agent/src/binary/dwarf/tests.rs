use proptest::prelude::*;

use super::*;

const WANTED: &Wanted<'_> = &[("runtime.g", &[]), ("runtime.stack", &["hi"])];

/// Abbreviation table: code, tag, children, then (attribute, form) pairs; forms are Go's own.
const ABBREV: &[u8] = &[
    1, 0x11, 1, 0x03, 0x08, 0x13, 0x0b, 0, 0, // compile unit: name string, language data1
    2, 0x13, 1, 0x03, 0x08, 0x0b, 0x0f, 0, 0, // struct: name string, byte_size udata
    3, 0x0d, 0, 0x03, 0x08, 0x38, 0x0f, 0x49, 0x10, 0,
    0, // member: name, location, type ref_addr
    4, 0x24, 0, 0x03, 0x08, 0x0b, 0x0b, 0, 0, // base type: name string, byte_size data1
    5, 0x16, 0, 0x03, 0x08, 0x49, 0x10, 0, 0, // typedef: name string, type ref_addr
    6, 0x2e, 1, 0x03, 0x08, 0, 0, // subprogram with children: name string
    0,
];

/// A unit under construction.
struct UnitBytes {
    bytes: Vec<u8>,
    start: usize,
}

impl UnitBytes {
    fn new(start: usize, version: u16, name: &str) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(version.to_le_bytes());
        match version {
            5 => bytes.extend([1, 8, 0, 0, 0, 0]),
            _ => bytes.extend([0, 0, 0, 0, 8]),
        }
        let mut unit = Self { bytes, start };
        unit.entry(1, name);
        unit.bytes.push(0x16);
        unit
    }

    /// Offset in the section of the next entry.
    fn here(&self) -> u32 {
        u32::try_from(self.start + self.bytes.len()).unwrap()
    }

    fn entry(&mut self, code: u8, name: &str) {
        self.bytes.push(code);
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
    }

    fn base(&mut self, name: &str, size: u8) -> u32 {
        let at = self.here();
        self.entry(4, name);
        self.bytes.push(size);
        at
    }

    fn typedef(&mut self, name: &str, target: u32) -> u32 {
        let at = self.here();
        self.entry(5, name);
        self.bytes.extend(target.to_le_bytes());
        at
    }

    fn structure(&mut self, name: &str, size: u8, members: &[(&str, u8, u32)]) -> u32 {
        let at = self.here();
        self.entry(2, name);
        self.bytes.push(size);
        for (name, offset, target) in members {
            self.entry(3, name);
            self.bytes.push(*offset);
            self.bytes.extend(target.to_le_bytes());
        }
        self.bytes.push(0);
        at
    }

    fn finish(mut self) -> Vec<u8> {
        self.bytes.push(0);
        let length = u32::try_from(self.bytes.len() - 4).unwrap();
        self.bytes[..4].copy_from_slice(&length.to_le_bytes());
        self.bytes
    }
}

#[derive(Clone, Copy, Debug)]
enum Storage {
    Plain,
    Compressed,
    Gnu,
}

/// An ELF file with these two sections.
fn elf(info: &[u8], abbrev: &[u8], storage: Storage) -> Vec<u8> {
    let deflate = |bytes: &[u8]| {
        use std::io::Write as _;
        let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    };
    let stored = |bytes: &[u8]| -> Vec<u8> {
        let size = bytes.len() as u64;
        match storage {
            Storage::Plain => bytes.to_vec(),
            Storage::Compressed => {
                let header = [1_u64.to_le_bytes(), size.to_le_bytes(), 1_u64.to_le_bytes()];
                [header.concat(), deflate(bytes)].concat()
            }
            Storage::Gnu => [
                b"ZLIB".to_vec(),
                size.to_be_bytes().to_vec(),
                deflate(bytes),
            ]
            .concat(),
        }
    };
    let names: &[u8] = match storage {
        Storage::Gnu => b"\0.zdebug_info\0.zdebug_abbrev\0.shstrtab\0",
        _ => b"\0.debug_info\0.debug_abbrev\0.shstrtab\0",
    };
    let name = |wanted: &str| {
        let at = names
            .windows(wanted.len())
            .position(|it| it == wanted.as_bytes());
        let at = at.unwrap();
        // Back to the character behind the NUL.
        u32::try_from(names[..at].iter().rposition(|it| *it == 0).unwrap() + 1).unwrap()
    };
    let flags = if matches!(storage, Storage::Compressed) {
        0x800_u64
    } else {
        0
    };
    let sections = [
        (name("debug_info"), 1_u32, flags, stored(info)),
        (name("debug_abbrev"), 1, flags, stored(abbrev)),
        (name("shstrtab"), 3, 0, names.to_vec()),
    ];
    let mut file = vec![0; 64];
    file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    file[16..20].copy_from_slice(&[2, 0, 62, 0]);
    file[20] = 1;
    let mut headers = vec![0; 64];
    for (name, kind, flags, bytes) in sections {
        let mut header = Vec::new();
        header.extend(name.to_le_bytes());
        header.extend(kind.to_le_bytes());
        for word in [flags, 0, file.len() as u64, bytes.len() as u64, 0, 1, 0] {
            header.extend(word.to_le_bytes());
        }
        headers.extend(header);
        file.extend(bytes);
    }
    let at = file.len() as u64;
    file[40..48].copy_from_slice(&at.to_le_bytes());
    file[52..64].copy_from_slice(&[64, 0, 56, 0, 0, 0, 64, 0, 4, 0, 3, 0]);
    file.extend(headers);
    file
}

/// `main` before `runtime`, functions before types, as Go's linker lays them out.
fn program(version: u16) -> Vec<u8> {
    let mut main = UnitBytes::new(0, version, "main");
    let word = main.base("uint8", 1);
    main.structure("runtime.g", 99, &[("wrong unit", 0, word)]);
    let mut info = main.finish();
    // Longer than what is read of a unit to see its name.
    let mut other = UnitBytes::new(info.len(), version, "other");
    for _ in 0..1000 {
        other.base("padding", 1);
    }
    info.extend(other.finish());

    let mut runtime = UnitBytes::new(info.len(), version, "runtime");
    runtime.entry(6, "runtime.main");
    let word = runtime.base("inside a function", 2);
    runtime.structure("runtime.g", 98, &[("local", 0, word)]);
    runtime.bytes.push(0);
    let word = runtime.base("uintptr", 8);
    let byte = runtime.base("uint8", 1);
    let reason = runtime.typedef("runtime.waitReason", byte);
    let stack = runtime.structure("runtime.stack", 16, &[("lo", 0, word), ("hi", 8, word)]);
    runtime.structure(
        "runtime.g",
        25,
        &[
            ("stack", 0, stack),
            ("goid", 16, word),
            ("waitreason", 24, reason),
            ("_", 0, word),
        ],
    );
    info.extend(runtime.finish());
    info
}

#[test]
fn both_versions_are_read_however_they_are_stored() {
    for version in [4, 5] {
        for storage in [Storage::Plain, Storage::Compressed, Storage::Gnu] {
            let file = elf(&program(version), ABBREV, storage);
            let found = struct_layouts(&file, WANTED).unwrap();
            let fields = |name: &str| -> Vec<_> {
                let layout: &StructLayout = &found[name];
                let places = layout.fields.iter();
                places
                    .map(|(name, it)| (name.clone(), it.offset, it.size))
                    .collect()
            };
            assert_eq!(found["runtime.g"].size, 25, "{version} {storage:?}");
            assert_eq!(
                fields("runtime.g"),
                [
                    ("goid".into(), 16, 8),
                    ("stack".into(), 0, 16),
                    ("waitreason".into(), 24, 1)
                ]
            );
            assert_eq!(fields("runtime.stack"), [("hi".into(), 8, 8)]);
        }
    }
}

#[test]
fn a_program_without_a_go_runtime_says_so() {
    let mut unit = UnitBytes::new(0, 4, "main.c");
    unit.base("int", 4);
    let file = elf(&unit.finish(), ABBREV, Storage::Plain);
    assert!(matches!(
        struct_layouts(&file, WANTED),
        Err(DwarfError::NoRuntimeTypes)
    ));
    assert!(matches!(
        struct_layouts(&file[..64], WANTED),
        Err(DwarfError::NotElf(_))
    ));
}

#[test]
fn typedefs_in_a_circle_end() {
    let mut unit = UnitBytes::new(0, 4, "runtime");
    let at = unit.here();
    unit.typedef("a", at);
    unit.structure("runtime.g", 8, &[("goid", 0, at)]);
    let file = elf(&unit.finish(), ABBREV, Storage::Plain);
    assert!(matches!(
        struct_layouts(&file, WANTED),
        Err(DwarfError::Damaged { .. })
    ));
}

#[test]
fn a_field_past_its_struct_is_not_believed() {
    let mut unit = UnitBytes::new(0, 4, "runtime");
    let word = unit.base("uintptr", 8);
    unit.structure("runtime.g", 8, &[("goid", 4, word)]);
    let file = elf(&unit.finish(), ABBREV, Storage::Plain);
    assert!(matches!(
        struct_layouts(&file, WANTED),
        Err(DwarfError::Damaged { .. })
    ));
}

#[test]
fn a_size_that_its_bytes_cannot_expand_to_is_refused_before_memory_is_reserved() {
    let mut file = elf(&program(4), ABBREV, Storage::Compressed);
    // ch_size of the first section, which begins behind the file header.
    file[72..80].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    assert!(matches!(
        struct_layouts(&file, WANTED),
        Err(DwarfError::TooLarge {
            section: ".debug_info",
            ..
        })
    ));
}

#[test]
fn a_unit_that_reaches_past_the_section_is_refused() {
    let mut info = program(5);
    info[..4].copy_from_slice(&0xffff_0000_u32.to_le_bytes());
    for storage in [Storage::Plain, Storage::Compressed] {
        let file = elf(&info, ABBREV, storage);
        assert!(matches!(
            struct_layouts(&file, WANTED),
            Err(DwarfError::Damaged { offset: 4, .. })
        ));
    }
}

#[test]
fn attributes_without_bytes_do_not_make_work_without_end() {
    // A base type of 6,000 attributes, each with its value in the abbreviation.
    let mut abbrev = ABBREV[..ABBREV.len() - 1].to_vec();
    abbrev.extend([7, 0x24, 0]);
    (0..6_000).for_each(|_| abbrev.extend([0x3e, 0x21, 1]));
    abbrev.extend([0, 0, 0]);
    let mut info = Vec::new();
    for _ in 0..3 {
        let mut unit = UnitBytes::new(info.len(), 5, "runtime");
        unit.bytes.extend([7; 10_000]);
        info.extend(unit.finish());
    }
    let file = elf(&info, &abbrev, Storage::Compressed);
    assert!(matches!(
        struct_layouts(&file, WANTED),
        Err(DwarfError::TooMuchWork)
    ));
}

/// Bytes of `file` cut off or changed: an answer or an error, no panic.
fn survives(file: &[u8]) {
    if let Ok(found) = struct_layouts(file, WANTED) {
        for layout in found.values() {
            assert!(
                layout
                    .fields
                    .values()
                    .all(|it| it.offset + it.size <= layout.size)
            );
        }
    }
}

#[test]
fn every_truncation_is_survived() {
    for storage in [Storage::Plain, Storage::Compressed, Storage::Gnu] {
        let (info, file) = (program(5), elf(&program(5), ABBREV, storage));
        (0..file.len()).for_each(|end| survives(&file[..end]));
        (0..info.len()).for_each(|end| survives(&elf(&info[..end], ABBREV, Storage::Plain)));
        (0..ABBREV.len()).for_each(|end| survives(&elf(&info, &ABBREV[..end], storage)));
    }
}

proptest! {
    #[test]
    fn changed_bytes_are_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        version in 4_u16..=5,
        in_abbrev: bool,
    ) {
        let (mut info, mut abbrev) = (program(version), ABBREV.to_vec());
        // The runtime's unit is the end; the padding in front of it is of little interest.
        let tail = info.len() - 300;
        for (index, value) in changes {
            let bytes = if in_abbrev { &mut abbrev[..] } else { &mut info[tail..] };
            bytes[index.index(bytes.len())] = value;
        }
        survives(&elf(&info, &abbrev, Storage::Plain));
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        survives(&bytes);
        survives(&elf(&bytes, ABBREV, Storage::Plain));
        survives(&elf(&program(5), &bytes, Storage::Plain));
    }
}
