//! Small files of the kernel's about one process, never more of them than is believed.

use std::{fs::File, io, io::Read as _};

/// More cgroup hierarchies than there are controllers, each with the longest path.
const CGROUP_BYTES: u64 = 64 << 10;

/// What a file of a process holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) bytes: Vec<u8>,
    /// Whether there was more than asked for, which is not in `bytes`.
    pub(super) is_cut: bool,
}

/// At most `limit` bytes of `/proc/PID/NAME`.
pub(super) fn read(pid: i32, name: &str, limit: u64) -> io::Result<Contents> {
    bounded(&File::open(format!("/proc/{pid}/{name}"))?, limit)
}

/// At most `limit` bytes of a file.
pub(super) fn bounded(mut file: &File, limit: u64) -> io::Result<Contents> {
    let mut bytes = Vec::new();
    file.by_ref().take(limit + 1).read_to_end(&mut bytes)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_cut = bytes.len() > limit;
    bytes.truncate(limit);
    Ok(Contents { bytes, is_cut })
}

/// `/proc/PID/cgroup`, as text.
pub(super) fn cgroups(pid: i32) -> io::Result<String> {
    let contents = read(pid, "cgroup", CGROUP_BYTES)?;
    Ok(String::from_utf8_lossy(&contents.bytes).into_owned())
}

/// The command name, at most 15 bytes.
pub(super) fn command_name(pid: i32) -> io::Result<String> {
    let contents = read(pid, "comm", 64)?;
    let name = String::from_utf8_lossy(&contents.bytes).into_owned();
    Ok(name.strip_suffix('\n').map_or(name.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn no_more_is_read_than_asked_for() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(b"0123456789").expect("written");
        let read = |limit| {
            let contents = bounded(&file.reopen().expect("open"), limit).expect("read");
            (contents.bytes.len(), contents.is_cut)
        };
        assert_eq!(read(9), (9, true));
        assert_eq!(read(10), (10, false));
        assert_eq!(read(11), (10, false));
        assert_eq!(read(0), (0, true));
    }

    #[test]
    fn of_this_very_process() {
        let pid = i32::try_from(std::process::id()).expect("a pid");
        assert!(!command_name(pid).expect("it runs").contains('\n'));
        assert!(cgroups(pid).is_ok());
    }
}
