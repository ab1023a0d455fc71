//! One function of the pclntab.

use super::offsets::{CuOffset, FileNameOffset, FuncdataOffset, NameOffset, PcOffset};
use super::{FunctionIds, Pclntab, pc_values};
use crate::binary::bytes::{c_string_at, i32_at, tail_at, u8_at, u32_at};
use crate::binary::{BinaryError, LinkAddress};

// Byte offsets in `runtime._func`, the same in all supported releases
// (https://github.com/golang/go/blob/go1.27.0/src/runtime/runtime2.go).
const NAME: u64 = 4;
const PC_SP: u64 = 16;
const PC_FILE: u64 = 20;
const PC_LINE: u64 = 24;
const PCDATA_COUNT: u64 = 28;
const COMPILATION_UNIT: u64 = 32;

/// A function of the Go program. Cheap to copy; reads the table as it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Function<'a> {
    pub(super) table: Pclntab<'a>,
    pub(super) index: u32,
    pub(super) entry: LinkAddress,
    pub(super) end: LinkAddress,
    /// From the start of the record to the end of the table.
    pub(super) record: &'a [u8],
}

impl<'a> Function<'a> {
    /// Its place in the table, which is sorted by address.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The address of its first instruction.
    #[must_use]
    pub fn entry(&self) -> LinkAddress {
        self.entry
    }

    /// The address behind it: where the next function begins, padding included.
    #[must_use]
    pub fn end(&self) -> LinkAddress {
        self.end
    }

    /// Its name as the linker has it, for example `main.(*T).Run.func1` or `main.Map[go.shape.int]`.
    ///
    /// # Errors
    /// `Malformed` when the name lies outside of the table or is not UTF-8.
    pub fn name(&self) -> Result<&'a str, BinaryError> {
        self.name_offset()
            .and_then(|offset| self.table.name_at(offset))
            .ok_or(BinaryError::Malformed {
                what: "a function name in the Go pclntab",
                offset: u64::from(self.index),
                reason: "outside of the table or not text",
            })
    }

    pub(super) fn name_offset(&self) -> Option<NameOffset> {
        u32_at(self.record, NAME).map(NameOffset)
    }

    /// The line of its `func` keyword; recorded since Go 1.20.
    #[must_use]
    pub fn start_line(&self) -> Option<u32> {
        let line = i32_at(self.record, self.table.layout.dialect.start_line?)?;
        u32::try_from(line).ok().filter(|&line| line > 0)
    }

    /// Which special function it is (`abi.FuncID`; numbered differently in each release, 0: none).
    #[must_use]
    pub fn function_id(&self) -> u8 {
        u8_at(self.record, self.table.layout.dialect.function_id).unwrap_or(0)
    }

    /// `abi.FuncFlag`: 1 top of a stack, 2 writes SP, 4 assembly.
    #[must_use]
    pub fn flags(&self) -> u8 {
        u8_at(self.record, self.table.layout.dialect.function_id + 1).unwrap_or(0)
    }

    /// Bytes between the stack pointer at `pc` and the return address; on arm64, between it and the
    /// caller's stack pointer. `None` where the table does not say.
    #[must_use]
    pub fn frame_size(&self, pc: LinkAddress) -> Option<u32> {
        u32::try_from(self.pc_value(PC_SP, pc)?).ok()
    }

    /// Whether the compiler made it (method wrappers, `go` and `defer` wrappers, hash functions).
    #[must_use]
    pub fn is_wrapper(&self) -> bool {
        self.special_ids().is_wrapper(self.function_id())
    }

    /// The ids of special functions in this program's Go release.
    #[must_use]
    pub fn special_ids(&self) -> FunctionIds {
        self.table.layout.dialect.ids
    }

    /// The source place of the instruction at `pc`, which belongs to the innermost call inlined
    /// there. Each is `None` where the table does not say.
    #[must_use]
    pub fn file_line(&self, pc: LinkAddress) -> (Option<&'a str>, Option<u32>) {
        let line = self
            .pc_value(PC_LINE, pc)
            .and_then(|line| u32::try_from(line).ok());
        (self.file(pc), line)
    }

    fn file(&self, pc: LinkAddress) -> Option<&'a str> {
        let number = u32::try_from(self.pc_value(PC_FILE, pc)?).ok()?;
        let unit = u32_at(self.record, COMPILATION_UNIT).map(CuOffset)?;
        self.table.file_at(unit, number)
    }

    /// The value of the table whose offset is at `field` of the record.
    fn pc_value(&self, field: u64, pc: LinkAddress) -> Option<i32> {
        let offset = PcOffset(u32_at(self.record, field)?);
        let inside = pc.0.checked_sub(self.entry.0)?;
        pc_values::value_at(
            self.table.pc_table(offset)?,
            self.table.layout.quantum,
            inside,
        )
    }

    /// The value of PCDATA table `number` at `pc`.
    pub(super) fn pcdata(&self, number: u32, pc: LinkAddress) -> Option<i32> {
        if number >= u32_at(self.record, PCDATA_COUNT)? {
            return None;
        }
        self.pc_value(
            self.table.layout.dialect.record_size + u64::from(number) * 4,
            pc,
        )
    }

    /// Whether it has PCDATA table `number`; `None` where its record is cut.
    pub(super) fn has_pcdata(&self, number: u32) -> Option<bool> {
        if number >= u32_at(self.record, PCDATA_COUNT)? {
            return Some(false);
        }
        let size = self.table.layout.dialect.record_size;
        Some(u32_at(self.record, size + u64::from(number) * 4)? != 0)
    }

    /// Whether it has FUNCDATA `number`; `None` where its record is cut.
    pub(super) fn has_funcdata(&self, number: u8) -> Option<bool> {
        let size = self.table.layout.dialect.record_size;
        if number >= u8_at(self.record, size - 1)? {
            return Some(false);
        }
        let tables = u64::from(u32_at(self.record, PCDATA_COUNT)?) + u64::from(number);
        Some(u32_at(self.record, size + tables * 4)? != u32::MAX)
    }

    /// The bytes of FUNCDATA `number`, to the end of where such data is.
    pub(super) fn funcdata(&self, number: u8) -> Option<&'a [u8]> {
        let size = self.table.layout.dialect.record_size;
        if number >= u8_at(self.record, size - 1)? {
            return None;
        }
        let tables = u64::from(u32_at(self.record, PCDATA_COUNT)?) + u64::from(number);
        let offset = FuncdataOffset(u32_at(self.record, size + tables * 4)?);
        if offset.0 == u32::MAX {
            return None;
        }
        tail_at(self.table.funcdata, u64::from(offset.0))
    }
}

impl<'a> Pclntab<'a> {
    fn pc_table(&self, offset: PcOffset) -> Option<&'a [u8]> {
        if offset.0 == 0 {
            return None;
        }
        tail_at(self.bytes, self.layout.pcs + u64::from(offset.0))
    }

    pub(super) fn name_at(&self, offset: NameOffset) -> Option<&'a str> {
        text(c_string_at(
            self.bytes,
            self.layout.names + u64::from(offset.0),
        )?)
    }

    fn file_at(&self, unit: CuOffset, number: u32) -> Option<&'a str> {
        let entry = u64::from(unit.0) + u64::from(number);
        let offset = FileNameOffset(u32_at(
            self.bytes,
            self.layout.compilation_units + entry * 4,
        )?);
        if offset.0 == u32::MAX {
            return None;
        }
        text(c_string_at(
            self.bytes,
            self.layout.files + u64::from(offset.0),
        )?)
    }
}

/// No name or path of a real program is longer; a hostile one could be the whole file.
const MAX_TEXT: usize = 1 << 16;

fn text(bytes: &[u8]) -> Option<&str> {
    if bytes.len() > MAX_TEXT {
        None
    } else {
        std::str::from_utf8(bytes).ok()
    }
}
