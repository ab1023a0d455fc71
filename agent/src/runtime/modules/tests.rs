use super::*;
use crate::{
    memory::BytesMemory,
    runtime::{fake::program, layout::Layouts},
};

/// Where the fake's file has its moduledata.
const MODULE_DATA: usize = 256;
/// Of Go 1.25.
const SIZE: usize = 592;

/// The fake program, with three words of data and two of bss in its first module.
struct Program {
    binary: GoBinary,
    memory: BytesMemory,
    layouts: Layouts,
}

impl Program {
    fn new() -> Self {
        let mut file = program::elf();
        for (word, address) in [(26, 0x9000_u64), (27, 0x9018), (28, 0xa000), (29, 0xa010)] {
            file[MODULE_DATA + word * 8..][..8].copy_from_slice(&address.to_le_bytes());
        }
        let mut bytes = file[MODULE_DATA..][..ModuleData::HEAD_SIZE].to_vec();
        bytes.resize(SIZE, 0);
        let binary = GoBinary::from_bytes(&file).expect("a program");
        let architecture = binary.architecture();
        Self {
            memory: BytesMemory {
                base: binary.module_data().address.0,
                bytes,
            },
            binary,
            layouts: Layouts::for_binary(&[], 25, architecture).expect("a release"),
        }
    }

    fn first(&self) -> u64 {
        self.memory.base
    }

    fn append(&mut self, bytes: &[u8]) -> u64 {
        let at = self.memory.base + self.memory.bytes.len() as u64;
        self.memory.bytes.extend(bytes);
        at
    }

    fn set(&mut self, module: u64, field: &str, inside: usize, bytes: &[u8]) {
        let offset = self.layouts.offset("runtime.moduledata", field);
        let at = usize::try_from(module - self.memory.base).expect("small")
            + offset.expect("a field") as usize
            + inside;
        self.memory.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn mask(&mut self, module: u64, field: &str, bits: u32, mask: &[u8]) {
        let at = self.append(mask);
        self.set(module, field, 0, &bits.to_le_bytes());
        self.set(module, field, 8, &at.to_le_bytes());
    }

    fn ranges(&self) -> Result<Vec<DataRange>, ModulesError> {
        data_ranges(&self.binary, &self.memory, LoadBias(0), &self.layouts)
    }
}

fn range(
    start: u64,
    bytes: u64,
    mask: Option<&[u8]>,
    name: &'static str,
    module: usize,
) -> DataRange {
    DataRange {
        start: RuntimeAddress(start),
        bytes,
        mask: mask.map(<[u8]>::to_vec),
        name,
        module,
    }
}

#[test]
fn all_modules_with_their_masks() {
    let mut program = Program::new();
    let first = program.first();
    program.mask(first, "gcdatamask", 3, &[0b101]);
    program.mask(first, "gcbssmask", 8, &[0b01]);
    let second = program.append(&[0; SIZE]);
    let bad = program.append(&[0; SIZE]);
    program.set(first, "next", 0, &second.to_le_bytes());
    program.set(second, "next", 0, &bad.to_le_bytes());
    program.set(second, "edata", 0, &16_u64.to_le_bytes());
    program.set(bad, "edata", 0, &16_u64.to_le_bytes());
    program.set(bad, "bad", 0, &[1]);
    let ranges = program.ranges().expect("modules");
    assert_eq!(
        ranges,
        [
            range(0x9000, 24, Some(&[0b101]), "data", 0),
            range(0xa000, 16, Some(&[0b01]), "bss", 0),
            range(0, 16, None, "data", 1),
        ]
    );
    let [data, .., unmasked] = &ranges[..] else {
        panic!("three");
    };
    assert_eq!([0, 1, 2].map(|n| data.may_point(n)), [true, false, true]);
    assert!(data.may_point(8) && unmasked.may_point(0));
}

#[test]
fn a_mask_that_is_short_or_not_there_is_none() {
    for (bits, is_mapped) in [(2, true), (3, false)] {
        let mut program = Program::new();
        let first = program.first();
        program.mask(first, "gcdatamask", bits, &[0; 1]);
        if !is_mapped {
            program.set(first, "gcdatamask", 8, &[1; 8]);
        }
        let ranges = program.ranges().expect("modules");
        assert_eq!(ranges[0].mask, None);
        assert_eq!(ranges[1].mask, None, "not expanded yet");
    }
}

#[test]
fn what_cannot_be_the_modules_is_an_error() {
    let mut ring = Program::new();
    let first = ring.first();
    ring.set(first, "next", 0, &first.to_le_bytes());
    assert!(matches!(ring.ranges(), Err(ModulesError::Endless)));

    let mut other = Program::new();
    other.set(first, "text", 0, &[1]);
    assert!(matches!(other.ranges(), Err(ModulesError::NotThisProgram)));

    for (begin, end) in [(8_u64, 0_u64), (0, u64::MAX), (4, 12)] {
        let mut program = Program::new();
        let second = program.append(&[0; SIZE]);
        program.set(first, "next", 0, &second.to_le_bytes());
        program.set(second, "bss", 0, &begin.to_le_bytes());
        program.set(second, "ebss", 0, &end.to_le_bytes());
        let error = program.ranges().expect_err("no range");
        assert!(matches!(
            error,
            ModulesError::Memory(MemoryError::Implausible { .. })
        ));
    }

    let mut gone = Program::new();
    gone.set(first, "next", 0, &8_u64.to_le_bytes());
    assert!(matches!(gone.ranges(), Err(ModulesError::Memory(_))));
}
