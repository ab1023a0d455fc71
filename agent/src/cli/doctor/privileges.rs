//! What this process may do, and whether the kernel takes the programs.

use super::Check;
use crate::probes::{ProbeError, object_bytes};

const AREA: &str = "privileges";

/// Capabilities by their bit (`include/uapi/linux/capability.h`), and what for.
const NEEDED: [(u64, &str, &str); 4] = [
    (19, "CAP_SYS_PTRACE", "reading the target's memory"),
    (21, "CAP_SYS_ADMIN", "attaching perf uprobes"),
    (38, "CAP_PERFMON", "attaching eBPF programs"),
    (39, "CAP_BPF", "loading eBPF programs"),
];

pub(super) fn checks() -> Vec<Check> {
    let effective = procfs::process::Process::myself()
        .and_then(|process| process.status())
        .map(|status| status.capeff);
    let mut checks = match effective {
        Ok(effective) => capabilities(effective),
        Err(error) => vec![Check::fail(
            AREA,
            "capabilities",
            format!("unknown: {error}"),
            "mount /proc",
        )],
    };
    checks.push(object());
    checks
}

fn capabilities(effective: u64) -> Vec<Check> {
    let has = |bit: u64| effective & (1 << bit) != 0;
    // CAP_SYS_ADMIN includes the two newer ones (Linux 5.8).
    let admin = has(21);
    NEEDED
        .into_iter()
        .map(|(bit, name, purpose)| {
            if has(bit) || (admin && bit >= 38) {
                Check::ok(AREA, name, format!("granted: {purpose}"))
            } else {
                Check::fail(
                    AREA,
                    name,
                    format!("missing: {purpose}"),
                    format!("run as root, or grant {name}"),
                )
            }
        })
        .collect()
}

fn object() -> Check {
    match object_bytes() {
        Ok(bytes) => Check::ok(
            AREA,
            "eBPF object",
            format!("{} bytes, built in", bytes.len()),
        ),
        Err(error @ ProbeError::NoObject) => Check::fail(
            AREA,
            "eBPF object",
            error.to_string(),
            "`cargo xtask setup`, then build again",
        ),
        Err(error) => Check::fail(AREA, "eBPF object", error.to_string(), "report this"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Outcome;

    fn failed(effective: u64) -> Vec<&'static str> {
        capabilities(effective)
            .into_iter()
            .filter(|check| check.outcome == Outcome::Fail)
            .map(|check| check.name)
            .collect()
    }

    #[test]
    fn an_ordinary_user_lacks_all() {
        assert_eq!(failed(0).len(), NEEDED.len());
    }

    #[test]
    fn sys_admin_includes_the_newer_ones() {
        assert_eq!(failed(1 << 21), ["CAP_SYS_PTRACE"]);
        assert_eq!(failed(1 << 19 | 1 << 38 | 1 << 39), ["CAP_SYS_ADMIN"]);
    }
}
