//! The `go` statements of a function: those that can be told apart only by their order have to be
//! counted.

use iced_x86::{Decoder, DecoderOptions, FlowControl, Mnemonic, OpKind, Register};

use super::{PcKind, Symbolized, Symbolizer};
use crate::binary::{Architecture, LinkAddress};

const NEWPROC: &str = "runtime.newproc";
/// Generated functions may be huge; what comes behind this is not looked at.
const MAX_CODE: usize = 1 << 20;

/// A `go` statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoStatement {
    /// The function it stands in, an inlined one too.
    pub function: String,
    /// Its line.
    pub line: Option<u32>,
    /// What it starts; `None` where a function value decides.
    pub started: Option<String>,
}

impl Symbolizer {
    /// The `go` statements in the machine code that holds `pc`, in the order of the code. None are found
    /// in arm64 code yet.
    #[must_use]
    pub fn statements(&self, pc: LinkAddress) -> Vec<GoStatement> {
        let binary = self.binary();
        let table = binary.pclntab();
        let newproc = self
            .newproc
            .get_or_init(|| Some(table.functions_named([NEWPROC])[0]?.entry()));
        let (Some(newproc), Architecture::X86_64) = (*newproc, binary.architecture()) else {
            return Vec::new();
        };
        let function = pc.0.checked_sub(1).map(LinkAddress);
        let Some(function) = function.and_then(|pc| table.function_at(pc)) else {
            return Vec::new();
        };
        let Some(code) = binary.function_code(&function) else {
            return Vec::new();
        };
        let code = &code[..code.len().min(MAX_CODE)];
        calls(code, function.entry(), newproc)
            .into_iter()
            .filter_map(|(behind, addresses)| {
                let frames = match self.frames(behind, PcKind::ReturnAddress) {
                    Symbolized::Known(frames) => frames,
                    Symbolized::Unknown(_) => return None,
                };
                let frame = frames.into_iter().next()?;
                let start = addresses.iter().rev().find_map(|at| self.entry_at(*at));
                let started = start.and_then(|start| self.started_function(start));
                Some(GoStatement {
                    function: frame.function,
                    line: frame.line,
                    started: started.map(|started| started.function),
                })
            })
            .collect()
    }

    /// The function that begins at `address`, or to which a function value there points.
    fn entry_at(&self, address: LinkAddress) -> Option<LinkAddress> {
        let is_entry = |at: LinkAddress| {
            let function = self.binary().pclntab().function_at(at)?;
            (function.entry() == at).then_some(at)
        };
        is_entry(address).or_else(|| {
            let value = self.binary().elf().bytes_at(address, 8)?;
            is_entry(LinkAddress(u64::from_le_bytes(value.try_into().ok()?)))
        })
    }
}

/// For each call of `target` the address behind it, and the addresses that the code before it, back to
/// the call before, takes.
fn calls(
    code: &[u8],
    entry: LinkAddress,
    target: LinkAddress,
) -> Vec<(LinkAddress, Vec<LinkAddress>)> {
    let mut calls = Vec::new();
    let mut taken = Vec::new();
    for instruction in Decoder::with_ip(64, code, entry.0, DecoderOptions::NONE) {
        let is_call = instruction.flow_control() == FlowControl::Call
            && instruction.op0_kind() == OpKind::NearBranch64;
        if is_call && instruction.near_branch_target() == target.0 {
            let behind = LinkAddress(instruction.next_ip());
            calls.push((behind, std::mem::take(&mut taken)));
        } else if instruction.mnemonic() == Mnemonic::Lea
            && instruction.memory_base() == Register::RIP
        {
            taken.push(LinkAddress(instruction.ip_rel_memory_address()));
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_the_addresses_taken_before_it() {
        // lea 0x100(%rip),%rax; call +0x10; lea 0x8(%rsp),%rax; call +4; call +0x100
        let code = [
            0x48, 0x8d, 0x05, 0x00, 0x01, 0, 0, 0xe8, 0x11, 0, 0, 0, 0x48, 0x8d, 0x44, 0x24, 8,
            0xe8, 7, 0, 0, 0, 0xe8, 0, 1, 0, 0,
        ];
        let calls = calls(&code, LinkAddress(0x1000), LinkAddress(0x101d));
        assert_eq!(
            calls,
            [
                (LinkAddress(0x100c), vec![LinkAddress(0x1107)]),
                (LinkAddress(0x1016), vec![]),
            ]
        );
    }
}
