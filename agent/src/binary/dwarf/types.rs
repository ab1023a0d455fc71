//! Struct entries of one compile unit.

use std::collections::HashMap;

use gimli::{Abbreviation, AttributeValue, EntriesRaw, constants as dw};

use super::budget::Budget;
use super::unit::{Slice, Unit};
use super::{DwarfError, FieldLayout, StructLayout, StructLayouts, Wanted};

/// Typedefs of typedefs that are followed. Go writes two.
const TYPEDEF_LIMIT: usize = 16;

/// The `wanted` structs this unit has.
pub(super) fn collect(
    unit: &Unit<'_>,
    wanted: &Wanted<'_>,
    budget: &mut Budget,
) -> Result<StructLayouts, DwarfError> {
    let names: HashMap<&[u8], (&str, &[&str])> = wanted
        .iter()
        .map(|(name, fields)| (name.as_bytes(), (*name, *fields)))
        .collect();
    let mut walk = Walk {
        unit,
        budget,
        sizes: HashMap::new(),
    };
    let mut found = StructLayouts::new();
    let Some(mut entries) = unit.entries(None) else {
        return Ok(found);
    };
    walk.next(&mut entries)?;
    // Depth 1 is what stands directly in the unit: types, but also functions, whose children
    // must be passed over one by one, for Go writes no sibling references.
    while !entries.is_empty() && entries.next_depth() > 0 && found.len() < names.len() {
        let depth = entries.next_depth();
        let Some((offset, abbreviation)) = walk.next_at(&mut entries)? else {
            continue;
        };
        if depth != 1 || abbreviation.tag() != dw::DW_TAG_structure_type {
            walk.skip(&mut entries, abbreviation)?;
            continue;
        }
        let (name, size) = walk.struct_attributes(&mut entries, abbreviation)?;
        let Some((name, fields)) = names.get(name) else {
            continue;
        };
        if found.contains_key(*name) {
            continue;
        }
        let Some(size) = size.and_then(|size| u32::try_from(size).ok()) else {
            return Err(walk.damaged(offset, "a struct without a size, or above 4 GiB"));
        };
        let mut layout = StructLayout {
            size,
            ..StructLayout::default()
        };
        if abbreviation.has_children() {
            walk.members(&mut entries, fields, &mut layout)?;
        }
        found.insert((*name).to_owned(), layout);
    }
    Ok(found)
}

struct Walk<'unit, 'data, 'budget> {
    unit: &'unit Unit<'data>,
    budget: &'budget mut Budget,
    /// Sizes of types by their offset in the unit.
    sizes: HashMap<usize, u32>,
}

impl<'unit> Walk<'unit, '_, '_> {
    /// The next entry's offset in the unit and abbreviation; `None` ends a list of children.
    fn next_at(
        &mut self,
        entries: &mut EntriesRaw<'unit, Slice<'unit>>,
    ) -> Result<Option<(usize, &'unit Abbreviation)>, DwarfError> {
        let offset = entries.next_offset().0;
        let abbreviation = entries
            .read_abbreviation()
            .map_err(|source| self.decode(offset, source))?;
        self.budget
            .entry(abbreviation.map_or(0, |it| it.attributes().len()))?;
        Ok(abbreviation.map(|abbreviation| (offset, abbreviation)))
    }

    /// Passes over one entry.
    fn next(&mut self, entries: &mut EntriesRaw<'unit, Slice<'unit>>) -> Result<(), DwarfError> {
        match self.next_at(entries)? {
            Some((_, abbreviation)) => self.skip(entries, abbreviation),
            None => Ok(()),
        }
    }

    fn skip(
        &self,
        entries: &mut EntriesRaw<'unit, Slice<'unit>>,
        abbreviation: &Abbreviation,
    ) -> Result<(), DwarfError> {
        let offset = entries.next_offset().0;
        entries
            .skip_attributes(abbreviation.attributes())
            .map_err(|source| self.decode(offset, source))
    }

    fn struct_attributes(
        &self,
        entries: &mut EntriesRaw<'unit, Slice<'unit>>,
        abbreviation: &Abbreviation,
    ) -> Result<(&'unit [u8], Option<u64>), DwarfError> {
        let (mut name, mut size) = (&[][..], None);
        self.attributes(entries, abbreviation, |at, value| match at {
            dw::DW_AT_name => name = inline_string(&value),
            dw::DW_AT_byte_size => size = value.udata_value(),
            _ => {}
        })?;
        Ok((name, size))
    }

    /// Reads the children of a struct up to the end of their list.
    fn members(
        &mut self,
        entries: &mut EntriesRaw<'unit, Slice<'unit>>,
        fields: &[&str],
        layout: &mut StructLayout,
    ) -> Result<(), DwarfError> {
        while entries.next_depth() > 1 {
            let depth = entries.next_depth();
            let Some((entry, abbreviation)) = self.next_at(entries)? else {
                continue;
            };
            if depth != 2 || abbreviation.tag() != dw::DW_TAG_member {
                self.skip(entries, abbreviation)?;
                continue;
            }
            let (mut name, mut offset, mut type_entry) = (&[][..], None, None);
            let start = self.unit.start;
            self.attributes(entries, abbreviation, |at, value| match at {
                dw::DW_AT_name => name = inline_string(&value),
                dw::DW_AT_data_member_location => offset = value.udata_value(),
                dw::DW_AT_type => type_entry = reference(&value, start),
                _ => {}
            })?;
            let Ok(name) = std::str::from_utf8(name) else {
                return Err(self.damaged(entry, "a field whose name is not UTF-8"));
            };
            // `_` is padding, and there may be several of it.
            if name == "_" || !fields.is_empty() && !fields.contains(&name) {
                continue;
            }
            let offset = offset.and_then(|offset| u32::try_from(offset).ok());
            let (Some(offset), Some(type_entry)) = (offset, type_entry) else {
                return Err(self.damaged(entry, "a field without an offset or a type"));
            };
            let size = self.size_of(type_entry)?;
            if u64::from(offset) + u64::from(size) > u64::from(layout.size) {
                return Err(self.damaged(entry, "a field that reaches past its struct"));
            }
            layout
                .fields
                .insert(name.to_owned(), FieldLayout { offset, size });
        }
        Ok(())
    }

    /// Bytes of the type whose entry is at `entry` in this unit.
    fn size_of(&mut self, entry: usize) -> Result<u32, DwarfError> {
        if let Some(size) = self.sizes.get(&entry) {
            return Ok(*size);
        }
        let mut at = entry;
        for _ in 0..TYPEDEF_LIMIT {
            let Some(mut entries) = self.unit.entries(Some(at)) else {
                return Err(self.damaged(at, "a type outside of its unit"));
            };
            let Some((_, abbreviation)) = self.next_at(&mut entries)? else {
                return Err(self.damaged(at, "a type that is the end of a list"));
            };
            let (mut size, mut target) = (None, None);
            let start = self.unit.start;
            self.attributes(&mut entries, abbreviation, |at, value| match at {
                dw::DW_AT_byte_size => size = value.udata_value(),
                dw::DW_AT_type => target = reference(&value, start),
                _ => {}
            })?;
            let size = match (abbreviation.tag(), size, target) {
                (_, Some(size), _) => size,
                // Go gives pointers and functions no size.
                (dw::DW_TAG_pointer_type | dw::DW_TAG_subroutine_type, None, _) => {
                    self.unit.address_size().into()
                }
                (dw::DW_TAG_typedef, None, Some(target)) => {
                    at = target;
                    continue;
                }
                _ => return Err(self.damaged(at, "a type without a size")),
            };
            let Ok(size) = u32::try_from(size) else {
                return Err(self.damaged(at, "a type above 4 GiB"));
            };
            self.sizes.insert(entry, size);
            return Ok(size);
        }
        Err(self.damaged(entry, "typedefs in a circle"))
    }

    fn attributes(
        &self,
        entries: &mut EntriesRaw<'unit, Slice<'unit>>,
        abbreviation: &Abbreviation,
        mut each: impl FnMut(gimli::DwAt, gimli::Attribute<Slice<'unit>>),
    ) -> Result<(), DwarfError> {
        for spec in abbreviation.attributes() {
            let offset = entries.next_offset().0;
            let attribute = entries
                .read_attribute_inline(*spec)
                .map_err(|source| self.decode(offset, source))?;
            each(attribute.name(), attribute);
        }
        Ok(())
    }

    fn damaged(&self, offset: usize, what: &'static str) -> DwarfError {
        DwarfError::Damaged {
            offset: self.unit.start + offset as u64,
            what,
        }
    }

    fn decode(&self, offset: usize, source: gimli::Error) -> DwarfError {
        DwarfError::Decode {
            offset: self.unit.start + offset as u64,
            source,
        }
    }
}

fn inline_string<'unit>(attribute: &gimli::Attribute<Slice<'unit>>) -> &'unit [u8] {
    match attribute.raw_value() {
        AttributeValue::String(bytes) => bytes.slice(),
        _ => &[],
    }
}

/// A reference to an entry, as an offset from the start of the unit, which starts at `start`.
fn reference(attribute: &gimli::Attribute<Slice<'_>>, start: u64) -> Option<usize> {
    match attribute.raw_value() {
        AttributeValue::UnitRef(offset) => Some(offset.0),
        // Go's form: an offset in the section.
        AttributeValue::DebugInfoRef(offset) => (offset.0 as u64)
            .checked_sub(start)
            .and_then(|offset| usize::try_from(offset).ok()),
        _ => None,
    }
}
