//! Whether a core file is of a program, and where that was loaded.
//!
//! The notes of a core file say where its program began, but they may be missing: gcore writes
//! them last. So every place they suggest, or that looks like the start of a program, is tried, and
//! what is there compared with the file.

use object::elf::{ELFMAG, NT_GNU_BUILD_ID, PT_NOTE};

use crate::{
    binary::{GoBinary, LinkAddress, LoadBias, ModuleData, RuntimeAddress, find_note},
    memory::{CoreFile, MemoryReader as _},
};

/// How a core file and an executable go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// It is of that program, loaded so.
    Same(LoadBias),
    /// It is of another.
    Other(String),
    /// Nothing of the program is in it.
    Unknown,
}

/// `NT_GO_BUILD_ID` of `cmd/link`.
const GO_BUILD_ID: u32 = 4;
/// Notes of a program take some hundred bytes.
const MAX_NOTES: u64 = 1 << 16;
/// What is compared at once of the pclntab: what is not in the core file is missing by pages.
const PAGE: usize = 4096;
/// The header of the pclntab has an address that the loader moves.
const PCLNTAB_HEADER: usize = 72;

/// Finds where the program of `binary` is in `core`, which must not know the executable yet.
pub(super) fn locate(binary: &GoBinary, core: &CoreFile) -> Match {
    let mut answer = Match::Unknown;
    for bias in candidates(binary, core) {
        match compare(binary, core, bias) {
            Match::Unknown => {}
            same @ Match::Same(_) => return same,
            other @ Match::Other(_) => {
                // The first place is the likeliest; what differs there is what to tell.
                if answer == Match::Unknown {
                    answer = other;
                }
            }
        }
    }
    answer
}

/// Where it may have been loaded, likeliest first.
fn candidates(binary: &GoBinary, core: &CoreFile) -> Vec<LoadBias> {
    if !binary.is_pie() {
        return vec![LoadBias(0)];
    }
    let elf = binary.elf();
    let process = core.process();
    let entry = process.entry.map(|entry| (entry, elf.entry()));
    // The file's first byte is where its first segment begins, rounded down to a page.
    let first = elf.loaded().next();
    let first = first.map_or(LinkAddress(0), |segment| {
        LinkAddress(segment.address.0.wrapping_sub(segment.offset.0))
    });
    let starts = process.files.iter().filter(|file| file.offset.0 == 0);
    let starts = starts.map(|file| file.start).chain(headers(core));
    entry
        .into_iter()
        .chain(starts.map(|start| (start, first)))
        .map(|(runtime, link)| LoadBias(runtime.0.wrapping_sub(link.0)))
        .collect()
}

/// Where ELF files begin in memory.
fn headers(core: &CoreFile) -> impl Iterator<Item = RuntimeAddress> + '_ {
    core.starts().filter(|start| {
        core.read_array(*start)
            .is_ok_and(|magic: [u8; 4]| magic == ELFMAG)
    })
}

fn compare(binary: &GoBinary, core: &CoreFile, bias: LoadBias) -> Match {
    let build_id = compare_build_ids(binary, core, bias);
    if let Some(Err(difference)) = build_id {
        return Match::Other(difference);
    }
    let module = binary.module_data();
    let head = core.read_array::<{ ModuleData::HEAD_SIZE }>(bias.to_runtime(module.address));
    let head = head.ok().map(|head| module.is_head(&head, bias));
    if head == Some(false) {
        return Match::Other("the runtime's tables are of other sizes or at other places".into());
    }
    if !is_pclntab_alike(binary, core, bias) {
        return Match::Other("the table of functions is another".into());
    }
    if build_id.is_some() || head.is_some() {
        Match::Same(bias)
    } else {
        Match::Unknown
    }
}

/// Compares the build ids of both; `None` unless both have one.
fn compare_build_ids(
    binary: &GoBinary,
    core: &CoreFile,
    bias: LoadBias,
) -> Option<Result<(), String>> {
    let elf = binary.elf();
    let notes = elf
        .segments()
        .iter()
        .filter(|segment| segment.kind == PT_NOTE);
    let mut equal = None;
    for segment in notes.filter(|segment| segment.file_size <= MAX_NOTES) {
        let ours = elf
            .bytes_at(segment.address, segment.file_size)
            .unwrap_or_default();
        let mut theirs = vec![0; ours.len()];
        if core
            .read(bias.to_runtime(segment.address), &mut theirs)
            .is_err()
        {
            continue;
        }
        for (owner, kind) in [(&b"GNU"[..], NT_GNU_BUILD_ID), (b"Go", GO_BUILD_ID)] {
            // `-ldflags=-buildid=` leaves an empty one.
            let Some(own) = find_note(ours, owner, kind).filter(|id| !id.is_empty()) else {
                continue;
            };
            match find_note(&theirs, owner, kind) {
                Some(their) if their == own => equal = Some(Ok(())),
                Some(their) => {
                    let (own, their) = (shown(own), shown(their));
                    return Some(Err(format!("its build id is {own}, not {their}")));
                }
                None => return Some(Err("the core file has no build id where it has one".into())),
            }
        }
    }
    equal
}

/// Go's build ids are text.
fn shown(build_id: &[u8]) -> String {
    match std::str::from_utf8(build_id) {
        Ok(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => text.into(),
        _ => build_id.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Whether the table of functions is that of the file, as far as the core file has it.
fn is_pclntab_alike(binary: &GoBinary, core: &CoreFile, bias: LoadBias) -> bool {
    let (address, table) = binary.pclntab_bytes();
    let mut theirs = [0; PAGE];
    (0_u64..).zip(table.chunks(PAGE)).all(|(n, ours)| {
        let theirs = &mut theirs[..ours.len()];
        let at = address.checked_add(n * PAGE as u64);
        let read = at.map(|at| core.read(bias.to_runtime(at), theirs));
        let from = if n == 0 { PCLNTAB_HEADER } else { 0 };
        !matches!(read, Some(Ok(()))) || theirs.get(from..) == ours.get(from..)
    })
}
