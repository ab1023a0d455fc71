//! Where a process has its executable: the load bias.

use std::os::unix::fs::MetadataExt as _;

use procfs::process::{MMPermissions, MMapPath, Process as ProcfsProcess};

use super::{Process, TargetError};
use crate::binary::{FileOffset, LinkAddress, LoadBias};

/// What the loader added to the link addresses of `process`'s executable, from the mapping that
/// holds the code at `offset` of the file, which the linker placed at `address`.
///
/// # Errors
/// The process maps no code of that file there, is gone, or we may not look.
pub fn load_bias(
    process: &Process,
    offset: FileOffset,
    address: LinkAddress,
) -> Result<LoadBias, TargetError> {
    let pid = process.pid();
    let exe = std::fs::metadata(process.exe_link())
        .map_err(|e| TargetError::from_io(pid, "finding its executable", e))?;
    let maps = ProcfsProcess::new(pid)
        .and_then(|process| process.maps())
        .map_err(|e| TargetError::from_procfs(pid, "reading its mappings", e))?;
    maps.iter()
        // The device in /proc/PID/maps differs from stat's on btrfs and overlayfs; the inode and
        // the executable mapping at the right offset say enough.
        .filter(|map| map.inode == exe.ino() && matches!(map.pathname, MMapPath::Path(_)))
        .filter(|map| map.perms.contains(MMPermissions::EXECUTE))
        .find_map(|map| {
            let inside = offset.0.checked_sub(map.offset)?;
            let start = map.address.0.checked_add(inside)?;
            (start < map.address.1).then(|| LoadBias(start.wrapping_sub(address.0)))
        })
        .ok_or_else(|| TargetError::NotMapped {
            pid,
            path: process.exe.clone(),
        })
}
