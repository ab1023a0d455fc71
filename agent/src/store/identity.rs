//! What stays the same while processes end, lines move and programs are built anew.

use std::collections::BTreeSet;

use crate::report::{Place, ProcessInfo};

/// A `go` statement, in whatever build: the function it stands in, the function it starts, and which
/// one it is of those in the function that start the same. Its line is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteIdentity {
    /// The function the statement stands in.
    pub function: String,
    /// The function it starts.
    pub started: String,
    /// Among those that have both in common, in the order of their lines, from 0.
    pub ordinal: u32,
}

/// A `go` statement of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Where it stands.
    pub created_at: Place,
    /// The function it starts; `None` where that is not known.
    pub started: Option<String>,
}

impl SiteIdentity {
    /// The identity of the statement at `created_at` that starts `started`, where `others` are the
    /// statements of the same function as far as they are known, itself among them or not. Copies that
    /// inlining makes of a statement share its line and count once.
    #[must_use]
    pub fn of(created_at: &Place, started: &str, others: &[Statement]) -> Self {
        let before: BTreeSet<_> = others
            .iter()
            .filter(|other| other.created_at.function == created_at.function)
            // One that starts something unknown is likelier to start something else.
            .filter(|other| other.started.as_deref() == Some(started))
            .map(|other| other.created_at.line)
            .filter(|line| *line < created_at.line)
            .collect();
        Self {
            function: created_at.function.clone(),
            started: started.to_owned(),
            ordinal: u32::try_from(before.len()).unwrap_or(u32::MAX),
        }
    }
}

/// A build of a program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BuildIdentity {
    /// Import path of its main package, else of the main module, else the executable's name.
    pub program: String,
    /// GNU or Go build id; without one, what else tells builds apart.
    pub build_id: String,
    /// The commit it was built from.
    pub vcs_revision: Option<String>,
    /// As in `go version`.
    pub go_version: String,
}

impl BuildIdentity {
    /// The build that `info` describes, whose main package is `package`: a module may have several.
    #[must_use]
    pub fn of(info: &ProcessInfo, package: Option<&str>) -> Self {
        let exe = info.exe.strip_suffix(" (deleted)").unwrap_or(&info.exe);
        let name = exe.rsplit('/').next().unwrap_or(exe);
        // `go build file.go` calls every program by the same name.
        let paths = [package, info.main_module.as_deref()];
        let mut paths = paths.into_iter().flatten();
        let path = paths.find(|path| !path.is_empty() && *path != "command-line-arguments");
        let revision = info.vcs_revision.as_deref().unwrap_or("unknown revision");
        Self {
            program: path.unwrap_or(name).to_owned(),
            build_id: info
                .build_id
                .clone()
                .unwrap_or_else(|| format!("{revision}, {}", info.go_version)),
            vcs_revision: info.vcs_revision.clone(),
            go_version: info.go_version.clone(),
        }
    }
}

/// A process, told from all others on all machines.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunIdentity {
    /// The kernel's id of this boot.
    pub boot_id: String,
    /// Its process id.
    pub pid: i32,
    /// Clock ticks from boot to its start.
    pub start_ticks: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(function: &str, line: u32) -> Place {
        Place {
            function: function.into(),
            file: Some("/src/main.go".into()),
            line: Some(line),
        }
    }

    fn statements(of: &[(&str, u32, &str)]) -> Vec<Statement> {
        let statement = |(function, line, started): &(&str, u32, &str)| Statement {
            created_at: place(function, *line),
            started: (!started.is_empty()).then(|| (*started).to_owned()),
        };
        of.iter().map(statement).collect()
    }

    #[test]
    fn lines_may_move() {
        let before = statements(&[("main.run", 10, "main.work"), ("main.run", 12, "main.work")]);
        let after = statements(&[
            ("main.run", 30, "main.log"),
            ("main.run", 41, "main.work"),
            ("main.run", 47, "main.work"),
        ]);
        let second = SiteIdentity::of(&place("main.run", 12), "main.work", &before);
        assert_eq!(second.ordinal, 1);
        assert_eq!(
            second,
            SiteIdentity::of(&place("main.run", 47), "main.work", &after)
        );
        let first = SiteIdentity::of(&place("main.run", 10), "main.work", &before);
        assert_eq!(first.ordinal, 0);
        assert_ne!(first, second);
    }

    #[test]
    fn inlined_copies_are_one_statement_and_other_functions_do_not_count() {
        let others = statements(&[
            ("main.start", 5, "main.work"),
            ("main.start", 5, "main.work"),
            ("main.run", 1, "main.work"),
            ("main.start", 4, ""),
        ]);
        let identity = SiteIdentity::of(&place("main.start", 9), "main.work", &others);
        assert_eq!(identity.ordinal, 1);
    }

    fn info() -> ProcessInfo {
        ProcessInfo {
            exe: "/srv/app/server (deleted)".into(),
            build_id: None,
            go_version: "go1.27.4".into(),
            main_module: None,
            vcs_revision: None,
            container_id: None,
            architecture: "amd64".into(),
            layout: "DWARF".into(),
        }
    }

    #[test]
    fn a_program_without_a_module_is_known_by_its_file() {
        let build = BuildIdentity::of(&info(), None);
        assert_eq!(build.program, "server");
        assert_eq!(build.build_id, "unknown revision, go1.27.4");
        let script = BuildIdentity::of(&info(), Some("command-line-arguments"));
        assert_eq!(script.program, "server");
        let command = BuildIdentity::of(&info(), Some("example.com/app/cmd/search"));
        assert_eq!(command.program, "example.com/app/cmd/search");
    }
}
