//! What the notes of a core file say of the process.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::PathBuf};

use object::elf::{NT_AUXV, NT_FILE, NT_PRPSINFO};

use super::ranges::{Starts, last_at};
use crate::binary::{
    FileOffset, RuntimeAddress,
    bytes::{c_string_at, tail_at, u32_at, u64_at},
    notes,
};

/// More mappings than a process has; each takes 24 bytes of the note.
const MAX_MAPPINGS: usize = 1 << 20;

/// A file that the process had mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMapping {
    /// First byte of the mapping.
    pub start: RuntimeAddress,
    /// Behind its last byte.
    pub end: RuntimeAddress,
    /// Where its first byte is in the file.
    pub offset: FileOffset,
    /// The file, as the kernel of the process knew it.
    pub path: PathBuf,
}

impl Starts for FileMapping {
    fn start(&self) -> RuntimeAddress {
        self.start
    }
}

/// What is known of the process; what no note says is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its process id, in its own pid namespace.
    pub pid: Option<i32>,
    /// Where its executable begins to run (`AT_ENTRY`): `e_entry`, moved by the load bias.
    pub entry: Option<RuntimeAddress>,
    /// The files it had mapped, by address.
    pub files: Vec<FileMapping>,
}

impl Process {
    /// Takes in a list of notes. What an earlier one said stays.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for note in notes(bytes).filter(|note| note.owner == b"CORE") {
            match note.kind {
                NT_PRPSINFO if self.pid.is_none() => self.pid = pid(note.description),
                NT_AUXV if self.entry.is_none() => self.entry = entry(note.description),
                NT_FILE if self.files.is_empty() => {
                    self.files = files(note.description).unwrap_or_default();
                    self.files.sort_by_key(|file| file.start);
                }
                _ => {}
            }
        }
    }

    /// The file that was mapped at `address`.
    #[must_use]
    pub fn file_at(&self, address: RuntimeAddress) -> Option<&FileMapping> {
        let (file, _) = last_at(&self.files, address)?;
        (address < file.end).then_some(file)
    }
}

/// `pr_pid` of `struct elf_prpsinfo`
/// (<https://github.com/torvalds/linux/blob/v6.1/include/linux/elfcore.h>), the same on both
/// architectures. The threads' own notes have thread ids.
fn pid(description: &[u8]) -> Option<i32> {
    let pid = u32_at(description, 24)?.cast_signed();
    (pid > 0).then_some(pid)
}

/// `AT_ENTRY` of the auxiliary vector: pairs of words.
fn entry(description: &[u8]) -> Option<RuntimeAddress> {
    const AT_ENTRY: u64 = 9;
    let (pairs, _) = description.as_chunks::<16>();
    let entry = pairs
        .iter()
        .find(|pair| u64_at(*pair, 0) == Some(AT_ENTRY))?;
    u64_at(entry, 8).map(RuntimeAddress)
}

/// `NT_FILE`: how many, the size of the unit offsets are counted in, then start, end and offset of
/// each, then the paths (`fill_files_note` in
/// <https://github.com/torvalds/linux/blob/v6.1/fs/binfmt_elf.c>). Up to the first damaged one.
fn files(description: &[u8]) -> Option<Vec<FileMapping>> {
    let count = usize::try_from(u64_at(description, 0)?).ok()?;
    let unit = u64_at(description, 8)?;
    let (ranges, _) = tail_at(description, 16)?.as_chunks::<24>();
    let ranges = ranges.get(..count)?;
    let mut paths = tail_at(description, 16 + ranges.as_flattened().len() as u64)?;
    let files = ranges.iter().take(MAX_MAPPINGS).map_while(|range| {
        let path = c_string_at(paths, 0)?;
        paths = tail_at(paths, path.len() as u64 + 1)?;
        Some(FileMapping {
            start: RuntimeAddress(u64_at(range, 0)?),
            end: RuntimeAddress(u64_at(range, 8)?),
            offset: FileOffset(u64_at(range, 16)?.checked_mul(unit)?),
            path: PathBuf::from(OsStr::from_bytes(path)),
        })
    });
    Some(files.collect())
}
