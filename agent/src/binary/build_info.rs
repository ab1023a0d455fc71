//! What the linker wrote down about the build: Go version, main module, settings.
//!
//! Format: `debug/buildinfo` and `runtime/debug.ParseBuildInfo`
//! (<https://github.com/golang/go/blob/go1.27.0/src/debug/buildinfo/buildinfo.go>): a 32-byte header
//! with a magic, aligned to 16; since Go 1.18 two strings follow, each behind its length as a varint.

use object::elf;

use super::bytes::{slice_at, tail_at, u8_at};
use super::{BinaryError, ElfView, FileOffset, GoVersion};

const MAGIC: &[u8] = b"\xff Go buildinf:";
const ALIGN: usize = 16;
const HEADER: u64 = 32;
const FLAGS_AT: u64 = 15;
const FLAG_INLINE_STRINGS: u8 = 2;
/// The module information carries two marks of 16 bytes for the go command, before and behind.
const MARK: usize = 16;
/// Settings hold at most a few kilobytes of flags; module lists of the largest programs a few 100.
const MAX_STRING: u64 = 16 << 20;

/// What the linker wrote down about a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildInfo {
    /// The Go release that built it.
    pub go_version: GoVersion,
    /// Import path of the main package; `None` without module information.
    pub path: Option<String>,
    /// The main module; `None` for programs built outside of modules (`go build file.go` included).
    pub main_module: Option<Module>,
    /// Build settings in the order written, for example `("CGO_ENABLED", "1")`, `("-trimpath", "true")`.
    pub settings: Vec<(String, String)>,
}

/// A Go module at a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Module path.
    pub path: String,
    /// Version; `(devel)` for what was built in a working copy before Go 1.24.
    pub version: String,
}

impl BuildInfo {
    /// Finds and parses the build information of a file.
    ///
    /// # Errors
    /// `NotGo` when there is none, `GoTooOld`/`GoTooNew` outside the supported releases,
    /// `Truncated`/`Malformed` when it is damaged.
    pub fn read(elf: &ElfView<'_>) -> Result<Self, BinaryError> {
        let offset = find(elf).ok_or(BinaryError::NotGo)?;
        let blob = tail_at(elf.bytes(), offset.0).ok_or(BinaryError::NotGo)?;
        let truncated = || BinaryError::Truncated {
            what: "the Go build information",
            offset: offset.0,
        };
        let flags = u8_at(blob, FLAGS_AT).ok_or_else(truncated)?;
        if flags & FLAG_INLINE_STRINGS == 0 {
            // The older format points to two strings; its releases are not supported anyway.
            return Err(BinaryError::GoTooOld {
                version: "a release before Go 1.18".to_owned(),
            });
        }
        let (version, used) = string_at(blob, HEADER).ok_or_else(truncated)?;
        let (modules, _) = string_at(blob, used).ok_or_else(truncated)?;
        let malformed = |reason| BinaryError::Malformed {
            what: "the Go build information",
            offset: offset.0,
            reason,
        };
        let version =
            std::str::from_utf8(version).map_err(|_| malformed("the version is not text"))?;
        let go_version = GoVersion::parse(version).ok_or_else(|| BinaryError::NotSupported {
            what: format!("the Go version {version:?}"),
        })?;
        go_version.check_supported()?;
        let mut info = Self {
            go_version,
            path: None,
            main_module: None,
            settings: Vec::new(),
        };
        info.parse_modules(strip_marks(modules));
        Ok(info)
    }

    /// The value of a build setting.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        let found = self.settings.iter().find(|(name, _)| name == key)?;
        Some(&found.1)
    }

    /// The commit it was built from.
    #[must_use]
    pub fn vcs_revision(&self) -> Option<&str> {
        self.setting("vcs.revision")
    }

    /// Whether the working copy had changes beyond that commit; `None` if unknown.
    #[must_use]
    pub fn vcs_modified(&self) -> Option<bool> {
        self.setting("vcs.modified").map(|value| value == "true")
    }

    /// Whether source paths were shortened to import paths.
    #[must_use]
    pub fn is_trimpath(&self) -> bool {
        self.setting("-trimpath") == Some("true")
    }

    /// Lines of tab-separated fields, as `debug.BuildInfo.String` writes them. Damaged lines are
    /// left out: nothing depends on them.
    fn parse_modules(&mut self, text: &[u8]) {
        for line in text.split(|&byte| byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            let Some((kind, rest)) = line.split_once('\t') else {
                continue;
            };
            match kind {
                "path" => self.path = Some(rest.to_owned()),
                "mod" => {
                    let mut fields = rest.split('\t');
                    let path = fields.next().unwrap_or_default().to_owned();
                    let version = fields.next().unwrap_or_default().to_owned();
                    self.main_module = Some(Module { path, version });
                }
                "build" => self.settings.extend(parse_setting(rest)),
                _ => {}
            }
        }
    }
}

fn find(elf: &ElfView<'_>) -> Option<FileOffset> {
    if let Some(section) = elf.section(".go.buildinfo")
        && let Some(found) = search(elf.section_bytes(&section).ok()?)
    {
        return section.offset.checked_add(found);
    }
    // Without section headers: the linker puts it first in the data segment, which an external
    // linker may have moved, so all writable ones are searched.
    let writable = elf
        .loaded()
        .filter(|segment| segment.flags & elf::PF_W != 0);
    writable.into_iter().find_map(|segment| {
        let bytes = tail_at(elf.bytes(), segment.offset.0)?;
        let length = usize::try_from(segment.file_size).ok()?.min(bytes.len());
        segment.offset.checked_add(search(bytes.get(..length)?)?)
    })
}

fn search(bytes: &[u8]) -> Option<u64> {
    let place = bytes
        .chunks_exact(ALIGN)
        .position(|chunk| chunk.starts_with(MAGIC))?;
    u64::try_from(place * ALIGN).ok()
}

/// The string whose length stands at `offset`, and where it ends.
fn string_at(bytes: &[u8], offset: u64) -> Option<(&[u8], u64)> {
    let mut length = 0_u64;
    let mut at = offset;
    for shift in (0..35).step_by(7) {
        let byte = u8_at(bytes, at)?;
        at += 1;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let text = slice_at(
                bytes,
                at,
                Some(length).filter(|&length| length <= MAX_STRING)?,
            )?;
            return Some((text, at + length));
        }
    }
    None
}

fn strip_marks(modules: &[u8]) -> &[u8] {
    let framed = modules
        .len()
        .checked_sub(MARK + 1)
        .and_then(|end| modules.get(end))
        == Some(&b'\n');
    match modules.get(MARK..modules.len().saturating_sub(MARK)) {
        Some(inner) if framed => inner,
        _ => &[],
    }
}

/// `key=value`, each quoted as a Go string where it holds blanks, quotes or `=`.
fn parse_setting(text: &str) -> Option<(String, String)> {
    let (key, rest) = match text.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None => {
            let end = text.find('=')?;
            (text.get(..end)?.to_owned(), text.get(end..)?)
        }
    };
    let value = rest.strip_prefix('=')?;
    let value = match value.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?.0,
        None => value.to_owned(),
    };
    Some((key, value))
}

/// Undoes `strconv.Quote` up to the closing quote; gives also what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, text.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_with_and_without_quotes() {
        let pair = |key: &str, value: &str| Some((key.to_owned(), value.to_owned()));
        assert_eq!(parse_setting("GOARCH=amd64"), pair("GOARCH", "amd64"));
        assert_eq!(
            parse_setting(r#"-ldflags="-X main.v=\"1 2\"""#),
            pair("-ldflags", r#"-X main.v="1 2""#)
        );
        assert_eq!(parse_setting("empty="), pair("empty", ""));
        assert_eq!(parse_setting("nothing"), None);
        assert_eq!(parse_setting("\"open"), None);
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(string_at(b"\x03abcdef", 0), Some((&b"abc"[..], 4)));
        assert_eq!(string_at(b"\x03ab", 0), None);
        assert_eq!(string_at(b"\xff\xff\xff\xff\xff\xff", 0), None);
        assert_eq!(string_at(b"", 0), None);
    }

    #[test]
    fn magic_must_be_aligned() {
        let mut bytes = vec![0; 100];
        bytes[17..17 + MAGIC.len()].copy_from_slice(MAGIC);
        assert_eq!(search(&bytes), None);
        bytes[48..48 + MAGIC.len()].copy_from_slice(MAGIC);
        assert_eq!(search(&bytes), Some(48));
    }
}
