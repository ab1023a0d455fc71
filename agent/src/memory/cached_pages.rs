//! Reads that share pages, for walks from one small thing to the next.

use std::{cell::RefCell, collections::HashMap};

use super::{MemoryError, MemoryReader};
use crate::binary::RuntimeAddress;

const PAGE: usize = 4096;
/// Pages kept: 16 MiB.
const MAX_PAGES: usize = 4096;

/// Another memory, of which each page is read once. What it gives is as old as its first read.
#[derive(Debug)]
pub struct CachedPages<'a, M> {
    memory: &'a M,
    pages: RefCell<HashMap<u64, Box<[u8]>>>,
}

impl<'a, M: MemoryReader> CachedPages<'a, M> {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(memory: &'a M) -> Self {
        Self {
            memory,
            pages: RefCell::default(),
        }
    }
}

impl<M: MemoryReader> MemoryReader for CachedPages<'_, M> {
    fn read(&self, address: RuntimeAddress, into: &mut [u8]) -> Result<(), MemoryError> {
        let inside = address.0 % PAGE as u64;
        let end = usize::try_from(inside).unwrap_or(0) + into.len();
        // What crosses pages is rare and not worth the trouble.
        if end > PAGE {
            return self.memory.read(address, into);
        }
        let mut pages = self.pages.borrow_mut();
        let begin = address.0 - inside;
        if !pages.contains_key(&begin) {
            let mut page = vec![0; PAGE].into_boxed_slice();
            if self.memory.read(RuntimeAddress(begin), &mut page).is_err() {
                // Alone it says why, or can be read where the page as a whole cannot.
                return self.memory.read(address, into);
            }
            if pages.len() >= MAX_PAGES {
                pages.clear();
            }
            pages.insert(begin, page);
        }
        if let Some(bytes) = pages
            .get(&begin)
            .and_then(|page| page.get(end - into.len()..end))
        {
            into.copy_from_slice(bytes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::BytesMemory;

    #[test]
    fn what_is_read_through_it_is_what_is_there() {
        let bytes: Vec<u8> = (0..=250).cycle().take(PAGE * 2 + 16).collect();
        let memory = BytesMemory { base: 0, bytes };
        let cached = CachedPages::new(&memory);
        const SIZE: u64 = PAGE as u64;
        // Inside of a page, twice, over its end, and in a page that is not whole.
        for address in [8, 8, SIZE - 4, 2 * SIZE + 8] {
            let address = RuntimeAddress(address);
            assert_eq!(
                cached.read_u64(address).expect("it is there"),
                memory.read_u64(address).expect("it is there")
            );
        }
        let beyond = RuntimeAddress(2 * SIZE + 12);
        assert!(matches!(
            cached.read_u64(beyond),
            Err(MemoryError::Unmapped { address, length: 8 }) if address == beyond
        ));
    }
}
