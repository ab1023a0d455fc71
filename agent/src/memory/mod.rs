mod mapped_file;

pub use mapped_file::{FileChanged, FileIdentity, MappedFile};
