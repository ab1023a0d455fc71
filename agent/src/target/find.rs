//! A process by its name.

use super::TargetError;

/// The one process called `name`: its command name (15 characters, as `ps` shows it) or the last
/// part of its executable's path.
///
/// # Errors
/// There is none, or more than one.
pub fn find_by_name(name: &str) -> Result<i32, TargetError> {
    let own_pid = std::process::id();
    let all = procfs::process::all_processes()
        .map_err(|e| TargetError::from_procfs(0, "listing processes", e))?;
    let mut pids: Vec<i32> = all
        .filter_map(Result::ok)
        .filter(|process| u32::try_from(process.pid).is_ok_and(|pid| pid != own_pid))
        .filter(|process| {
            let by_comm = process.stat().is_ok_and(|stat| stat.comm == name);
            by_comm
                || process.exe().is_ok_and(|exe| {
                    exe.file_name().is_some_and(|file| {
                        let file = file.to_string_lossy();
                        file.strip_suffix(" (deleted)").unwrap_or(&file) == name
                    })
                })
        })
        .map(|process| process.pid)
        .collect();
    pids.sort_unstable();
    match pids[..] {
        [] => Err(TargetError::NoSuchName { name: name.into() }),
        [pid] => Ok(pid),
        _ => Err(TargetError::AmbiguousName {
            name: name.into(),
            pids,
        }),
    }
}
