//! The generated table: where the fields are in each release, for binaries without DWARF.
//!
//! `table.txt` is written by `cargo xtask layouts` from the DWARF of binaries built with each
//! release. A struct's name stands on a line of its own; under it, one line a field with runs of
//! `since:offset/size` (bytes), each valid until the next. `.` is the struct itself
//! (`since:size`), `-` means absent, and a name with `@arm64` or `@amd64` is valid there only.

use crate::binary::Architecture;
use crate::binary::dwarf::{FieldLayout, StructLayout, StructLayouts};

const TABLE: &str = include_str!("table.txt");

/// Why a table cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Not the format described above.
    #[error("the table of layouts is damaged in line {line}")]
    Line {
        /// Counted from 1.
        line: usize,
    },
}

/// One release the table knows, for example minor 22 with full name `1.22.12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release<'table> {
    /// The `22` of Go 1.22.
    pub minor: u32,
    /// The patch release that was looked at.
    pub name: &'table str,
}

/// A parsed header and the unparsed rest.
#[derive(Clone, Debug)]
pub struct Table<'text> {
    text: &'text str,
    releases: Vec<Release<'text>>,
}

impl Table<'static> {
    /// The table compiled into gostray.
    ///
    /// # Errors
    ///
    /// [`TableError::Line`]; the unit tests rule that out.
    pub fn built_in() -> Result<Self, TableError> {
        Self::parse(TABLE)
    }
}

impl<'text> Table<'text> {
    /// Reads the list of releases; structs are parsed when asked for.
    ///
    /// # Errors
    ///
    /// [`TableError::Line`] without a line `releases 1.18.10 …`.
    pub fn parse(text: &'text str) -> Result<Self, TableError> {
        let (line, list) = lines(text)
            .find_map(|(number, line)| Some((number, line.strip_prefix("releases ")?)))
            .ok_or(TableError::Line { line: 1 })?;
        let releases = list
            .split_whitespace()
            .map(|name| {
                let minor = minor_of(name)?;
                Some(Release { minor, name })
            })
            .collect::<Option<Vec<_>>>()
            .ok_or(TableError::Line { line })?;
        Ok(Self { text, releases })
    }

    /// The releases it has, oldest first. Each is there for every [`Architecture`].
    #[must_use]
    pub fn releases(&self) -> &[Release<'text>] {
        &self.releases
    }

    /// The layouts of one release, or `None` when the table does not have it.
    ///
    /// # Errors
    ///
    /// [`TableError::Line`] for the first line that is damaged.
    pub fn layouts(
        &self,
        minor: u32,
        arch: Architecture,
    ) -> Result<Option<StructLayouts>, TableError> {
        if self.releases.iter().all(|release| release.minor != minor) {
            return Ok(None);
        }
        let mut structs = StructLayouts::new();
        let mut current: Option<(&str, StructLayout)> = None;
        for (number, line) in lines(self.text) {
            let damaged = TableError::Line { line: number };
            if line.starts_with("releases ") {
                continue;
            }
            let Some(entry) = line.strip_prefix("  ") else {
                keep(&mut structs, current.take());
                current = Some((line, StructLayout::default()));
                continue;
            };
            let (_, layout) = current.as_mut().ok_or(TableError::Line { line: number })?;
            let mut words = entry.split_ascii_whitespace();
            let name = words.next().unwrap_or_default();
            let (name, only) = name
                .split_once('@')
                .map_or((name, None), |(name, arch)| (name, Some(arch)));
            if only.is_some_and(|only| only != arch.name()) {
                continue;
            }
            let Some(place) = place_at(words, minor).ok_or(damaged)? else {
                continue;
            };
            if name == "." {
                layout.size = place.size;
            } else {
                layout.fields.insert(name.to_owned(), place);
            }
        }
        keep(&mut structs, current);
        Ok(Some(structs))
    }
}

/// A struct without a size is one that the release does not have.
fn keep(structs: &mut StructLayouts, current: Option<(&str, StructLayout)>) {
    if let Some((name, layout)) = current.filter(|(_, layout)| layout.size > 0) {
        structs.insert(name.to_owned(), layout);
    }
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim_end()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// The last of the runs that has begun by `minor`. Outer `None`: damaged.
fn place_at<'a>(runs: impl Iterator<Item = &'a str>, minor: u32) -> Option<Option<FieldLayout>> {
    let mut place = None;
    for run in runs {
        let (since, value) = run.split_once(':')?;
        if minor_of(since)? > minor {
            break;
        }
        place = match value.split_once('/') {
            _ if value == "-" => None,
            Some((offset, size)) => Some(FieldLayout {
                offset: offset.parse().ok()?,
                size: size.parse().ok()?,
            }),
            None => Some(FieldLayout {
                offset: 0,
                size: value.parse().ok()?,
            }),
        };
    }
    Some(place)
}

/// `22` from `1.22` or `1.22.12`.
#[must_use]
pub fn minor_of(release: &str) -> Option<u32> {
    release.strip_prefix("1.")?.split('.').next()?.parse().ok()
}
