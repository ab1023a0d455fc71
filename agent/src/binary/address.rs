//! The address spaces a Go binary is described in, each with a type of its own.
//!
//! A pc that is right in one of them is a plausible number in all others; mixing them up gives
//! wrong names, not errors. So none converts into another without naming what lies between.

use std::fmt;

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        impl $name {
            /// `self + bytes`, or `None` past the end of the address space.
            #[must_use]
            pub fn checked_add(self, bytes: u64) -> Option<Self> {
                self.0.checked_add(bytes).map(Self)
            }
        }
    };
}

address! {
    /// A byte's place in the file; what the kernel wants for a uprobe.
    FileOffset
}
address! {
    /// An address as the linker assigned it (`p_vaddr`, `st_value`, pclntab entries, DWARF).
    LinkAddress
}
address! {
    /// An address in the running process.
    RuntimeAddress
}

/// What the loader added to every link address of one file: 0 unless the file is
/// position-independent. Run-time = link + bias, modulo 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LoadBias(pub u64);

impl LoadBias {
    /// Where `address` is in the running process.
    #[must_use]
    pub fn to_runtime(self, address: LinkAddress) -> RuntimeAddress {
        RuntimeAddress(address.0.wrapping_add(self.0))
    }

    /// What `address` was called by the linker.
    #[must_use]
    pub fn to_link(self, address: RuntimeAddress) -> LinkAddress {
        LinkAddress(address.0.wrapping_sub(self.0))
    }
}
