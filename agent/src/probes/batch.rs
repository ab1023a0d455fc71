//! Reading a hash map many entries at a time: one system call instead of two for each entry.
//! aya 0.14 has no wrapper for it.
#![expect(unsafe_code, reason = "the bpf system call")]

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

use aya::Pod;

/// `BPF_MAP_LOOKUP_BATCH`, `enum bpf_cmd` in `include/uapi/linux/bpf.h` (Linux 5.6).
const BPF_MAP_LOOKUP_BATCH: libc::c_long = 24;
/// Entries asked for at a time; more than the fullest bucket has.
const BATCH: u32 = 1024;

/// The `batch` member of `union bpf_attr`.
#[repr(C)]
#[derive(Default)]
struct BatchAttr {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// All entries of a hash map, each passed to `visit`. Entries that come or go meanwhile may or
/// may not be among them; one that stays is seen once.
///
/// # Errors
/// The kernel's, as they are. `ENOSPC` when a single bucket holds more than a batch.
pub(super) fn for_each<K: Pod, V: Pod>(
    map: BorrowedFd<'_>,
    mut visit: impl FnMut(&K, &V),
) -> io::Result<()> {
    let mut keys: Vec<K> = Vec::with_capacity(BATCH as usize);
    let mut values: Vec<V> = Vec::with_capacity(BATCH as usize);
    let mut position = 0_u32;
    let mut first = true;
    loop {
        let mut next = 0_u32;
        let mut attr = BatchAttr {
            in_batch: if first {
                0
            } else {
                (&raw const position) as u64
            },
            out_batch: (&raw mut next) as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: BATCH,
            map_fd: map.as_raw_fd().cast_unsigned(),
            elem_flags: 0,
            flags: 0,
        };
        // SAFETY: the attribute has the layout the command expects, and its size is passed; the
        // pointers are to memory of at least `count` keys and values of the map's own sizes
        // (asserted where the types are defined), which outlive the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                BPF_MAP_LOOKUP_BATCH,
                &raw mut attr,
                size_of::<BatchAttr>(),
            )
        };
        let error = (result < 0).then(io::Error::last_os_error);
        let at_end = error
            .as_ref()
            .is_some_and(|e| e.raw_os_error() == Some(libc::ENOENT));
        if let Some(error) = error
            && !at_end
        {
            return Err(error);
        }
        let count = attr.count.min(BATCH) as usize;
        // SAFETY: the kernel has written `count` entries, at most the capacity of either vector,
        // and any bytes are a valid `Pod`.
        unsafe {
            keys.set_len(count);
            values.set_len(count);
        }
        for (key, value) in keys.iter().zip(&values) {
            visit(key, value);
        }
        if at_end {
            return Ok(());
        }
        keys.clear();
        values.clear();
        position = next;
        first = false;
    }
}
