//! Versions of Go as `runtime.Version()` words them.

use std::cmp::Ordering;
use std::fmt;

use super::BinaryError;

/// A version of Go, for example `go1.22.12`, `go1.27rc1`, `go1.26-devel_ab12 X:nogreenteagc`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GoVersion {
    /// 1.
    pub major: u16,
    /// The release: 22 in `go1.22.12`.
    pub minor: u16,
    /// 12 in `go1.22.12`; `None` where no number is given (`go1.20`, release candidates, devel).
    pub patch: Option<u16>,
    /// What follows: `rc1`, `-devel_ab12`, ` X:nogreenteagc`, a vendor's mark.
    pub suffix: String,
}

impl GoVersion {
    /// The oldest release whose binaries gostray understands.
    pub const OLDEST: (u16, u16) = (1, 18);
    /// The newest.
    pub const NEWEST: (u16, u16) = (1, 27);

    /// Whether the toolchain was built with `GOEXPERIMENT` settings other than its release's own.
    #[must_use]
    pub fn has_experiments(&self) -> bool {
        // Older releases write a space before it, newer ones a dash.
        [" X:", "-X:"].iter().any(|mark| self.suffix.contains(mark))
    }

    /// Parses what the linker wrote. Development versions before Go 1.26 (`devel go1.24-ab12 Thu …`) come
    /// out as newer ones put it (`go1.24-devel_ab12 Thu …`). `None` if there is no `go1.N` in it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (devel, rest) = match text.strip_prefix("devel ") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (major, rest) = number(rest.strip_prefix("go")?)?;
        let (minor, rest) = number(rest.strip_prefix('.')?)?;
        let (patch, rest) = match rest.strip_prefix('.').and_then(number) {
            Some((patch, rest)) => (Some(patch), rest),
            None => (None, rest),
        };
        let suffix = match (devel, rest.strip_prefix('-')) {
            (true, Some(revision)) => format!("-devel_{revision}"),
            _ => rest.to_owned(),
        };
        Some(Self {
            major,
            minor,
            patch,
            suffix,
        })
    }

    /// Major and minor: what decides about layouts.
    #[must_use]
    pub fn release(&self) -> (u16, u16) {
        (self.major, self.minor)
    }

    /// # Errors
    /// `GoTooOld` or `GoTooNew` when gostray knows no layouts for this release.
    pub fn check_supported(&self) -> Result<(), BinaryError> {
        if self.release() < Self::OLDEST {
            Err(BinaryError::GoTooOld {
                version: self.to_string(),
            })
        } else if self.release() > Self::NEWEST {
            Err(BinaryError::GoTooNew {
                version: self.to_string(),
            })
        } else {
            Ok(())
        }
    }

    /// Development versions come before betas, these before release candidates and the release.
    fn stage(&self) -> (u8, u16) {
        let numbered = |prefix| {
            self.suffix
                .strip_prefix(prefix)
                .and_then(number)
                .map(|(n, _)| n)
        };
        if self.suffix.starts_with("-devel") {
            (0, 0)
        } else if let Some(n) = numbered("beta") {
            (1, n)
        } else if let Some(n) = numbered("rc") {
            (2, n)
        } else {
            (3, 0)
        }
    }
}

fn number(text: &str) -> Option<(u16, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

impl Ord for GoVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.release()
            .cmp(&other.release())
            .then_with(|| self.stage().cmp(&other.stage()))
            .then_with(|| self.patch.cmp(&other.patch))
            .then_with(|| self.suffix.cmp(&other.suffix))
    }
}

impl PartialOrd for GoVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for GoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "go{}.{}", self.major, self.minor)?;
        if let Some(patch) = self.patch {
            write!(f, ".{patch}")?;
        }
        f.write_str(&self.suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_linkers_write() {
        for text in [
            "go1.18",
            "go1.22.12",
            "go1.27rc1",
            "go1.26-devel_abc X:foo",
            "go1.20.5 X:nocoverageredesign",
            "go1.21.4-vendor",
        ] {
            assert_eq!(GoVersion::parse(text).unwrap().to_string(), text);
        }
        let experiments = |text| GoVersion::parse(text).unwrap().has_experiments();
        assert!(experiments("go1.20.5 X:nocoverageredesign"));
        assert!(experiments("go1.27.4-X:staticlockranking"));
        assert!(!experiments("go1.21.4-vendor"));
        let devel = GoVersion::parse("devel go1.24-5f6d Thu Jan 2").unwrap();
        assert_eq!(devel.to_string(), "go1.24-devel_5f6d Thu Jan 2");
        assert_eq!(devel.release(), (1, 24));
        for text in [
            "",
            "go",
            "go1",
            "devel +5f6d",
            "rust1.2",
            "go1.x",
            "go99999.1",
        ] {
            assert_eq!(GoVersion::parse(text), None, "{text}");
        }
    }

    #[test]
    fn orders_as_released() {
        let order = [
            "go1.9",
            "go1.26.3",
            "go1.27-devel_ab",
            "go1.27beta1",
            "go1.27rc2",
            "go1.27rc10",
            "go1.27",
            "go1.27.1",
            "go1.28",
        ];
        let versions: Vec<_> = order
            .iter()
            .map(|text| GoVersion::parse(text).unwrap())
            .collect();
        assert!(versions.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        let check = |text| GoVersion::parse(text).unwrap().check_supported();
        assert!(matches!(
            check("go1.17.13"),
            Err(BinaryError::GoTooOld { .. })
        ));
        assert!(matches!(
            check("go1.28rc1"),
            Err(BinaryError::GoTooNew { .. })
        ));
        assert!(check("go1.18").is_ok() && check("go1.27.4").is_ok());
    }
}
