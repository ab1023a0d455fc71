//! The bytes of a debug section, whichever way they are stored.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::bufread::ZlibDecoder;
use object::{CompressionFormat, ObjectSection};

use super::DwarfError;

/// Decompressed bytes of `.debug_info` at most. A program of 42,000 types (172 MB) has a tenth of it.
const INFO_LIMIT: u64 = 1 << 30;
/// Bytes of `.debug_abbrev` at most. Go's own table has about 2 KiB; C units add theirs.
const ABBREV_LIMIT: u64 = 16 << 20;
/// Deflate cannot expand further than this (RFC 1951: 258 bytes from a match of 2 bits).
const DEFLATE_RATIO: u64 = 1032;

/// A section read from front to back.
pub(super) struct Stream<'data> {
    name: &'static str,
    source: Source<'data>,
    /// Bytes given out so far: the offset in the decompressed section.
    position: u64,
    /// Bytes left, by the section's own account.
    remaining: u64,
}

enum Source<'data> {
    Plain(&'data [u8]),
    Zlib(Box<ZlibDecoder<&'data [u8]>>),
}

impl<'data> Stream<'data> {
    pub(super) fn open(
        name: &'static str,
        section: &impl ObjectSection<'data>,
    ) -> Result<Self, DwarfError> {
        Self::with_limit(name, section, INFO_LIMIT)
    }

    fn with_limit(
        name: &'static str,
        section: &impl ObjectSection<'data>,
        limit: u64,
    ) -> Result<Self, DwarfError> {
        let stored = section
            .compressed_data()
            .map_err(|source| DwarfError::Section {
                section: name,
                source,
            })?;
        let (source, possible) = match stored.format {
            CompressionFormat::None => (Source::Plain(stored.data), stored.data.len() as u64),
            CompressionFormat::Zlib => (
                Source::Zlib(Box::new(ZlibDecoder::new(stored.data))),
                (stored.data.len() as u64).saturating_mul(DEFLATE_RATIO),
            ),
            format => {
                return Err(DwarfError::Compression {
                    section: name,
                    format,
                });
            }
        };
        let (size, limit) = (stored.uncompressed_size, limit.min(possible));
        if size > limit {
            return Err(DwarfError::TooLarge {
                section: name,
                size,
                limit,
            });
        }
        Ok(Self {
            name,
            source,
            position: 0,
            remaining: size,
        })
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// The next `length` bytes. Fails when fewer are left.
    pub(super) fn read(&mut self, length: u64) -> Result<Cow<'data, [u8]>, DwarfError> {
        let mut bytes = Cow::Borrowed(&[][..]);
        self.extend(&mut bytes, length)?;
        Ok(bytes)
    }

    /// At least the first `prefix` of the next `whole` bytes, if there are as many: all that costs
    /// nothing, so from a plain section the whole.
    pub(super) fn read_ahead(
        &mut self,
        prefix: u64,
        whole: u64,
    ) -> Result<Cow<'data, [u8]>, DwarfError> {
        self.claim(whole)?;
        match self.source {
            Source::Plain(_) => self.read(whole),
            Source::Zlib(_) => self.read(prefix.min(whole)),
        }
    }

    /// Appends the next `length` bytes to those read just before.
    pub(super) fn extend(
        &mut self,
        held: &mut Cow<'data, [u8]>,
        length: u64,
    ) -> Result<(), DwarfError> {
        let count = self.claim(length)?;
        let result = match &mut self.source {
            Source::Plain(data) => match data.split_at_checked(count) {
                Some((front, rest)) => {
                    *data = rest;
                    if held.is_empty() {
                        *held = Cow::Borrowed(front);
                    } else {
                        held.to_mut().extend_from_slice(front);
                    }
                    Ok(count)
                }
                None => Ok(0),
            },
            Source::Zlib(decoder) => {
                let held = held.to_mut();
                // What `claim` allowed is bounded by what the compressed bytes can expand to.
                held.reserve_exact(count);
                decoder.take(length).read_to_end(held)
            }
        };
        self.advance(length, result.map(|read| read as u64))
    }

    /// Passes over the next `length` bytes.
    pub(super) fn skip(&mut self, length: u64) -> Result<(), DwarfError> {
        let count = self.claim(length)?;
        let result = match &mut self.source {
            Source::Plain(data) => {
                *data = data.get(count..).unwrap_or_default();
                Ok(length)
            }
            Source::Zlib(decoder) => io::copy(&mut decoder.take(length), &mut io::sink()),
        };
        self.advance(length, result)
    }

    fn advance(&mut self, length: u64, read: io::Result<u64>) -> Result<(), DwarfError> {
        let problem = match read {
            Ok(read) if read == length => {
                self.position += length;
                self.remaining -= length;
                return Ok(());
            }
            Ok(_) => io::ErrorKind::UnexpectedEof.into(),
            Err(problem) => problem,
        };
        Err(DwarfError::Inflate {
            section: self.name,
            offset: self.position,
            source: problem,
        })
    }

    fn claim(&self, length: u64) -> Result<usize, DwarfError> {
        usize::try_from(length)
            .ok()
            .filter(|_| length <= self.remaining)
            .ok_or(DwarfError::Damaged {
                offset: self.position,
                what: "a unit reaches past the end of the section",
            })
    }
}

/// All of a small section.
pub(super) fn read_whole<'data>(
    name: &'static str,
    section: &impl ObjectSection<'data>,
) -> Result<Cow<'data, [u8]>, DwarfError> {
    let mut stream = Stream::with_limit(name, section, ABBREV_LIMIT)?;
    stream.read(stream.remaining)
}
