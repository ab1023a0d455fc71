//! Pointer masks of types: a bit for each word up to the last pointer (`abi.Type.GCData`,
//! `internal/abi/type.go`).

use std::{collections::HashMap, ops::Range};

use super::{Fallback, Window};
use crate::{
    binary::{
        RuntimeAddress,
        bytes::{u8_at, u64_at, words},
    },
    memory::{Extent, MemoryError, MemoryReader},
    runtime::{
        heap::HeapError,
        layout::{LayoutError, Layouts},
    },
};

const TYPE: &str = "internal/abi.Type";
/// Types that are held; a program has some tens of thousands.
const MAX_TYPES: usize = 1 << 17;
/// Words of all masks together: 16 MiB.
const MAX_MASKS: usize = 1 << 21;
/// The part with pointers of a type whose mask is held: 16 KiB of mask.
const MAX_POINTERS: u64 = 1 << 20;
/// `TFlagGCMaskOnDemand`, from Go 1.24 on: `GCData` leads to the address of the mask. Before, it marks
/// types that the runtime makes itself (`TFlagUnrolledBitmap`).
const FLAG_ELSEWHERE: u8 = 1 << 4;
/// `KindGCProg`, before Go 1.24: `GCData` leads to a program.
const KIND_PROGRAM: u8 = 1 << 6;
/// `KindMask` and the last kind, `UnsafePointer`.
const KIND_MASK: u8 = (1 << 5) - 1;
const LAST_KIND: u8 = 26;

/// The pointers of a type.
#[derive(Debug)]
pub(super) struct TypeMask {
    /// Bytes of a value.
    size: u64,
    mask: Box<[u64]>,
}

impl TypeMask {
    /// Whether an object of so many bytes can hold a value.
    pub(super) fn fits(&self, bytes: u64) -> bool {
        self.size <= bytes
    }

    /// Visits the pointers of values that follow one another up to the end of `object`. Behind the last
    /// value are zeroes, or what the object before left: its pointers count then, too.
    pub(super) fn scan(
        &self,
        object: Range<u64>,
        window: Window<'_>,
        visit: &mut impl FnMut(u64, u64),
    ) {
        let seen = window.clip(object.clone());
        let before = seen.start.saturating_sub(object.start) / self.size;
        let mut value = object.start + before * self.size;
        while value < seen.end {
            for (place, mask) in (0..).zip(&self.mask) {
                let at = value + place * 512;
                // Those behind the end are those of the next object.
                let left = object.end.saturating_sub(at) / 8;
                let mask = if left < 64 {
                    mask & ((1 << left) - 1)
                } else {
                    *mask
                };
                window.masked(at, mask, visit);
            }
            value += self.size;
        }
    }
}

/// The types that objects were found to have.
#[derive(Debug)]
pub(super) struct Types {
    layout: TypeLayout,
    /// Where the program's types are.
    types: Range<u64>,
    /// Where the program and its data are.
    module: Range<u64>,
    known: HashMap<u64, Result<TypeMask, Fallback>>,
    held: usize,
}

#[derive(Debug)]
struct TypeLayout {
    minor: u32,
    bytes: u32,
    size: u32,
    pointers: u32,
    flags: u32,
    kind: u32,
    mask: u32,
}

/// A type as it was read.
struct RawType {
    size: u64,
    pointers: u64,
    flags: u8,
    kind: u8,
    mask: u64,
}

impl Types {
    pub(super) fn new(
        layouts: &Layouts,
        minor: u32,
        types: Range<u64>,
        module: Range<u64>,
    ) -> Result<Self, LayoutError> {
        let field = |name, size| layouts.offset_of_size(TYPE, name, size);
        Ok(Self {
            layout: TypeLayout {
                minor,
                bytes: layouts.size(TYPE)?,
                size: field("Size_", 8)?,
                pointers: field("PtrBytes", 8)?,
                flags: field("TFlag", 1)?,
                kind: field("Kind_", 1)?,
                mask: field("GCData", 8)?,
            },
            types,
            module,
            known: HashMap::new(),
            held: 0,
        })
    }

    /// The mask of the type at this address, if it was fetched.
    #[inline]
    pub(super) fn get(&self, address: u64) -> Result<&TypeMask, Fallback> {
        match self.known.get(&address) {
            Some(known) => known.as_ref().map_err(|reason| *reason),
            None => Err(Fallback::UnknownType),
        }
    }

    /// Makes these types known, as far as they are types of the program's file. Those that are made at
    /// run time (`reflect`) or belong to a plugin are not: nothing would show that they are types.
    pub(super) fn fetch(
        &mut self,
        memory: &impl MemoryReader,
        mut wanted: Vec<u64>,
    ) -> Result<(), HeapError> {
        wanted.retain(|address| {
            let is_new = !matches!(self.known.get(address), Some(Ok(_)));
            is_new && self.types.contains(address) && address.is_multiple_of(8)
        });
        wanted.sort_unstable();
        wanted.dedup();
        wanted.truncate(MAX_TYPES.saturating_sub(self.known.len()));
        let addresses = wanted.iter().copied().map(RuntimeAddress);
        let extents = Extent::each(addresses, self.layout.bytes as usize);
        let mut masks: Vec<(u64, RawType)> = Vec::new();
        let mut failed = Failure::default();
        memory.read_extents(&extents, &mut |place, bytes| {
            let raw = failed
                .note(bytes)
                .and_then(|bytes| self.layout.parse(bytes));
            match raw.ok_or(Fallback::UnknownType) {
                Ok(raw) => masks.push((wanted[place], raw)),
                Err(reason) => {
                    self.known.insert(wanted[place], Err(reason));
                }
            }
        });
        failed.result()?;
        self.resolve(memory, &mut masks)?;
        self.read_masks(memory, masks)
    }

    /// Finds masks that are made when they are needed.
    fn resolve(
        &mut self,
        memory: &impl MemoryReader,
        types: &mut Vec<(u64, RawType)>,
    ) -> Result<(), HeapError> {
        types.retain(|(address, raw)| {
            let program = self.layout.minor < 24
                && (raw.kind & KIND_PROGRAM != 0 || raw.flags & FLAG_ELSEWHERE != 0);
            let too_large = raw.pointers > MAX_POINTERS;
            if program || too_large {
                self.known.insert(*address, Err(Fallback::NoMask));
            }
            !program && !too_large
        });
        let elsewhere: Vec<usize> = (0..types.len())
            .filter(|place| self.layout.minor >= 24 && types[*place].1.flags & FLAG_ELSEWHERE != 0)
            .collect();
        let extents = Extent::each(
            elsewhere
                .iter()
                .map(|place| RuntimeAddress(types[*place].1.mask)),
            8,
        );
        let mut failed = Failure::default();
        memory.read_extents(&extents, &mut |place, bytes| {
            let mask = failed.note(bytes).and_then(|bytes| u64_at(bytes, 0));
            // While it is being made, the word leads to a variable of the runtime.
            let mask = mask.filter(|mask| !self.module.contains(mask));
            types[elsewhere[place]].1.mask = mask.unwrap_or(0);
        });
        failed.result()
    }

    fn read_masks(
        &mut self,
        memory: &impl MemoryReader,
        types: Vec<(u64, RawType)>,
    ) -> Result<(), HeapError> {
        let extents: Vec<Extent> = types
            .iter()
            .map(|(_, raw)| Extent {
                address: RuntimeAddress(raw.mask),
                // Of the last byte not all bits need be bits.
                length: usize::try_from((raw.pointers / 8).div_ceil(8)).unwrap_or(usize::MAX),
            })
            .collect();
        let mut failed = Failure::default();
        memory.read_extents(&extents, &mut |place, bytes| {
            let (address, raw) = &types[place];
            let mask = failed.note(bytes).filter(|_| raw.mask != 0);
            let known = match mask {
                Some(bytes) if self.held + bytes.len() / 8 < MAX_MASKS => {
                    let mask = mask_words(bytes, raw.pointers / 8);
                    self.held += mask.len();
                    Ok(TypeMask {
                        size: raw.size,
                        mask,
                    })
                }
                _ => Err(Fallback::NoMask),
            };
            self.known.insert(*address, known);
        });
        failed.result()
    }
}

/// The mask in words, with `count` bits.
fn mask_words(bytes: &[u8], count: u64) -> Box<[u64]> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(8), 0);
    let mut mask: Vec<u64> = words(&padded).collect();
    if let Some(last) = mask.last_mut()
        && !count.is_multiple_of(64)
    {
        *last &= (1 << (count % 64)) - 1;
    }
    mask.into()
}

impl TypeLayout {
    /// `None` where it cannot be a type with pointers.
    fn parse(&self, bytes: &[u8]) -> Option<RawType> {
        let word = |offset: u32| u64_at(bytes, offset.into());
        let raw = RawType {
            size: word(self.size)?,
            pointers: word(self.pointers)?,
            flags: u8_at(bytes, self.flags.into())?,
            kind: u8_at(bytes, self.kind.into())?,
            mask: word(self.mask)?,
        };
        let is_type = raw.pointers > 0
            && raw.pointers.is_multiple_of(8)
            && raw.pointers <= raw.size
            && raw.size.is_multiple_of(8)
            && raw.mask != 0
            && (1..=LAST_KIND).contains(&(raw.kind & KIND_MASK));
        is_type.then_some(raw)
    }
}

/// What is not mapped is not missed; a process that is gone is.
#[derive(Default)]
pub(super) struct Failure(Option<MemoryError>);

impl Failure {
    pub(super) fn note<T>(&mut self, read: Result<T, MemoryError>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(MemoryError::Unmapped { .. } | MemoryError::NotInCore { .. }) => None,
            Err(error) => {
                self.0 = Some(error);
                None
            }
        }
    }

    pub(super) fn result(self) -> Result<(), HeapError> {
        self.0.map_or(Ok(()), |error| Err(error.into()))
    }
}
