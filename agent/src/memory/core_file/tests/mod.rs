//! Core files put together in memory.

mod damaged;
mod memory;

use object::elf::{NT_AUXV, NT_FILE, NT_PRPSINFO, NT_PRSTATUS, PT_LOAD, PT_NOTE};

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
