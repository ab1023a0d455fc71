//! The Go releases gostray is tested with.

/// A Go release and why it is in the list.
pub(crate) struct Release {
    /// Its full version.
    pub(crate) version: &'static str,
    /// What only this release can show.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "written for the reader of this list")
    )]
    pub(crate) reason: &'static str,
}

/// The last patch of each supported minor release, oldest first. The releases are modules: any
/// Go can fetch any of them, verified by the checksum database.
pub(crate) const RELEASES: &[Release] = &[
    Release {
        version: "1.18.10",
        reason: "the oldest supported; generics; its own pclntab version",
    },
    Release {
        version: "1.19.13",
        reason: "the Go of Debian 12, which builds its etcd and Caddy",
    },
    Release {
        version: "1.20.14",
        reason: "changes the pclntab's version once more",
    },
    Release {
        version: "1.21.13",
        reason: "first to inline by profile unless told otherwise",
    },
    Release {
        version: "1.22.12",
        reason: "gdestroy leaves goexit0; loop variables by iteration",
    },
    Release {
        version: "1.23.12",
        reason: "iterators run on coroutines; unbuffered timer channels",
    },
    Release {
        version: "1.24.13",
        reason: "Swiss maps; spinbit mutexes",
    },
    Release {
        version: "1.25.14",
        reason: "DWARF 5 by default; synctest wait reasons",
    },
    Release {
        version: "1.26.11",
        reason: "the runtime's own leak detector as an experiment",
    },
    Release {
        version: "1.27.4",
        reason: "the newest supported",
    },
];

/// The `1.N` of a version such as `go1.26.8` or `1.26`.
pub(crate) fn minor(version: &str) -> Option<u32> {
    let rest = version.strip_prefix("go").unwrap_or(version);
    let digits = rest.strip_prefix("1.")?;
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// Whether gostray knows this version of Go.
pub(crate) fn supported(version: &str) -> bool {
    let known = |release: &Release| minor(release.version);
    let oldest = RELEASES.first().and_then(known);
    let newest = RELEASES.last().and_then(known);
    minor(version).is_some_and(|n| oldest <= Some(n) && Some(n) <= newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_minor_release_stands_once_and_in_order_with_its_reason() {
        let minors: Vec<_> = RELEASES.iter().filter_map(|r| minor(r.version)).collect();
        assert_eq!(minors, (18..=27).collect::<Vec<_>>());
        assert!(RELEASES.iter().all(|r| !r.reason.is_empty()));
    }

    #[test]
    fn versions_are_read_as_go_prints_them() {
        assert_eq!(minor("go1.26.8"), Some(26));
        assert_eq!(minor("go1.27rc1"), Some(27));
        assert_eq!(minor("devel go1.27-abc"), None);
        assert!(supported("go1.18") && supported("1.27.4"));
        assert!(!supported("go1.17.13") && !supported("go1.28.0") && !supported("2.1"));
    }
}
