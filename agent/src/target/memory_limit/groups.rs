//! The cgroup whose memory is limited, and where its hierarchy is mounted, from what the kernel
//! writes in `/proc/PID/cgroup` and `/proc/PID/mountinfo`.

/// Which version of cgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// The cgroup of a process that counts its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) version: Version,
    /// From the root of its hierarchy, beginning with a slash.
    pub(super) path: String,
}

/// Where a hierarchy is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Which of its directories is mounted.
    pub(super) root: String,
    /// Where.
    pub(super) point: String,
}

/// From the lines `number:controllers:path` of `/proc/PID/cgroup`. Memory belongs to one version on
/// one machine: to the first if that has a hierarchy of it.
pub(super) fn memory_group(lines: &str) -> Option<Group> {
    let mut unified = None;
    for line in lines.lines() {
        // A path may have colons.
        let mut fields = line.splitn(3, ':');
        let (Some(number), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        // Said of one that was removed while the process was in it.
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        let group = |version| Group {
            version,
            path: path.to_owned(),
        };
        if controllers.split(',').any(|name| name == "memory") {
            return Some(group(Version::V1));
        }
        if number == "0" && controllers.is_empty() {
            unified = Some(group(Version::V2));
        }
    }
    unified
}

/// The mounts of a version's hierarchy of memory, from the lines of a `mountinfo`.
pub(super) fn mounts(lines: &str, version: Version) -> Vec<Mount> {
    lines
        .lines()
        .filter_map(|line| mount(line, version))
        .collect()
}

/// `36 35 98:0 ROOT POINT options optional fields - TYPE source OPTIONS`.
fn mount(line: &str, version: Version) -> Option<Mount> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let mut filesystem = filesystem.split(' ');
    let is_sought = match (filesystem.next()?, version) {
        ("cgroup2", Version::V2) => true,
        ("cgroup", Version::V1) => filesystem
            .nth(1)?
            .split(',')
            .any(|option| option == "memory"),
        _ => false,
    };
    if !is_sought {
        return None;
    }
    let mut fields = mount.split(' ').skip(3);
    Some(Mount {
        root: unescaped(fields.next()?),
        point: unescaped(fields.next()?),
    })
}

/// Without the `\040` that the kernel writes for a space, and the like.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = (*first == b'\\').then(|| tail.get(..3)).flatten();
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(code.unwrap_or(*first));
        rest = match code {
            Some(_) => &tail[3..],
            None => tail,
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(version: Version, path: &str) -> Option<Group> {
        Some(Group {
            version,
            path: path.into(),
        })
    }

    #[test]
    fn the_group_that_counts_memory() {
        let unified = "0::/user.slice/app.service\n";
        assert_eq!(
            memory_group(unified),
            group(Version::V2, "/user.slice/app.service")
        );
        let first = "12:pids:/a\n5:cpu,memory:/docker/abc\n1:name=systemd:/b\n";
        assert_eq!(memory_group(first), group(Version::V1, "/docker/abc"));
        let both = "2:memory:/app\n0::/app.scope\n";
        assert_eq!(memory_group(both), group(Version::V1, "/app"));
        let elsewhere = "3:cpu:/app\n0::/app.scope\n";
        assert_eq!(memory_group(elsewhere), group(Version::V2, "/app.scope"));
        assert_eq!(memory_group("3:cpu:/app\n"), None);
        assert_eq!(memory_group(""), None);
        assert_eq!(memory_group("nonsense\n::\n"), None);
    }

    #[test]
    fn colons_and_removed_groups() {
        assert_eq!(
            memory_group("0::/system.slice:docker:ab\n"),
            group(Version::V2, "/system.slice:docker:ab")
        );
        assert_eq!(
            memory_group("0::/gone (deleted)\n"),
            group(Version::V2, "/gone")
        );
    }

    #[test]
    fn where_hierarchies_are_mounted() {
        let lines = "\
25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 23 0:26 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory
31 23 0:27 / /sys/fs/cgroup/cpu rw shared:10 master:2 - cgroup cgroup rw,cpu,cpuacct
32 23 0:28 /docker/ab /odd\\040place/a\\134b rw - cgroup2 cgroup2 rw,nsdelegate
cut off
";
        let point = |root: &str, point: &str| Mount {
            root: root.into(),
            point: point.into(),
        };
        assert_eq!(
            mounts(lines, Version::V1),
            [point("/", "/sys/fs/cgroup/memory")]
        );
        assert_eq!(
            mounts(lines, Version::V2),
            [point("/docker/ab", "/odd place/a\\b")]
        );
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(unescaped("a\\04"), "a\\04");
        assert_eq!(unescaped("a\\999b"), "a\\999b");
        assert_eq!(unescaped("\\011\\012\\"), "\t\n\\");
    }
}
