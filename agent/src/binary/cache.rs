//! Files that were parsed already: a hundred processes of one image share one.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::{BinaryError, GoBinary};
use crate::memory::{FileIdentity, MappedFile};

type Entry = Result<Arc<GoBinary>, Arc<BinaryError>>;

/// Parsed files by identity. What cannot be parsed is remembered too; a file that could not be read
/// or that changed meanwhile is tried again.
#[derive(Debug, Default)]
pub struct BinaryCache {
    entries: Mutex<HashMap<FileIdentity, Entry>>,
    parsed: AtomicU64,
}

/// Failures take a few bytes each, but a host may run ten thousands of other programs.
const MAX_FAILURES: usize = 4096;

impl BinaryCache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The parsed file at `path`, usually `/proc/PID/exe`.
    ///
    /// # Errors
    /// As [`GoBinary::open`]; the same error again for a file that failed before.
    pub fn open(&self, path: &Path) -> Result<Arc<GoBinary>, Arc<BinaryError>> {
        let mapped = MappedFile::open(path).map_err(|source| {
            Arc::new(BinaryError::Io {
                path: path.to_owned(),
                source,
            })
        })?;
        let identity = mapped.identity();
        if let Some(entry) = self.lock().get(&identity) {
            return entry.clone();
        }
        // Not under the lock: another thread may parse the same file, which costs time only.
        let parsed = GoBinary::from_file(mapped).map(Arc::new).map_err(Arc::new);
        self.parsed.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.lock();
        match &parsed {
            Err(error) if is_passing(error) => return parsed,
            Err(_) if entries.values().filter(|entry| entry.is_err()).count() >= MAX_FAILURES => {
                entries.retain(|_, entry| entry.is_ok());
            }
            _ => {}
        }
        entries.entry(identity).or_insert(parsed).clone()
    }

    /// Forgets files that nobody uses any more. What failed stays remembered.
    pub fn forget_unused(&self) {
        self.lock().retain(|_, entry| match entry {
            Ok(binary) => Arc::strong_count(binary) > 1,
            Err(_) => true,
        });
    }

    /// How many files have been taken apart so far.
    #[must_use]
    pub fn parsed(&self) -> u64 {
        self.parsed.load(Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<FileIdentity, Entry>> {
        // The map is consistent between any two statements.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_passing(error: &BinaryError) -> bool {
    matches!(error, BinaryError::Io { .. } | BinaryError::FileChanged(_))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn failures_are_remembered_until_the_file_changes() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"not an ELF file").unwrap();
        let cache = BinaryCache::new();
        let first = cache.open(file.path()).unwrap_err();
        assert!(matches!(*first, BinaryError::NotElf));
        assert!(Arc::ptr_eq(&first, &cache.open(file.path()).unwrap_err()));
        file.write_all(b", longer").unwrap();
        assert!(!Arc::ptr_eq(&first, &cache.open(file.path()).unwrap_err()));
        let missing = cache.open(Path::new("/nonexistent/file")).unwrap_err();
        assert!(matches!(*missing, BinaryError::Io { .. }));
    }
}
