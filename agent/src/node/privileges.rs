//! Whether this process may do what the daemon is there for.

/// What is needed, by the bit of the kernel's `linux/capability.h`.
const SYS_PTRACE: (u32, &str) = (19, "CAP_SYS_PTRACE");
const SYS_ADMIN: (u32, &str) = (21, "CAP_SYS_ADMIN");

/// A daemon that may not would only fail with each process anew.
#[derive(Debug, thiserror::Error)]
#[error(
    "the daemon may not watch the programs of others: it has no {missing}; start it as root or by its \
     systemd unit, or grant these (`gostray doctor` says what each is for)"
)]
pub struct PrivilegesError {
    /// Names of capabilities.
    missing: String,
}

/// Looks for the capabilities without which nothing works: to read other programs' memory, and to attach
/// `probes` if there shall be any.
pub(super) fn check(probes: bool) -> Result<(), PrivilegesError> {
    let status = procfs::process::Process::myself().and_then(|process| process.status());
    match status {
        Ok(status) => check_set(status.capeff, probes),
        // It will be seen with the first process.
        Err(_) => Ok(()),
    }
}

fn check_set(effective: u64, probes: bool) -> Result<(), PrivilegesError> {
    let needed = [Some(SYS_PTRACE), probes.then_some(SYS_ADMIN)];
    let missing: Vec<&str> = needed
        .into_iter()
        .flatten()
        .filter(|(bit, _)| effective & (1 << bit) == 0)
        .map(|(_, name)| name)
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(PrivilegesError {
            missing: missing.join(" and no "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::check_set;

    #[test]
    fn what_is_missing_is_named() {
        let said = |effective, probes| {
            check_set(effective, probes)
                .err()
                .map(|error| error.missing)
        };
        assert_eq!(
            said(0, true).as_deref(),
            Some("CAP_SYS_PTRACE and no CAP_SYS_ADMIN")
        );
        assert_eq!(said(1 << 19, true).as_deref(), Some("CAP_SYS_ADMIN"));
        assert_eq!(said(1 << 19, false), None);
        assert_eq!(said(1 << 19 | 1 << 21, true), None);
    }
}
