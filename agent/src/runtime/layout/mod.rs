//! Where the fields of the Go runtime's structs are.
//!
//! The truth about a binary is its own DWARF. Most deployed binaries have none; for those there
//! is a table, generated from binaries built with each release (`cargo xtask layouts`). A release
//! that neither knows is refused: a guessed offset gives plausible nonsense.
//!
//! What changes a layout, found by comparing binaries on linux/amd64:
//!
//! - Not the patch release: 1.21.0, 1.22.0, 1.25.0, 1.26.0, 1.26.8 and 1.27.3 equal the last one
//!   of their minor in every field listed. So the table has one column a minor.
//! - Not PIE, cgo, external linking, `-race` or `-gcflags=-N`, nor DWARF 4 instead of 5, nor
//!   `GOEXPERIMENT=runtimesecret` (1.22 and 1.27 compared, the last two on 1.27 only).
//! - `GOEXPERIMENT=staticlockranking` makes every `runtime.mutex` larger and moves what follows
//!   one, in `hchan`, `schedt`, `timers`, `semaRoot`, `mheap`, `mspan`, `pollDesc`, `p` and others.
//!   `GOEXPERIMENT=nogreenteagc` (1.27) moves the end of `p`. `g`, `gobuf`, `stack` and `sudog` stay
//!   as they are. A stripped binary of such a toolchain is told by the `X:` in its Go version only,
//!   and [`Layouts::for_binary`] does not see that: its caller does.
//! - The architecture moves nothing in `g`, `sudog`, `hchan` or `m`, only the ends of `p` and
//!   `mheap` (saved vector registers, cache lines).
//!
//! `runtime.semtable` is an array of 251 anonymous structs, each a `semaRoot` padded to a cache
//! line, which the runtime takes to be 64 bytes on amd64 and 128 on arm64.

mod goroutine;
mod table;
mod wanted;

#[cfg(test)]
mod tests;

pub use goroutine::GoroutineLayout;
pub use table::{Release, Table, TableError, minor_of};
pub use wanted::WANTED;

use std::fmt;

use crate::binary::Architecture;
use crate::binary::dwarf::{self, DwarfError, FieldLayout, StructLayout, StructLayouts};

/// Where layouts come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The binary's own debug information.
    Dwarf,
    /// The generated table.
    Table {
        /// The release whose binary was measured, for example `1.22.12`.
        release: &'static str,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dwarf => f.write_str("the binary's own debug information"),
            Self::Table { release } => write!(f, "gostray's table, measured on Go {release}"),
        }
    }
}

/// Why there are no layouts, or not this one.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// Neither DWARF nor the table knows this release.
    #[error(
        "the runtime layout of Go 1.{minor} on {arch} is unknown: gostray knows Go 1.{oldest} to \
         1.{newest}, and from the binary: {dwarf}"
    )]
    Unsupported {
        /// The `22` of Go 1.22.
        minor: u32,
        /// The architecture.
        arch: Architecture,
        /// The oldest release in the table.
        oldest: u32,
        /// The newest one.
        newest: u32,
        /// Why DWARF did not help.
        #[source]
        dwarf: DwarfError,
    },
    /// The release, or this program, does not have the struct.
    #[error("this Go runtime has no struct {name}")]
    MissingStruct {
        /// For example `runtime.timers`.
        name: String,
    },
    /// The release does not have the field.
    #[error("struct {name} of this Go runtime has no field {field}")]
    MissingField {
        /// For example `runtime.g`.
        name: String,
        /// For example `parentGoid`.
        field: String,
    },
    /// The field is not of the width its reader expects.
    #[error("field {name}.{field} has {size} bytes, expected {expected}")]
    FieldSize {
        /// The struct.
        name: String,
        /// The field.
        field: String,
        /// Bytes found.
        size: u32,
        /// Bytes expected.
        expected: u32,
    },
    /// gostray's own table is damaged.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// The layouts of one binary.
#[derive(Debug)]
pub struct Layouts {
    structs: StructLayouts,
    source: Source,
    dwarf_problem: Option<DwarfError>,
}

impl Layouts {
    /// From the DWARF in `file_bytes` (the whole ELF file) when there is any that can be read,
    /// else from the table for Go 1.`go_version_minor`.
    ///
    /// # Errors
    ///
    /// [`LayoutError::Unsupported`] when neither has it.
    pub fn for_binary(
        file_bytes: &[u8],
        go_version_minor: u32,
        arch: Architecture,
    ) -> Result<Self, LayoutError> {
        let problem = match dwarf::struct_layouts(file_bytes, WANTED) {
            Ok(structs) if structs.contains_key("runtime.g") => {
                return Ok(Self {
                    structs,
                    source: Source::Dwarf,
                    dwarf_problem: None,
                });
            }
            Ok(_) => DwarfError::NoRuntimeTypes,
            Err(problem) => problem,
        };
        match Self::from_table(go_version_minor, arch)? {
            Ok(layouts) => Ok(Self {
                dwarf_problem: Some(problem).filter(|it| !matches!(it, DwarfError::NoDwarf)),
                ..layouts
            }),
            Err((oldest, newest)) => Err(LayoutError::Unsupported {
                minor: go_version_minor,
                arch,
                oldest,
                newest,
                dwarf: problem,
            }),
        }
    }

    /// The table's layouts of one release; `Err` has the oldest and the newest release it has.
    fn from_table(minor: u32, arch: Architecture) -> Result<Result<Self, (u32, u32)>, TableError> {
        let table = Table::built_in()?;
        let minors = || table.releases().iter().map(|release| release.minor);
        let found = table
            .releases()
            .iter()
            .find(|release| release.minor == minor);
        let Some((release, structs)) = found.zip(table.layouts(minor, arch)?) else {
            return Ok(Err((
                minors().min().unwrap_or_default(),
                minors().max().unwrap_or_default(),
            )));
        };
        Ok(Ok(Self {
            structs,
            source: Source::Table {
                release: release.name,
            },
            dwarf_problem: None,
        }))
    }

    /// Where they come from.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// Why the binary's DWARF, though there is some, was not used.
    #[must_use]
    pub fn dwarf_problem(&self) -> Option<&DwarfError> {
        self.dwarf_problem.as_ref()
    }

    /// All of them, for listings.
    #[must_use]
    pub fn structs(&self) -> &StructLayouts {
        &self.structs
    }

    /// Size of a struct in bytes; for an array of them, also the stride.
    ///
    /// # Errors
    ///
    /// [`LayoutError::MissingStruct`].
    pub fn size(&self, name: &str) -> Result<u32, LayoutError> {
        Ok(self.layout(name)?.size)
    }

    /// Where a field is: offset in its struct and size, in bytes.
    ///
    /// # Errors
    ///
    /// [`LayoutError::MissingStruct`], [`LayoutError::MissingField`].
    pub fn field(&self, name: &str, field: &str) -> Result<FieldLayout, LayoutError> {
        self.layout(name)?
            .fields
            .get(field)
            .copied()
            .ok_or_else(|| LayoutError::MissingField {
                name: name.to_owned(),
                field: field.to_owned(),
            })
    }

    /// Bytes from the start of the struct to the field.
    ///
    /// # Errors
    ///
    /// [`LayoutError::MissingStruct`], [`LayoutError::MissingField`].
    pub fn offset(&self, name: &str, field: &str) -> Result<u32, LayoutError> {
        Ok(self.field(name, field)?.offset)
    }

    /// [`Self::offset`] of a field that the caller is about to read as `expected` bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Self::offset`], and [`LayoutError::FieldSize`] when it is not that wide.
    pub fn offset_of_size(
        &self,
        name: &str,
        field: &str,
        expected: u32,
    ) -> Result<u32, LayoutError> {
        let place = self.field(name, field)?;
        if place.size == expected {
            return Ok(place.offset);
        }
        Err(LayoutError::FieldSize {
            name: name.to_owned(),
            field: field.to_owned(),
            size: place.size,
            expected,
        })
    }

    /// Offset of a word that some releases lack: `None` where the struct is there without it.
    ///
    /// # Errors
    ///
    /// Those of [`Self::offset_of_size`], but for the missing field.
    pub(super) fn optional_word(
        &self,
        name: &str,
        field: &str,
    ) -> Result<Option<u32>, LayoutError> {
        match self.offset_of_size(name, field, 8) {
            Ok(offset) => Ok(Some(offset)),
            Err(LayoutError::MissingField { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Offset in struct `name` of `inner`, a word in the struct `of` that is its field `field`.
    fn nested_word(
        &self,
        name: &str,
        field: &str,
        of: &str,
        inner: &str,
    ) -> Result<u32, LayoutError> {
        let outer = self.field(name, field)?;
        let offset = self.offset_of_size(of, inner, 8)?;
        let size = self.size(of)?;
        if outer.size != size {
            return Err(LayoutError::FieldSize {
                name: name.to_owned(),
                field: field.to_owned(),
                size: outer.size,
                expected: size,
            });
        }
        Ok(outer.offset + offset)
    }

    fn layout(&self, name: &str) -> Result<&StructLayout, LayoutError> {
        self.structs
            .get(name)
            .ok_or_else(|| LayoutError::MissingStruct {
                name: name.to_owned(),
            })
    }
}
