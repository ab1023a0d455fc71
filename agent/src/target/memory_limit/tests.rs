//! Hierarchies made of ordinary files.

use std::fs;

use tempfile::TempDir;

use super::{
    LimitKind, MemoryLimit, MemoryLimitError,
    groups::{Group, Version},
    levels::Tree,
};
use crate::target::HostMemory;

const MIB: u64 = 1 << 20;
const HOST: HostMemory = HostMemory {
    total: 16 << 30,
    available: 9 << 30,
};

/// Files below the directory where the hierarchy is mounted.
fn hierarchy(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().expect("a directory");
    for (path, text) in files {
        let path = root.path().join("sys/fs/cgroup").join(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("made");
        fs::write(path, text).expect("written");
    }
    root
}

const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n";
const V1: &str = "30 23 0:26 / /sys/fs/cgroup rw shared:9 - cgroup cgroup rw,memory\n";

fn limit(
    root: &TempDir,
    version: Version,
    mounts: &str,
    path: &str,
) -> Result<MemoryLimit, MemoryLimitError> {
    let group = Group {
        version,
        path: path.into(),
    };
    Tree::find(&group, mounts, root.path())
        .expect("mounted")
        .tightest(HOST)
}

fn v2(root: &TempDir, path: &str) -> MemoryLimit {
    limit(root, Version::V2, V2, path).expect("readable")
}

#[test]
fn the_level_with_the_least_room_counts() {
    let root = hierarchy(&[
        ("cgroup.controllers", "memory\n"),
        ("pods/memory.max", &format!("{}\n", 1000 * MIB)),
        ("pods/memory.current", &format!("{}\n", 950 * MIB)),
        ("pods/memory.high", &format!("{}\n", 900 * MIB)),
        ("pods/memory.stat", "anon 1\ninactive_file 0\n"),
        ("pods/app/memory.max", &format!("{}\n", 512 * MIB)),
        ("pods/app/memory.current", &format!("{}\n", 100 * MIB)),
        ("pods/app/memory.high", "max\n"),
        ("pods/app/memory.stat", "anon 1\ninactive_file 10485760\n"),
        ("pods/app/inner/memory.max", "max\n"),
        ("pods/app/inner/memory.current", &format!("{}\n", 90 * MIB)),
        ("pods/app/inner/memory.high", "max\n"),
    ]);
    let found = v2(&root, "/pods/app/inner");
    assert_eq!(
        found,
        MemoryLimit {
            kind: LimitKind::CgroupV2("/pods".into()),
            limit: 1000 * MIB,
            used: 950 * MIB,
            high: Some(900 * MIB),
        }
    );
    assert_eq!(found.room(), 50 * MIB);
    // With more room above, its own parent comes first; page cache that goes first is not used.
    let current = root.path().join("sys/fs/cgroup/pods/memory.current");
    fs::write(current, "100\n").expect("written");
    let found = v2(&root, "/pods/app/inner");
    assert_eq!(found.kind, LimitKind::CgroupV2("/pods/app".into()));
    assert_eq!((found.limit, found.used), (512 * MIB, 90 * MIB));
}

#[test]
fn without_a_limit_it_is_the_machines() {
    let host = MemoryLimit {
        kind: LimitKind::Host,
        limit: 16 << 30,
        used: 7 << 30,
        high: None,
    };
    let none = hierarchy(&[("app/memory.max", "max\n"), ("app/memory.high", "max\n")]);
    assert_eq!(v2(&none, "/app"), host);
    // Memory is not counted here at all.
    let other = hierarchy(&[("app/pids.max", "max\n")]);
    assert_eq!(v2(&other, "/app"), host);
    assert_eq!(v2(&other, "/removed/meanwhile"), host);
    assert_eq!(v2(&other, "/"), host);
    // No limit in version 1, and more than the machine has.
    for bytes in ["9223372036854771712\n", "18446744073709551615\n"] {
        let first = hierarchy(&[("app/memory.limit_in_bytes", bytes)]);
        let found = limit(&first, Version::V1, V1, "/app").expect("readable");
        assert_eq!(found, host, "{bytes}");
    }
}

#[test]
fn version_1_with_and_without_its_hierarchy() {
    let files = |hierarchy| {
        [
            ("box/memory.limit_in_bytes", "1000\n"),
            ("box/memory.usage_in_bytes", "990\n"),
            ("box/memory.use_hierarchy", hierarchy),
            ("box/memory.stat", "cache 5\ntotal_inactive_file 0\n"),
            ("box/app/memory.limit_in_bytes", "500\n"),
            ("box/app/memory.usage_in_bytes", "300\n"),
            ("box/app/memory.use_hierarchy", "0\n"),
            (
                "box/app/memory.stat",
                "inactive_file 7\ntotal_inactive_file 20\n",
            ),
        ]
    };
    let limit = |choice| {
        let root = hierarchy(&files(choice));
        limit(&root, Version::V1, V1, "/box/app").expect("readable")
    };
    let above = limit("1\n");
    assert_eq!(above.kind, LimitKind::CgroupV1("/box".into()));
    let own = limit("0\n");
    assert_eq!(own.kind, LimitKind::CgroupV1("/box/app".into()));
    assert_eq!((own.limit, own.used), (500, 280));
}

#[test]
fn only_what_is_mounted_is_seen() {
    let root = hierarchy(&[
        ("memory.max", "1000\n"),
        ("memory.current", "900\n"),
        ("memory.high", "max\n"),
        ("memory.stat", ""),
    ]);
    // As in a container that has its own cgroup at the top.
    let mounts = "30 23 0:26 /docker/ab /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    let found = limit(&root, Version::V2, mounts, "/docker/ab/app").expect("readable");
    assert_eq!(found.kind, LimitKind::CgroupV2("/docker/ab".into()));
    assert_eq!(found.room(), 100);
    for path in ["/docker/abc", "/other", "/../other", "/docker/ab/../x"] {
        let group = Group {
            version: Version::V2,
            path: path.into(),
        };
        assert!(
            Tree::find(&group, mounts, root.path()).is_none(),
            "{path} is not below it"
        );
    }
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let nonsense = hierarchy(&[
        ("app/memory.max", "a lot\n"),
        ("app/memory.high", "max\n"),
        ("odd/memory.max", "100\n"),
    ]);
    let error = |path| limit(&nonsense, Version::V2, V2, path).expect_err("no number");
    assert!(matches!(error("/app"), MemoryLimitError::NoNumber { .. }));
    assert!(
        error("/odd").to_string().contains("memory.current"),
        "{}",
        error("/odd")
    );
    let deep = "/a".repeat(65);
    assert!(matches!(error(&deep), MemoryLimitError::TooDeep { .. }));
    let gone = MemoryLimit::of(i32::MAX).expect_err("nobody has it");
    assert!(matches!(gone, MemoryLimitError::Read { .. }), "{gone}");
}

#[test]
fn of_this_process() {
    let own = i32::try_from(std::process::id()).expect("a pid");
    let limit = MemoryLimit::of(own).expect("readable");
    assert!(limit.limit > 0 && limit.used > 0, "{limit:?}");
}
