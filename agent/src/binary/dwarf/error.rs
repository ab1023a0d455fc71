//! Why no layouts could be read.

/// What is wrong with, or missing from, a file's debug information.
#[derive(Debug, thiserror::Error)]
pub enum DwarfError {
    /// Not a 64-bit little-endian ELF file, or its section table is damaged.
    #[error("not a readable 64-bit little-endian ELF file: {0}")]
    NotElf(#[source] object::read::Error),
    /// No `.debug_info` or no `.debug_abbrev`: the file was stripped, or linked with `-w`.
    #[error("the file has no debug information")]
    NoDwarf,
    /// There is DWARF, but no compile unit `runtime` with any of the wanted types.
    #[error("the debug information describes none of the Go runtime's types")]
    NoRuntimeTypes,
    /// The section table points outside the file, or a compression header is damaged.
    #[error("section {section} cannot be read: {source}")]
    Section {
        /// Its name.
        section: &'static str,
        /// What the ELF reader says.
        source: object::read::Error,
    },
    /// Compressed with something else than zlib.
    #[error("section {section} is compressed with {format:?}, which is not supported")]
    Compression {
        /// Its name.
        section: &'static str,
        /// The format.
        format: object::CompressionFormat,
    },
    /// The section says of itself that it is larger than is believed.
    #[error("section {section} claims {size} bytes, at most {limit} are read")]
    TooLarge {
        /// Its name.
        section: &'static str,
        /// Bytes claimed, decompressed.
        size: u64,
        /// Bytes read at most.
        limit: u64,
    },
    /// Its zlib stream is damaged or ends early.
    #[error("section {section} cannot be decompressed at byte {offset}: {source}")]
    Inflate {
        /// Its name.
        section: &'static str,
        /// Offset in the decompressed section.
        offset: u64,
        /// What the decompressor says.
        source: std::io::Error,
    },
    /// A DWARF version other than 2 to 5.
    #[error("DWARF version {version} at .debug_info+{offset:#x} is not supported")]
    Version {
        /// The version claimed.
        version: u16,
        /// Where the unit starts.
        offset: u64,
    },
    /// The entries contradict themselves.
    #[error("damaged DWARF at .debug_info+{offset:#x}: {what}")]
    Damaged {
        /// Where, in the decompressed section.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// The entries cannot be decoded.
    #[error("damaged DWARF at .debug_info+{offset:#x}: {source}")]
    Decode {
        /// The entry or unit, in the decompressed section.
        offset: u64,
        /// What the DWARF reader says.
        source: gimli::Error,
    },
    /// More entries than any real program has.
    #[error("the debug information has too many entries or abbreviations")]
    TooMuchWork,
}
