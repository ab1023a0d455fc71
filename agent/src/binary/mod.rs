//! One ELF file of a Go program: what is true of the file, whoever runs it.
mod address;
mod architecture;
mod build_info;
pub(crate) mod bytes;
mod cache;
pub mod dwarf;
mod debug_sections;
mod dwarf_lines;
mod elf;
mod error;
mod go_binary;
mod go_version;
mod module_data;
mod pclntab;

pub use address::{FileOffset, LinkAddress, LoadBias, RuntimeAddress};
pub use build_info::{BuildInfo, Module};
pub use cache::BinaryCache;
pub use debug_sections::debug_section;
pub use dwarf_lines::{NativeFrame, native_frames};
pub use elf::{Architecture, ElfView, Section, Segment};
pub(crate) use elf::{check_class, find_note, notes};
pub use error::BinaryError;
pub use go_binary::GoBinary;
pub use go_version::GoVersion;
pub use module_data::ModuleData;
pub use pclntab::{
    Function, FunctionIds, InlinedFrame, Pclntab, PclntabLayout, PointerMap, StackData, StackObject,
};
