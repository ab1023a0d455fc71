//! One ELF file of a Go program: what is true of the file, whoever runs it.
mod address;
pub mod dwarf;

pub use address::{FileOffset, LinkAddress, LoadBias, RuntimeAddress};
