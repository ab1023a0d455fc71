//! DWARF sections, decompressed where they are compressed.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::ZlibDecoder;
use object::elf;

use super::bytes::{slice_at, tail_at, u32_at, u64_at};
use super::{BinaryError, ElfView};

/// No section of a real program is larger; a small hostile one could claim to be.
const MAX_SIZE: u64 = 1 << 30;

/// The section `name` (`.debug_info`, …): as it is in the file, or decompressed (`SHF_COMPRESSED`
/// with zlib, or the older `.zdebug_*`); empty if there is none.
///
/// # Errors
/// `Truncated` or `Malformed` when it is damaged, `NotSupported` for zstd.
pub fn debug_section<'a>(elf: &ElfView<'a>, name: &str) -> Result<Cow<'a, [u8]>, BinaryError> {
    if let Some(section) = elf.section(name) {
        let bytes = elf.section_bytes(&section)?;
        if section.flags & u64::from(elf::SHF_COMPRESSED) == 0 {
            return Ok(Cow::Borrowed(bytes));
        }
        // Elf64_Chdr: type, reserved, size, alignment
        let malformed = || malformed(section.offset.0, "no compression header");
        let kind = u32_at(bytes, 0).ok_or_else(malformed)?;
        if kind != elf::ELFCOMPRESS_ZLIB {
            return Err(BinaryError::NotSupported {
                what: format!("compression {kind} of {name}"),
            });
        }
        let size = u64_at(bytes, 8).ok_or_else(malformed)?;
        let data = tail_at(bytes, 24).ok_or_else(malformed)?;
        return inflate(data, size, section.offset.0).map(Cow::Owned);
    }
    let old_name = name.replacen(".debug", ".zdebug", 1);
    let Some(section) = elf.section(&old_name) else {
        return Ok(Cow::Borrowed(&[]));
    };
    let bytes = elf.section_bytes(&section)?;
    let size = slice_at(bytes, 4, 8).and_then(|size| size.first_chunk().copied());
    match size {
        Some(size) if bytes.starts_with(b"ZLIB") => {
            let data = tail_at(bytes, 12).unwrap_or(&[]);
            inflate(data, u64::from_be_bytes(size), section.offset.0).map(Cow::Owned)
        }
        _ => Err(malformed(section.offset.0, "no ZLIB header")),
    }
}

fn malformed(offset: u64, reason: &'static str) -> BinaryError {
    BinaryError::Malformed {
        what: "a debug section",
        offset,
        reason,
    }
}

/// Memory grows with what really comes out, not with what the header claims.
fn inflate(data: &[u8], size: u64, offset: u64) -> Result<Vec<u8>, BinaryError> {
    if size > MAX_SIZE {
        return Err(malformed(offset, "claims to be larger than 1 GiB"));
    }
    let mut out = Vec::new();
    let result = ZlibDecoder::new(data).take(size).read_to_end(&mut out);
    match result {
        Ok(_) if out.len() as u64 == size => Ok(out),
        _ => Err(malformed(offset, "does not decompress to its size")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn inflates_what_is_whole() {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"debug").unwrap();
        let data = encoder.finish().unwrap();
        assert_eq!(inflate(&data, 5, 0).unwrap(), b"debug");
        for (data, size) in [
            (&data[..], 6),
            (&data[..data.len() - 7], 5),
            (&b"junk"[..], 5),
            (&data, 1 << 40),
        ] {
            assert!(matches!(
                inflate(data, size, 0),
                Err(BinaryError::Malformed { .. })
            ));
        }
    }
}
