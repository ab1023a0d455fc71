//! A file mapped for reading that survives the file being truncated under us.
//!
//! The files we map belong to strangers, who may overwrite or truncate them while we read. The
//! kernel answers a read of a page that is gone with SIGBUS, which would end the agent. Here a
//! handler puts a page of zeros in its place and marks the mapping as damaged: parsers, which
//! check all they read anyway, see zeros, and whoever asked learns from [`MappedFile::check`] that
//! what was read is not to be trusted.
#![expect(
    unsafe_code,
    reason = "mmap and signal handlers cannot be had without; each block says why it is sound"
)]

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering};

use memmap2::{Mmap, MmapMut, UncheckedAdvice};

/// The mapped file was truncated, or its storage failed, while it was mapped: pages read as zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file was changed or truncated while gostray read it; try again with the new file")]
pub struct FileChanged;

/// What tells one version of a file from another, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileIdentity {
    /// The device the file is on (`st_dev`).
    pub device: u64,
    /// Its inode there; reused after deletion, hence the size and the time.
    pub inode: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Last modification, in nanoseconds since 1970.
    pub mtime: i128,
}

impl FileIdentity {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mtime: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
        }
    }
}

/// A read-only private mapping of a whole file; dereferences to its bytes.
#[derive(Debug)]
pub struct MappedFile {
    /// `None` for an empty file, which cannot be mapped.
    map: Option<Mmap>,
    /// The registration with the SIGBUS handler; anonymous mappings need none.
    slot: Option<&'static Slot>,
    identity: FileIdentity,
}

impl MappedFile {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// Those of opening and mapping; `InvalidInput` when `path` is no regular file, `OutOfMemory`
    /// when 1024 files are mapped already.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Not blocking: a stranger's path may be a FIFO without a writer.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)?;
        Self::from_file(&file)
    }

    /// Maps an open file; it may be closed afterwards. Errors as for [`MappedFile::open`].
    pub fn from_file(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        let identity = FileIdentity::of(&metadata);
        let length = usize::try_from(identity.size).map_err(io::Error::other)?;
        if length == 0 {
            return Ok(Self {
                map: None,
                slot: None,
                identity,
            });
        }
        install_handler()?;
        // SAFETY: the mapping is private and read-only. memmap2 asks that the file does not change
        // underneath: truncation is answered by the handler below; a write by someone else can
        // change bytes between two reads, which is why all readers of this crate copy a value out
        // before they check it, and no reference into the mapping is ever given a type with
        // invalid bit patterns (text is checked for UTF-8 where it is used and only printed).
        let map = unsafe { memmap2::MmapOptions::new().len(length).map(file)? };
        let slot = Slot::register(&map).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::OutOfMemory,
                "too many files are mapped at once",
            )
        })?;
        Ok(Self {
            map: Some(map),
            slot: Some(slot),
            identity,
        })
    }

    /// The same interface over bytes at hand, aligned as a mapped file would be.
    ///
    /// # Errors
    /// When no memory can be mapped for them.
    pub fn from_bytes(bytes: &[u8]) -> io::Result<Self> {
        let identity = FileIdentity {
            device: 0,
            inode: 0,
            size: bytes.len() as u64,
            mtime: 0,
        };
        if bytes.is_empty() {
            return Ok(Self {
                map: None,
                slot: None,
                identity,
            });
        }
        let mut map = MmapMut::map_anon(bytes.len())?;
        map.copy_from_slice(bytes);
        Ok(Self {
            map: Some(map.make_read_only()?),
            slot: None,
            identity,
        })
    }

    /// Which version of which file was mapped.
    #[must_use]
    pub fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// Whether all that was read so far really came from the file.
    ///
    /// # Errors
    /// [`FileChanged`] when a page that was read had vanished.
    pub fn check(&self) -> Result<(), FileChanged> {
        match self.slot {
            Some(slot) if slot.damaged.load(Ordering::Acquire) => Err(FileChanged),
            _ => Ok(()),
        }
    }

    /// Gives the pages touched so far back to the page cache, so that they no longer count as our
    /// memory. They are mapped again when they are next read.
    pub fn release_pages(&self) {
        if let (Some(map), Some(_)) = (&self.map, self.slot) {
            // SAFETY: a read-only private file mapping holds no state of its own: a dropped page
            // is read from the file again. (Anonymous mappings, whose content would be lost, have
            // no slot and do not come here; zero pages put in by the handler are zero again.)
            let advised = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
            if let Err(error) = advised {
                tracing::debug!(%error, "could not release the pages of a mapped file");
            }
        }
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.map.as_deref().unwrap_or(&[])
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            slot.unregister();
        }
    }
}

/// How many files can be mapped at once. One entry takes 24 bytes and is looked at only while a
/// file is opened or a fault is handled.
const MAX_MAPPINGS: usize = 1024;

const FREE: u8 = 0;
const FILLING: u8 = 1;
const ACTIVE: u8 = 2;

/// One registered range. Signal handlers may take no lock, hence atomics in a static table.
#[derive(Debug)]
struct Slot {
    state: AtomicU8,
    damaged: AtomicBool,
    start: AtomicUsize,
    length: AtomicUsize,
}

static SLOTS: [Slot; MAX_MAPPINGS] = [const {
    Slot {
        state: AtomicU8::new(FREE),
        damaged: AtomicBool::new(false),
        start: AtomicUsize::new(0),
        length: AtomicUsize::new(0),
    }
}; MAX_MAPPINGS];

impl Slot {
    fn register(map: &Mmap) -> Option<&'static Self> {
        let slot = SLOTS.iter().find(|slot| {
            let taken =
                slot.state
                    .compare_exchange(FREE, FILLING, Ordering::AcqRel, Ordering::Relaxed);
            taken.is_ok()
        })?;
        slot.damaged.store(false, Ordering::Relaxed);
        slot.start.store(map.as_ptr() as usize, Ordering::Relaxed);
        slot.length.store(map.len(), Ordering::Relaxed);
        slot.state.store(ACTIVE, Ordering::Release);
        Some(slot)
    }

    /// The owner is about to unmap the range, so nobody reads it any more.
    fn unregister(&self) {
        self.state.store(FREE, Ordering::Release);
    }

    fn covers(&self, address: usize) -> bool {
        self.state.load(Ordering::Acquire) == ACTIVE
            && address
                .checked_sub(self.start.load(Ordering::Relaxed))
                .is_some_and(|offset| offset < self.length.load(Ordering::Relaxed))
    }
}

static PAGE_SIZE: AtomicUsize = AtomicUsize::new(4096);
/// The action that was in place before ours (the Rust runtime has one), never freed.
static PREVIOUS: AtomicPtr<libc::sigaction> = AtomicPtr::new(std::ptr::null_mut());

fn install_handler() -> io::Result<()> {
    static ONCE: Once = Once::new();
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    ONCE.call_once(|| {
        // SAFETY: sysconf and sigaction are given valid arguments. The previous action is stored
        // before ours is installed, so the handler finds it. The handler does only what
        // signal-safety(7) allows: atomic loads and stores, sigaction, and mmap, which is a plain
        // system call on Linux. SA_ONSTACK lets it run on the alternate stack, if there is one.
        unsafe {
            if let Ok(size) = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)) {
                PAGE_SIZE.store(size, Ordering::Relaxed);
            }
            let mut previous: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut previous) != 0 {
                return;
            }
            PREVIOUS.store(Box::into_raw(Box::new(previous)), Ordering::Release);
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                on_sigbus;
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
            libc::sigemptyset(&raw mut action.sa_mask);
            if libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) == 0 {
                INSTALLED.store(true, Ordering::Release);
            }
        }
    });
    if INSTALLED.load(Ordering::Acquire) {
        Ok(())
    } else {
        Err(io::Error::other("could not install a handler for SIGBUS"))
    }
}

extern "C" fn on_sigbus(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes a valid siginfo to a handler installed with SA_SIGINFO, and for a
    // SIGBUS it raised `si_addr` is set; for one sent by kill(2) it is some other number, which
    // matches no range. errno is this thread's own and restored, for we interrupt arbitrary code.
    // MAP_FIXED replaces exactly one page inside a range that a live `MappedFile` owns: the slot
    // is ACTIVE, and the interrupted thread is reading through a reference to it.
    unsafe {
        let errno = libc::__errno_location();
        let saved = *errno;
        let address = (*info).si_addr() as usize;
        let kernel_raised = (*info).si_code > 0;
        if let Some(slot) = SLOTS
            .iter()
            .find(|slot| kernel_raised && slot.covers(address))
        {
            let size = PAGE_SIZE.load(Ordering::Relaxed);
            let page = libc::mmap(
                (address & !(size - 1)) as *mut libc::c_void,
                size,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            );
            if page != libc::MAP_FAILED {
                slot.damaged.store(true, Ordering::Release);
                *errno = saved;
                return;
            }
        }
        // Not ours: whoever was responsible before gets it, when the instruction faults again.
        let previous = PREVIOUS.load(Ordering::Acquire);
        libc::sigaction(signal, previous, std::ptr::null_mut());
        if !kernel_raised {
            // Nothing will fault again; deliver it anew.
            libc::raise(signal);
        }
        *errno = saved;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn reads_a_file_and_knows_it_is_whole() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"bytes of a file").unwrap();
        let mapped = MappedFile::open(file.path()).unwrap();
        assert_eq!(&*mapped, b"bytes of a file");
        assert_eq!(mapped.check(), Ok(()));
        mapped.release_pages();
        assert_eq!(&*mapped, b"bytes of a file");
    }

    #[test]
    fn a_truncated_file_reads_as_zeros_and_is_reported() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![7; 64 * 1024]).unwrap();
        let mapped = MappedFile::open(file.path()).unwrap();
        let other = MappedFile::open(file.path()).unwrap();
        assert_eq!(mapped[60_000], 7);
        file.as_file().set_len(8192).unwrap();

        let sum: u64 = mapped.iter().map(|&byte| u64::from(byte)).sum();
        assert_eq!(sum, 7 * 8192);
        assert_eq!(mapped.check(), Err(FileChanged));
        assert_eq!(
            other.check(),
            Ok(()),
            "nothing has been read through this one yet"
        );
        assert_eq!(other[8192], 0);
        assert_eq!(other.check(), Err(FileChanged));

        mapped.release_pages();
        assert_eq!(mapped[60_000], 0);
        assert_eq!(mapped[0], 7);
    }

    #[test]
    fn slots_are_given_back() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"x").unwrap();
        for _ in 0..2 * MAX_MAPPINGS {
            MappedFile::open(file.path()).unwrap();
        }
    }

    #[test]
    fn empty_files_directories_and_bytes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(MappedFile::open(file.path()).unwrap().is_empty());
        let directory = tempfile::tempdir().unwrap();
        let error = MappedFile::open(directory.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let bytes = MappedFile::from_bytes(b"abc").unwrap();
        bytes.release_pages();
        assert_eq!(&*bytes, b"abc");
        assert!(MappedFile::from_bytes(b"").unwrap().is_empty());
    }
}
