//! What the targets that look into a process's memory have in common.

use std::sync::{Arc, LazyLock};

use gostray::{
    binary::{Architecture, GoBinary, LoadBias},
    memory::BytesMemory,
    runtime::{
        LabelsLayout, Unwinder, WaitLayout, WaitReasons,
        layout::{GoroutineLayout, Layouts},
    },
};

/// The smallest Go program, which the unit tests have too.
#[path = "../../agent/src/runtime/fake/program.rs"]
mod program;

/// Where the memory begins: what is lower is no pointer.
pub const BASE: u64 = 0x1_0000;

/// What is where in one release.
pub struct Release {
    pub layouts: Layouts,
    pub goroutine: GoroutineLayout,
    pub waits: WaitLayout,
    pub labels: LabelsLayout,
}

/// Each of these has something that the others do not.
const MINORS: [u16; 5] = [18, 22, 24, 25, 27];

static RELEASES: LazyLock<Vec<Release>> = LazyLock::new(|| {
    let releases = MINORS.map(|minor| {
        let layouts = Layouts::for_binary(&[], minor.into(), Architecture::X86_64);
        let layouts = layouts.expect("a known release");
        Release {
            goroutine: GoroutineLayout::new(&layouts).expect("a complete layout"),
            waits: WaitLayout::new(&layouts).expect("a complete layout"),
            labels: LabelsLayout::new(&layouts, minor).expect("a complete layout"),
            layouts,
        }
    });
    releases.into()
});

/// The release that a byte chooses.
pub fn release(choice: u8) -> &'static Release {
    &RELEASES[usize::from(choice) % MINORS.len()]
}

/// Layouts of Go 1.`minor`, from 18 to 27.
pub fn layouts_of(minor: u32) -> &'static Layouts {
    static ALL: LazyLock<Vec<Layouts>> = LazyLock::new(|| {
        let all = (18..=27).map(|minor| Layouts::for_binary(&[], minor, Architecture::X86_64));
        all.map(|layouts| layouts.expect("a known release"))
            .collect()
    });
    &ALL[minor as usize - 18]
}

/// Memory of `size` bytes from [`BASE`] on. Three bytes of the input make a word: an address
/// in this memory, a small number, or a large one; so lists lead somewhere more often than not.
pub fn memory(input: &[u8], size: usize) -> BytesMemory {
    let (parts, _) = input.as_chunks::<3>();
    let words = parts.iter().map(|[kind, low, high]| {
        let number = u64::from(u16::from_le_bytes([*low, *high]));
        match kind {
            0..128 => BASE + number * 8 % size as u64,
            128..255 => number,
            255 => number << 48 | number,
        }
    });
    let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    bytes.resize(size, 0);
    BytesMemory { base: BASE, bytes }
}

/// Puts bytes into the memory, `offset` behind its beginning.
pub fn put(memory: &mut BytesMemory, offset: usize, bytes: &[u8]) {
    memory.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
}

/// Of the small program.
pub fn unwinder() -> Unwinder {
    static PROGRAM: LazyLock<Arc<GoBinary>> = LazyLock::new(|| {
        let program = GoBinary::from_bytes(&program::elf());
        Arc::new(program.expect("a Go program"))
    });
    Unwinder::new(Arc::clone(&PROGRAM), LoadBias(0))
}

/// The file of the small program, of which each four bytes of `patches` change one: two of them say
/// where, from behind the headers on.
pub fn damaged_program(patches: &[u8]) -> Option<GoBinary> {
    const HEADERS: usize = 640;
    let mut file = program::elf();
    let (patches, _) = patches.as_chunks::<4>();
    for [low, high, byte, _] in patches {
        let place = HEADERS + usize::from(u16::from_le_bytes([*low, *high]));
        if let Some(at) = file.get_mut(place) {
            *at = *byte;
        }
    }
    GoBinary::from_bytes(&file).ok()
}

/// A pc of the small program, in the function that a byte chooses.
pub fn pc(choice: u8) -> u64 {
    let (name, ..) = program::FUNCTIONS[usize::from(choice) % program::FUNCTIONS.len()];
    program::pc(name)
}

/// A reason for each way of looking for what is waited on.
pub const REASONS: [&str; 8] = [
    "chan receive",
    "select",
    "select (durable)",
    "semacquire",
    "sync.Cond.Wait",
    "sleep",
    "IO wait",
    "chan send (nil chan)",
];

/// The same as the runtime's table.
pub fn reasons() -> WaitReasons {
    REASONS.into_iter().map(str::to_owned).collect()
}
