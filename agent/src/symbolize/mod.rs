//! From a program counter to the calls that were active there, inlined ones included.

mod names;
mod started;
mod statements;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub use names::display_name;
pub use started::StartedFunction;
pub use statements::GoStatement;

use crate::binary::{Function, GoBinary, LinkAddress, NativeFrame, native_frames};

/// How a pc relates to the instruction that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PcKind {
    /// Where a call returns to; meant is the call before it. So are all frames but the innermost.
    ReturnAddress,
    /// The instruction itself, for example where a signal or a uprobe hit.
    Exact,
}

/// One call active at a pc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// As Go prints it: `main.(*T).Run.func1`, `main.Map[...]`.
    pub function: String,
    /// Source file, as the compiler was given it.
    pub file: Option<String>,
    /// Line in that file.
    pub line: Option<u32>,
    /// Line of the `func` keyword; recorded since Go 1.20.
    pub start_line: Option<u32>,
    /// Whether the compiler inlined it into the next frame.
    pub is_inlined: bool,
    /// Whether the compiler made the function; Go leaves most such frames out of its stacks.
    pub is_wrapper: bool,
    /// Whether a wrapper that called it is shown: it panicked instead of calling what it wraps.
    pub shows_wrapper: bool,
}

/// Why nothing is known about a pc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnknownReason {
    /// It is not in this file's code: a shared library, the vDSO, generated code.
    OutsideOfFile,
    /// It is in this file's code, but the file names no function there (stripped C code).
    NoSymbol,
    /// The file's tables are damaged there.
    Damaged,
}

/// What is known about a pc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Symbolized {
    /// The calls active there, innermost first; at least one.
    Known(Vec<Frame>),
    /// Nothing, because …
    Unknown(UnknownReason),
}

/// One entry of a symbolized stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StackEntry {
    /// A call.
    Frame(Frame),
    /// A pc about which nothing is known.
    Unknown(LinkAddress, UnknownReason),
}

/// Names the pcs of one file. Go functions are read from the mapped file at each call; what is
/// found out about C code, which is expensive, is kept.
#[derive(Debug)]
pub struct Symbolizer {
    binary: Arc<GoBinary>,
    native: Mutex<HashMap<LinkAddress, Symbolized>>,
    /// What `go` statements call, once it was sought.
    newproc: OnceLock<Option<LinkAddress>>,
}

/// Results about C code that are kept.
const MAX_NATIVE: usize = 4096;

impl Symbolizer {
    /// A symbolizer for one file.
    #[must_use]
    pub fn new(binary: Arc<GoBinary>) -> Self {
        Self {
            binary,
            native: Mutex::default(),
            newproc: OnceLock::new(),
        }
    }

    /// The file.
    #[must_use]
    pub fn binary(&self) -> &Arc<GoBinary> {
        &self.binary
    }

    /// The calls active at `pc`, innermost first, wrappers included.
    #[must_use]
    pub fn frames(&self, pc: LinkAddress, kind: PcKind) -> Symbolized {
        let Some((function, pc)) = self.function(pc, kind) else {
            return self.native(pc, kind);
        };
        let calls = function.inlined_calls(pc);
        let ids = function.special_ids();
        let frames: Option<Vec<Frame>> = calls
            .iter()
            .map(|call| {
                Some(Frame {
                    function: display_name(call.function?),
                    file: call.file.map(str::to_owned),
                    line: call.line,
                    start_line: call.start_line,
                    is_inlined: call.is_inlined,
                    is_wrapper: ids.is_wrapper(call.function_id),
                    shows_wrapper: !ids.elides_wrapper_calling(call.function_id),
                })
            })
            .collect();
        frames.map_or(
            Symbolized::Unknown(UnknownReason::Damaged),
            Symbolized::Known,
        )
    }

    /// The frames of a whole stack, innermost first, without the wrappers that Go leaves out of its
    /// own stacks (`runtime.elideWrapperCalling`).
    #[must_use]
    pub fn stack(&self, pcs: impl IntoIterator<Item = (LinkAddress, PcKind)>) -> Vec<StackEntry> {
        let mut entries = Vec::new();
        let mut callee_panics = false;
        for (pc, kind) in pcs {
            let frames = match self.frames(pc, kind) {
                Symbolized::Known(frames) => frames,
                Symbolized::Unknown(reason) => {
                    entries.push(StackEntry::Unknown(pc, reason));
                    callee_panics = false;
                    continue;
                }
            };
            for frame in frames {
                let shows_wrapper = frame.shows_wrapper;
                if !frame.is_wrapper || callee_panics {
                    entries.push(StackEntry::Frame(frame));
                }
                callee_panics = shows_wrapper;
            }
        }
        entries
    }

    /// The Go function around `pc` and the pc of the instruction meant.
    fn function(&self, pc: LinkAddress, kind: PcKind) -> Option<(Function<'_>, LinkAddress)> {
        let table = self.binary.pclntab();
        let meant = match kind {
            PcKind::Exact => pc,
            PcKind::ReturnAddress => LinkAddress(pc.0.checked_sub(1)?),
        };
        // Between functions of Go there is C code when the host linker placed it there, but then
        // it lies outside of the table as a whole.
        Some((table.function_at(meant)?, meant))
    }

    fn native(&self, pc: LinkAddress, kind: PcKind) -> Symbolized {
        let meant = match kind {
            PcKind::Exact => pc,
            PcKind::ReturnAddress => LinkAddress(pc.0.wrapping_sub(1)),
        };
        let elf = self.binary.elf();
        if elf
            .segment_at(meant)
            .is_none_or(|segment| segment.flags & object::elf::PF_X == 0)
        {
            return Symbolized::Unknown(UnknownReason::OutsideOfFile);
        }
        if let Some(known) = self.native_cache().get(&meant) {
            return known.clone();
        }
        let found = native_frames(&elf, meant);
        let found = if found.is_empty() {
            Symbolized::Unknown(UnknownReason::NoSymbol)
        } else {
            Symbolized::Known(found.into_iter().map(Frame::from).collect())
        };
        let mut cache = self.native_cache();
        if cache.len() >= MAX_NATIVE {
            cache.clear();
        }
        cache.insert(meant, found.clone());
        found
    }

    fn native_cache(&self) -> std::sync::MutexGuard<'_, HashMap<LinkAddress, Symbolized>> {
        self.native.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<NativeFrame> for Frame {
    fn from(native: NativeFrame) -> Self {
        Self {
            function: native.function,
            file: native.file,
            line: native.line,
            start_line: None,
            is_inlined: native.is_inlined,
            is_wrapper: false,
            shows_wrapper: false,
        }
    }
}
