//! Bounded reads of bytes that belong to somebody else.
//!
//! All that interprets a target's memory goes through `MemoryReader`, so that tests can hand it
//! bytes instead. A read gives all bytes asked for or an error that names the address.

pub mod core_file;
mod cached_pages;
mod joined;
mod live;
mod mapped_file;
mod reader;

pub use cached_pages::CachedPages;
pub use core_file::CoreFile;
pub use live::LiveMemory;
pub use mapped_file::{FileChanged, FileIdentity, MappedFile};
pub(crate) use reader::bounded;
pub use reader::{BytesMemory, Extent, MemoryError, MemoryReader, VisitExtent};
