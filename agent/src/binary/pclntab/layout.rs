//! The header of the pclntab and what differs between Go releases.

use crate::binary::bytes::{u8_at, u32_at, u64_at};
use crate::binary::{BinaryError, GoVersion, LinkAddress};

/// Go 1.18 and 1.19 (`Go118PCLnTabMagic` in
/// <https://github.com/golang/go/blob/go1.27.0/src/internal/abi/symtab.go>).
const MAGIC_118: u32 = 0xffff_fff0;
/// Go 1.20 to at least 1.27 (`Go120PCLnTabMagic`).
const MAGIC_120: u32 = 0xffff_fff1;
/// Go 1.16 and 1.2, to say "too old" instead of "malformed".
const OLD_MAGICS: [u32; 2] = [0xffff_fffa, 0xffff_fffb];

/// The record of an inlined call, `runtime.inlinedCall`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InlinedCallLayout {
    pub(crate) size: u64,
    pub(crate) function_id: u64,
    pub(crate) name: u64,
    pub(crate) parent_pc: u64,
    pub(crate) start_line: Option<u64>,
}

/// What differs between releases in functions' records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// `runtime._func`: byte offsets of what moved.
    pub(crate) start_line: Option<u64>,
    pub(crate) function_id: u64,
    pub(crate) record_size: u64,
    pub(crate) inlined_call: InlinedCallLayout,
    pub(crate) ids: FunctionIds,
}

/// The numbers of the functions that tracebacks treat specially (`abi.FuncID`).
#[derive(Clone, Copy, Debug)]
pub struct FunctionIds {
    gopanic: u8,
    panicwrap: u8,
    sigpanic: u8,
    wrapper: u8,
}

/// `abi.FuncID` for each release from the one named on; read off `runtime/symtab.go` and, from
/// Go 1.21, `internal/abi/symtab.go`.
const FUNCTION_IDS: [(u16, FunctionIds); 3] = [
    (
        18,
        FunctionIds {
            gopanic: 9,
            panicwrap: 14,
            sigpanic: 18,
            wrapper: 21,
        },
    ),
    (
        22,
        FunctionIds {
            gopanic: 10,
            panicwrap: 15,
            sigpanic: 19,
            wrapper: 22,
        },
    ),
    (
        25,
        FunctionIds {
            gopanic: 10,
            panicwrap: 15,
            sigpanic: 20,
            wrapper: 23,
        },
    ),
];

impl FunctionIds {
    /// Whether functions with this id were made by the compiler: method wrappers, `go` and `defer`
    /// wrappers, hash and equality functions.
    #[must_use]
    pub fn is_wrapper(&self, id: u8) -> bool {
        id == self.wrapper
    }

    /// Whether Go leaves a wrapper out of stacks when it called the function with this id: not when
    /// it panicked instead of calling what it wraps (`runtime.elideWrapperCalling`).
    #[must_use]
    pub fn elides_wrapper_calling(&self, id: u8) -> bool {
        ![self.gopanic, self.panicwrap, self.sigpanic].contains(&id)
    }

    fn of(version: &GoVersion) -> Self {
        let known = FUNCTION_IDS
            .iter()
            .rev()
            .find(|(since, _)| version.minor >= *since);
        known.unwrap_or(&FUNCTION_IDS[0]).1
    }
}

impl Dialect {
    fn of(magic: u32, version: &GoVersion) -> Option<Self> {
        let ids = FunctionIds::of(version);
        match magic {
            // runtime2.go, symtab.go of Go 1.18
            MAGIC_118 => Some(Self {
                start_line: None,
                function_id: 36,
                record_size: 40,
                inlined_call: InlinedCallLayout {
                    size: 20,
                    function_id: 2,
                    name: 12,
                    parent_pc: 16,
                    start_line: None,
                },
                ids,
            }),
            // runtime2.go, symtab.go (from Go 1.21 symtabinl.go) of Go 1.20
            MAGIC_120 => Some(Self {
                start_line: Some(36),
                function_id: 40,
                record_size: 44,
                inlined_call: InlinedCallLayout {
                    size: 16,
                    function_id: 0,
                    name: 4,
                    parent_pc: 8,
                    start_line: Some(12),
                },
                ids,
            }),
            _ => None,
        }
    }
}

/// The header, checked against the size of the table (`runtime.pcHeader`, 72 bytes).
#[derive(Clone, Copy, Debug)]
pub struct PclntabLayout {
    pub(crate) dialect: Dialect,
    /// The unit of pc deltas: 1 on x86-64, 4 on arm64.
    pub(crate) quantum: u32,
    pub(crate) function_count: u32,
    /// What function entries are relative to.
    pub(crate) text: LinkAddress,
    // Where the parts begin, from the start of the table.
    pub(crate) names: u64,
    pub(crate) compilation_units: u64,
    pub(crate) files: u64,
    pub(crate) pcs: u64,
    pub(crate) functions: u64,
}

const HEADER_SIZE: u64 = 72;

impl PclntabLayout {
    /// Parses the header of `table`. `text` is moduledata's `text`; without it the header's
    /// `textStart` counts, which Go 1.26 and later leave 0.
    ///
    /// # Errors
    /// `Malformed` (offsets from the start of the table), or `GoTooOld` for older tables.
    pub fn parse(
        table: &[u8],
        version: &GoVersion,
        text: Option<LinkAddress>,
    ) -> Result<Self, BinaryError> {
        let malformed = |offset, reason| BinaryError::Malformed {
            what: "the Go pclntab",
            offset,
            reason,
        };
        let word = |offset| {
            u64_at(table, offset).ok_or_else(|| malformed(offset, "shorter than its header"))
        };
        let magic = u32_at(table, 0).ok_or_else(|| malformed(0, "shorter than its magic"))?;
        if OLD_MAGICS.contains(&magic) {
            return Err(BinaryError::GoTooOld {
                version: "a release before Go 1.18".to_owned(),
            });
        }
        let dialect = Dialect::of(magic, version).ok_or_else(|| malformed(0, "unknown magic"))?;
        let quantum = u8_at(table, 6).filter(|quantum| [1, 2, 4].contains(quantum));
        let quantum = quantum.ok_or_else(|| malformed(6, "instruction size is not 1, 2 or 4"))?;
        if u8_at(table, 7) != Some(8) {
            return Err(malformed(7, "pointer size is not 8"));
        }
        let function_count = u32::try_from(word(8)?).ok();
        let function_count = function_count.ok_or_else(|| malformed(8, "too many functions"))?;
        let text_start = LinkAddress(word(24)?);
        let part = |offset| {
            let start = word(offset)?;
            if start < HEADER_SIZE || start > table.len() as u64 {
                return Err(malformed(offset, "a part lies outside of the table"));
            }
            Ok(start)
        };
        let layout = Self {
            dialect,
            quantum: u32::from(quantum),
            function_count,
            text: text.unwrap_or(text_start),
            names: part(32)?,
            compilation_units: part(40)?,
            files: part(48)?,
            pcs: part(56)?,
            functions: part(64)?,
        };
        let index_size = u64::from(function_count) * 8 + 4;
        if layout.functions + index_size > table.len() as u64 {
            return Err(malformed(
                8,
                "the index of functions is longer than the table",
            ));
        }
        Ok(layout)
    }

    /// `textStart` as the header has it; 0 from Go 1.26 on and in some position-independent files.
    pub(crate) fn header_text_start(table: &[u8]) -> Option<u64> {
        u64_at(table, 24)
    }
}
