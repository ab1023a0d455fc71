//! The smallest file that is a Go program: build information, moduledata and a pclntab, in one
//! segment. The fuzz targets have this file too, so it needs nothing but the standard library.

/// Where the file is loaded.
const BASE: u64 = 0x40_0000;
/// Where its functions are; there is no code.
const TEXT: u64 = 0x100_0000;
/// Bytes of each function.
const LENGTH: u32 = 0x100;

const BUILD_INFO: usize = 128;
const MODULE_DATA: usize = 256;
const PCLNTAB: usize = 640;

/// Name, bytes of its frame without the return address, `abi.FuncFlag`.
type Function = (&'static str, u32, u8);

/// What the program consists of.
pub(crate) const FUNCTIONS: [Function; 7] = [
    ("runtime.goexit", 0, 1),
    ("runtime.gopark", 0x20, 0),
    ("runtime.asyncPreempt", 0x18, 0),
    ("runtime.mcall", 0x10, 2),
    ("main.work", 0x28, 0),
    ("main.main", 0x10, 0),
    ("main.leaf", 0, 0),
];

/// A pc inside of the function, as a return address is.
///
/// # Panics
/// There is no such function.
pub(crate) fn pc(name: &str) -> u64 {
    let known = FUNCTIONS.iter().position(|(known, ..)| *known == name);
    TEXT + u64::from(LENGTH * half(known.expect("a function of the program"))) + 0x10
}

/// `main.work` has 16 bytes of arguments, and these maps, of which the second is right everywhere: of its
/// four local words the lowest is a pointer, of its two arguments the first. Then the record of a
/// variable of two words at the top of its local ones, of which the second is a pointer.
const WORK: (&str, u32) = ("main.work", 16);
const ARGUMENTS: [u32; 3] = [2, 2, 0x0103];
const LOCALS: [u32; 3] = [2, 4, 0x0100];
const OBJECTS: [u32; 6] = [1, 0, (-16_i32).cast_unsigned(), 16, 16, 0];
/// This one has a map without pointers.
const PARK: &str = "runtime.gopark";
const NO_POINTERS: [u32; 3] = [1, 0, 0];
/// The map of the variable.
const VARIABLE: [u32; 2] = [0b10, 0];

/// The file.
pub(crate) fn elf() -> Vec<u8> {
    let table = pclntab();
    let mut file = vec![0; PCLNTAB];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &[2, 0, 62, 0, 1]); // ET_EXEC, EM_X86_64, version
    put(32, &words(&[64]));
    put(52, &[64, 0, 56, 0, 1, 0]);
    let size = (PCLNTAB + table.len() + funcdata().len()) as u64;
    put(64, &[1, 0, 0, 0, 7]); // PT_LOAD; read, write, execute
    put(72, &words(&[0, BASE, BASE, size, size, 0x1000]));
    put(BUILD_INFO, b"\xff Go buildinf:\x08\x02");
    put(BUILD_INFO + 32, b"\x06go1.25\0");
    put(MODULE_DATA, &module_data(&table));
    file.extend(table);
    file.extend(funcdata());
    file
}

/// `runtime.moduledata` of Go 1.25, as far as it is looked at.
fn module_data(table: &[u8]) -> Vec<u8> {
    let in_table = |word: usize| {
        let bytes = table[word * 8..].first_chunk().expect("a header");
        (BASE + PCLNTAB as u64) + u64::from_le_bytes(*bytes)
    };
    let count = FUNCTIONS.len() as u64;
    let end = TEXT + count * u64::from(LENGTH);
    let mut module = [0; 47];
    module[0] = BASE + PCLNTAB as u64;
    module[1] = in_table(4);
    module[16] = in_table(8);
    module[17] = count + 1;
    for (word, address) in [(20, TEXT), (21, end), (22, TEXT), (23, end)] {
        module[word] = address;
    }
    // `rodata` and `gofunc`
    module[39] = BASE + (PCLNTAB + table.len()) as u64;
    module[40] = module[39];
    module[42] = 1; // one section of text
    words(&module)
}

/// What the offsets of functions' data and of maps begin at.
fn funcdata() -> Vec<u8> {
    let all = [&VARIABLE[..], &ARGUMENTS, &LOCALS, &NO_POINTERS, &OBJECTS];
    all.into_iter().flat_map(halves).collect()
}

fn pclntab() -> Vec<u8> {
    let mut names = Vec::new();
    // An offset of 0 says that there is no table.
    let mut pcs = vec![0];
    let mut index = Vec::new();
    let mut records = Vec::new();
    let index_size = FUNCTIONS.len() * 8 + 4;
    let mut entry = 0;
    for (name, frame, flags) in FUNCTIONS {
        index.extend(halves(&[entry, half(index_size + records.len())]));
        let mut record = vec![0; 44];
        record[..8].copy_from_slice(&halves(&[entry, half(names.len())]));
        record[16..20].copy_from_slice(&half(pcs.len()).to_le_bytes());
        record[41] = flags;
        let (arguments, locals) = (8, 20);
        let (no_pointers, objects) = (32, 44);
        let data = match name {
            PARK => vec![u32::MAX, no_pointers],
            _ if name == WORK.0 => vec![arguments, locals, objects],
            _ => Vec::new(),
        };
        if name == WORK.0 {
            record[8..12].copy_from_slice(&WORK.1.to_le_bytes());
        }
        record[43] = data.len().to_le_bytes()[0];
        if !data.is_empty() {
            // The maps' index, 1 everywhere, lies behind the sizes of the frame.
            let index = pcs.len() + varint((frame + 1) * 2).count() + varint(LENGTH).count() + 1;
            record[28] = 2;
            record.extend(halves(&[0, half(index)]));
            record.extend(halves(&data));
        }
        records.extend(record);
        names.extend(name.bytes().chain([0]));
        // From −1 to the size, for the whole function.
        pcs.extend(varint((frame + 1) * 2));
        pcs.extend(varint(LENGTH).chain([0]));
        pcs.extend([4].into_iter().chain(varint(LENGTH)).chain([0]));
        entry += LENGTH;
    }
    index.extend(halves(&[entry]));
    names.resize(names.len().next_multiple_of(8), 0);
    pcs.resize(pcs.len().next_multiple_of(8), 0);
    let header = 72;
    let pcs_at = header + names.len();
    let functions_at = pcs_at + pcs.len();
    let mut table = vec![0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8];
    let parts = [header, pcs_at, pcs_at, pcs_at, functions_at].map(|part| part as u64);
    table.extend(words(&[FUNCTIONS.len() as u64, 0, 0]));
    table.extend(words(&parts));
    for part in [names, pcs, index, records] {
        table.extend(part);
    }
    table
}

fn half(number: usize) -> u32 {
    u32::try_from(number).expect("small")
}

/// A number in groups of seven bits, the lowest first.
fn varint(mut number: u32) -> impl Iterator<Item = u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes.into_iter()
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn halves(halves: &[u32]) -> Vec<u8> {
    halves.iter().flat_map(|half| half.to_le_bytes()).collect()
}
