//! A limit on the work that one file can cause.

use super::DwarfError;

/// Entries and attributes looked at in one file. A program of 42,000 types (172 MB) has 17 million.
const LIMIT: u64 = 150_000_000;

/// What may still be spent. Bytes alone do not bound the work: an attribute may have none of its
/// own (`DW_FORM_implicit_const`), and thousands of them may stand in one abbreviation.
pub(super) struct Budget(u64);

impl Budget {
    pub(super) fn new() -> Self {
        Self(LIMIT)
    }

    /// Pays for one entry with this many attributes.
    pub(super) fn entry(&mut self, attributes: usize) -> Result<(), DwarfError> {
        let cost = 1 + attributes as u64;
        self.0 = self.0.checked_sub(cost).ok_or(DwarfError::TooMuchWork)?;
        Ok(())
    }
}
