//! Finding one compile unit by its name without reading the others.

use std::borrow::Cow;

use gimli::{
    Abbreviations, AttributeValue, DebugAbbrev, DebugAbbrevOffset, DwAt, EndianSlice, EntriesRaw,
    Format, LittleEndian, UnitOffset, constants as dw,
};

use super::DwarfError;
use super::budget::Budget;
use super::section::Stream;

/// What a reader of the decompressed bytes is for gimli.
pub(super) type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Enough of a unit to find its name in: the name is the first attribute Go writes.
const PREFIX: u64 = 4096;
/// Bytes of an abbreviation table that are parsed. Go's, shared by all its units, has about 2 KiB.
const TABLE_LIMIT: usize = 32 << 10;
/// Bytes of abbreviation tables parsed in one file, so that units which all point into one large
/// table cost no more than a second.
const TABLES_LIMIT: usize = 64 << 20;
/// Bytes of the one unit that is kept: all types of the program and the runtime's functions.
const UNIT_LIMIT: u64 = 256 << 20;

/// One compile unit, complete.
pub(super) struct Unit<'data> {
    /// Where it starts in `.debug_info`.
    pub(super) start: u64,
    /// Bytes from its start to `body`: the initial length field.
    length_size: usize,
    /// All that follows the initial length field.
    body: Cow<'data, [u8]>,
    header: Header,
    pub(super) abbreviations: Abbreviations,
}

impl Unit<'_> {
    pub(super) fn address_size(&self) -> u8 {
        self.header.encoding.address_size
    }

    /// Reads entries from `offset` (counted from the unit's start), or from the root entry.
    pub(super) fn entries(&self, offset: Option<usize>) -> Option<EntriesRaw<'_, Slice<'_>>> {
        let offset = offset.unwrap_or(self.length_size + self.header.size);
        // An entry cannot be inside the header.
        let index = offset.checked_sub(self.length_size)?;
        let bytes = self
            .body
            .get(index..)
            .filter(|_| index >= self.header.size)?;
        Some(EntriesRaw::new(
            EndianSlice::new(bytes, LittleEndian),
            self.header.encoding,
            &self.abbreviations,
            UnitOffset(offset),
        ))
    }
}

/// The compile units of a file, front to back.
pub(super) struct Units<'data, 'abbrev> {
    info: Stream<'data>,
    abbrev: &'abbrev [u8],
    /// The table parsed last. Go's units share one.
    table: Option<(usize, Abbreviations)>,
    parsed: usize,
}

impl<'data, 'abbrev> Units<'data, 'abbrev> {
    pub(super) fn new(info: Stream<'data>, abbrev: &'abbrev [u8]) -> Self {
        Self {
            info,
            abbrev,
            table: None,
            parsed: 0,
        }
    }

    /// The next unit of Go code whose name, that is the package's import path, is `name`.
    pub(super) fn next_named(
        &mut self,
        name: &[u8],
        budget: &mut Budget,
    ) -> Result<Option<Unit<'data>>, DwarfError> {
        while self.info.remaining() > 0 {
            let start = self.info.position();
            let (length, format) = self.initial_length(start)?;
            let mut body = self.info.read_ahead(PREFIX, length)?;
            let header = Header::parse(&body, format, start)?;
            let rest = length - body.len() as u64;
            if header.unit_type == dw::DW_UT_compile
                && self.is_named(&body, &header, name, budget)?
            {
                if length > UNIT_LIMIT {
                    return Err(DwarfError::TooLarge {
                        section: ".debug_info",
                        size: length,
                        limit: UNIT_LIMIT,
                    });
                }
                self.info.extend(&mut body, rest)?;
                // `is_named` has just parsed it; the next unit of this name parses it again.
                let Some((_, abbreviations)) = self.table.take() else {
                    continue;
                };
                return Ok(Some(Unit {
                    start,
                    length_size: usize::from(format.initial_length_size()),
                    body,
                    header,
                    abbreviations,
                }));
            }
            self.info.skip(rest)?;
        }
        Ok(None)
    }

    fn initial_length(&mut self, start: u64) -> Result<(u64, Format), DwarfError> {
        let damaged = |what| DwarfError::Damaged {
            offset: start,
            what,
        };
        let bytes = self.info.read(4)?;
        let short = <[u8; 4]>::try_from(&*bytes)
            .map(u32::from_le_bytes)
            .map_err(|_| damaged("the unit's length is cut off"))?;
        match short {
            0xffff_ffff => {
                let bytes = self.info.read(8)?;
                let long = <[u8; 8]>::try_from(&*bytes)
                    .map(u64::from_le_bytes)
                    .map_err(|_| damaged("the unit's length is cut off"))?;
                Ok((long, Format::Dwarf64))
            }
            0xffff_fff0.. => Err(damaged("the unit's length has a reserved value")),
            length => Ok((length.into(), Format::Dwarf32)),
        }
    }

    /// Whether the unit's root entry says Go and `name`. What cannot be decoded is another
    /// compiler's business, and does not stop the search.
    fn is_named(
        &mut self,
        body: &[u8],
        header: &Header,
        name: &[u8],
        budget: &mut Budget,
    ) -> Result<bool, DwarfError> {
        let Some(abbreviations) = self.table(header.abbrev_offset)? else {
            return Ok(false);
        };
        let bytes = EndianSlice::new(body.get(header.size..).unwrap_or_default(), LittleEndian);
        let mut entries = EntriesRaw::new(
            bytes,
            header.encoding,
            abbreviations,
            UnitOffset(header.size),
        );
        let Ok(Some(root)) = entries.read_abbreviation() else {
            return Ok(false);
        };
        budget.entry(root.attributes().len())?;
        let (mut is_named, mut is_go) = (false, false);
        for spec in root.attributes() {
            // The prefix may end within the root entry, behind what matters.
            let Ok(attribute) = entries.read_attribute(*spec) else {
                break;
            };
            match (attribute.name(), attribute.raw_value()) {
                (dw::DW_AT_name, AttributeValue::String(found)) => is_named = found.slice() == name,
                (dw::DW_AT_language, _) => is_go = is_go_language(attribute.udata_value()),
                (DwAt(_), _) => {}
            }
        }
        Ok(is_named && is_go)
    }

    fn table(&mut self, offset: usize) -> Result<Option<&Abbreviations>, DwarfError> {
        if self.table.as_ref().is_none_or(|(at, _)| *at != offset) {
            self.table = None;
            let Some(bytes) = self.abbrev.get(offset..) else {
                return Ok(None);
            };
            let bytes = &bytes[..bytes.len().min(TABLE_LIMIT)];
            self.parsed += bytes.len();
            if self.parsed > TABLES_LIMIT {
                return Err(DwarfError::TooMuchWork);
            }
            let parsed = DebugAbbrev::new(bytes, LittleEndian).abbreviations(DebugAbbrevOffset(0));
            self.table = parsed.ok().map(|table| (offset, table));
        }
        Ok(self.table.as_ref().map(|(_, table)| table))
    }
}

fn is_go_language(value: Option<u64>) -> bool {
    value == Some(u64::from(dw::DW_LANG_Go.0))
}

/// What follows a unit's initial length field. By hand, because gimli wants the whole unit before
/// it parses its header, and most units are not to be read at all.
struct Header {
    encoding: gimli::Encoding,
    unit_type: gimli::DwUt,
    abbrev_offset: usize,
    /// Bytes of the header, without the initial length field.
    size: usize,
}

impl Header {
    fn parse(body: &[u8], format: Format, start: u64) -> Result<Self, DwarfError> {
        use gimli::Reader as _;
        let damaged = |source| DwarfError::Decode {
            offset: start,
            source,
        };
        let mut input = EndianSlice::new(body, LittleEndian);
        let version = input.read_u16().map_err(damaged)?;
        let (unit_type, abbrev_offset, address_size) = match version {
            2..=4 => {
                let abbrev_offset = input.read_offset(format).map_err(damaged)?;
                let address_size = input.read_u8().map_err(damaged)?;
                (dw::DW_UT_compile, abbrev_offset, address_size)
            }
            5 => {
                let unit_type = gimli::DwUt(input.read_u8().map_err(damaged)?);
                let address_size = input.read_u8().map_err(damaged)?;
                let abbrev_offset = input.read_offset(format).map_err(damaged)?;
                (unit_type, abbrev_offset, address_size)
            }
            version => {
                return Err(DwarfError::Version {
                    version,
                    offset: start,
                });
            }
        };
        Ok(Self {
            encoding: gimli::Encoding {
                address_size,
                format,
                version,
            },
            unit_type,
            abbrev_offset,
            size: body.len() - input.len(),
        })
    }
}
