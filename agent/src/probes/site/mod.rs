//! Where to attach: instructions that cost one trap, at which the wanted value is in a known
//! register.
//!
//! The kernel emulates a few instructions when a uprobe replaces them; a hit at any other is
//! single-stepped out of line, a second trap that costs two to twenty-five times as much. So a
//! symbol's first instruction, in Go always a comparison, is never used: the function is decoded.

mod aarch64;
#[cfg(test)]
mod tests;
mod x86_64;

use thiserror::Error;

use crate::binary::{Architecture, LinkAddress};

/// The longest instruction, in bytes.
pub const MAX_INSTRUCTION: usize = 15;

/// An instruction to attach to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Where the linker placed it.
    pub address: LinkAddress,
    /// Its bytes in the file; what is attached to must read the same.
    pub bytes: Vec<u8>,
    /// It is the branch of the function's stack check: a hit whose flags say that the branch is
    /// taken comes again once the stack has grown.
    pub at_stack_check: bool,
}

/// What must still be in its register at the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The function's first argument.
    FirstArgument,
    /// The third argument, and the current `g`.
    ThirdArgument,
}

/// Why a function offers no site.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SiteError {
    /// The pclntab knows no such function.
    #[error("the binary has no function {function}")]
    NoFunction {
        /// Its name.
        function: &'static str,
    },
    /// The function's code is not in the file.
    #[error("the code of {function} is not in the file")]
    NoCode {
        /// Its name.
        function: &'static str,
    },
    /// Not as many calls as expected.
    #[error("{function} calls {callee} {found} times, not once")]
    Calls {
        /// The caller.
        function: &'static str,
        /// The called function.
        callee: &'static str,
        /// How many calls were found.
        found: usize,
    },
    /// A statement was expected that is not there.
    #[error("there is no `go` statement at that place")]
    NoStatement,
    /// No instruction the kernel emulates comes before the value leaves its register.
    #[error("{function} has no single-trap instruction with its argument intact")]
    NoneSuitable {
        /// Its name.
        function: &'static str,
    },
}

/// A function's machine code.
#[derive(Clone, Copy, Debug)]
pub struct Code<'a> {
    /// For messages.
    pub function: &'static str,
    /// Address of the first byte.
    pub entry: LinkAddress,
    /// All of its bytes.
    pub bytes: &'a [u8],
    /// What it is code for.
    pub architecture: Architecture,
}

impl Code<'_> {
    /// The one call of `callee`, which the linker placed at `target`.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn call_of(&self, callee: &'static str, target: LinkAddress) -> Result<Site, SiteError> {
        let mut calls = self.calls(target);
        match (calls.pop(), calls.len()) {
            (Some(site), 0) => Ok(site),
            (last, before) => Err(SiteError::Calls {
                function: self.function,
                callee,
                found: before + usize::from(last.is_some()),
            }),
        }
    }

    /// The call of what the linker placed at `target` that returns to `behind`.
    ///
    /// # Errors
    /// There is none.
    pub fn call_before(&self, behind: LinkAddress, target: LinkAddress) -> Result<Site, SiteError> {
        let mut calls = self.calls(target).into_iter();
        calls
            .find(|site| site.address.checked_add(site.bytes.len() as u64) == Some(behind))
            .ok_or(SiteError::NoStatement)
    }

    fn calls(&self, target: LinkAddress) -> Vec<Site> {
        match self.architecture {
            Architecture::X86_64 => x86_64::calls(self, target),
            Architecture::Aarch64 => aarch64::calls(self, target),
        }
    }

    /// The first instruction the kernel emulates that every call of the function passes exactly
    /// once with `wanted` intact: behind the stack check where there is one, else its branch.
    ///
    /// # Errors
    /// There is none.
    pub fn entry_site(&self, wanted: Wanted) -> Result<Site, SiteError> {
        match self.architecture {
            Architecture::X86_64 => x86_64::entry_site(self, wanted),
            Architecture::Aarch64 => aarch64::entry_site(self, wanted),
        }
        .ok_or(SiteError::NoneSuitable {
            function: self.function,
        })
    }

    /// The function's very first instruction: what attaching to the symbol would use. For
    /// measuring what the choice of sites is worth.
    ///
    /// # Errors
    /// The code is empty.
    pub fn naive_site(&self) -> Result<Site, SiteError> {
        let length = match self.architecture {
            Architecture::X86_64 => x86_64::first_length(self),
            Architecture::Aarch64 => aarch64::INSTRUCTION,
        };
        let bytes = self.bytes.get(..length).filter(|bytes| !bytes.is_empty());
        Ok(Site {
            address: self.entry,
            bytes: bytes
                .ok_or(SiteError::NoCode {
                    function: self.function,
                })?
                .to_vec(),
            at_stack_check: false,
        })
    }

    fn site(&self, offset: usize, length: usize, at_stack_check: bool) -> Option<Site> {
        Some(Site {
            address: self.entry.checked_add(offset as u64)?,
            bytes: self
                .bytes
                .get(offset..offset.checked_add(length)?)?
                .to_vec(),
            at_stack_check,
        })
    }
}
