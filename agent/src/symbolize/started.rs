//! What a `go` statement started, seen through the wrapper that the compiler puts in between.
//!
//! `go f(x)` starts a function without arguments that calls `f(x)`: `main.main.gowrap1` since Go
//! 1.22, `main.main.func1` in 1.19 to 1.21, `main.main·dwrap·1` in 1.18, marked as wrapper.

use iced_x86::{Decoder, DecoderOptions, FlowControl, OpKind};

use super::{Symbolizer, display_name};
use crate::binary::{Architecture, Function, LinkAddress};

/// What a goroutine runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartedFunction {
    /// The function in the source; the wrapper itself if that is all that is known.
    pub function: String,
    /// The wrapper in between, if there is one.
    pub wrapper: Option<String>,
    /// Why `function` is the wrapper.
    pub note: Option<&'static str>,
}

/// Wrappers evaluate nothing and call once; larger ones only copy large arguments.
const MAX_CODE: u64 = 4096;
/// A wrapper may call a method's wrapper.
const MAX_WRAPPERS: usize = 4;

/// What the compiler itself calls from anywhere.
const RUNTIME_HELPERS: [&str; 12] = [
    "runtime.asan",
    "runtime.deferreturn",
    "runtime.duff",
    "runtime.gcWriteBarrier",
    "runtime.goPanic",
    "runtime.libfuzzer",
    "runtime.morestack",
    "runtime.msan",
    "runtime.panic",
    "runtime.race",
    "runtime.typedmem",
    "runtime.wb",
];

impl Symbolizer {
    /// What the `go` statement that made a goroutine with this `startpc` started. `None` if the
    /// program has no function there.
    #[must_use]
    pub fn started_function(&self, start: LinkAddress) -> Option<StartedFunction> {
        let outer = self.binary().pclntab().function_at(start)?;
        let name = display_name(outer.name().ok()?);
        if !is_wrapper(&outer) {
            return Some(StartedFunction {
                function: name,
                wrapper: None,
                note: None,
            });
        }
        let mut wrapper = outer;
        for _ in 0..MAX_WRAPPERS {
            match self.wrapped_by(&wrapper) {
                Some(Wrapped::Inlined(inner)) => {
                    return Some(StartedFunction {
                        function: display_name(inner),
                        wrapper: Some(name),
                        note: None,
                    });
                }
                Some(Wrapped::Called(inner)) if is_wrapper(&inner) => wrapper = inner,
                Some(Wrapped::Called(inner)) => {
                    let function = display_name(inner.name().ok()?);
                    return Some(StartedFunction {
                        function,
                        wrapper: Some(name),
                        note: None,
                    });
                }
                None => break,
            }
        }
        Some(StartedFunction {
            function: name.clone(),
            wrapper: Some(name),
            note: Some(
                "the wrapper calls through a function value or interface; its stack shows what",
            ),
        })
    }

    fn wrapped_by<'a>(&'a self, wrapper: &Function<'a>) -> Option<Wrapped<'a>> {
        let code = self.binary().function_code(wrapper)?;
        let code = code.get(..code.len().min(usize::try_from(MAX_CODE).ok()?))?;
        let table = self.binary().pclntab();
        let instructions = match self.binary().architecture() {
            Architecture::X86_64 => x86_64(code, wrapper.entry()),
            Architecture::Aarch64 => aarch64(code, wrapper.entry()),
        };
        for (at, target) in instructions {
            let calls = wrapper.inlined_calls(at);
            // The last is the wrapper itself, the one before it what was inlined into it.
            if let Some(call) = calls
                .len()
                .checked_sub(2)
                .and_then(|index| calls.get(index))
            {
                return call.function.map(Wrapped::Inlined);
            }
            let Some(callee) = target.and_then(|target| table.function_at(target)) else {
                continue;
            };
            let Ok(name) = callee.name() else { continue };
            let is_helper = RUNTIME_HELPERS
                .iter()
                .any(|helper| name.starts_with(helper));
            if callee.index() != wrapper.index() && !is_helper {
                return Some(Wrapped::Called(callee));
            }
        }
        None
    }
}

enum Wrapped<'a> {
    Inlined(&'a str),
    Called(Function<'a>),
}

fn is_wrapper(function: &Function<'_>) -> bool {
    let name = function.name().unwrap_or_default();
    function.is_wrapper() || name.contains(".gowrap") || name.contains("·dwrap·")
}

/// Each instruction's address and, for direct calls and jumps, its target.
fn x86_64(code: &[u8], entry: LinkAddress) -> Vec<(LinkAddress, Option<LinkAddress>)> {
    let decoder = Decoder::with_ip(64, code, entry.0, DecoderOptions::NONE);
    let found = decoder.into_iter().map(|instruction| {
        let flow = instruction.flow_control();
        let is_direct = matches!(flow, FlowControl::Call | FlowControl::UnconditionalBranch)
            && instruction.op0_kind() == OpKind::NearBranch64;
        let target = is_direct.then(|| LinkAddress(instruction.near_branch_target()));
        (LinkAddress(instruction.ip()), target)
    });
    found.collect()
}

/// The same for fixed-width instructions: `B` and `BL` (Arm ARM C6.2) carry a 26-bit distance in words.
fn aarch64(code: &[u8], entry: LinkAddress) -> Vec<(LinkAddress, Option<LinkAddress>)> {
    let words = code.chunks_exact(4).zip((entry.0..).step_by(4));
    let found = words.map(|(bytes, at)| {
        let word = bytes.first_chunk().copied().map_or(0, u32::from_le_bytes);
        let is_branch = word & 0x7c00_0000 == 0x1400_0000;
        let distance = i64::from((word << 6).cast_signed() >> 6) * 4;
        let target = is_branch.then(|| LinkAddress(at.wrapping_add_signed(distance)));
        (LinkAddress(at), target)
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arm64_branches() {
        let code = [0x9400_0002_u32, 0x17ff_ffff, 0xd503_201f, 0x5400_0040];
        let bytes: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
        let targets: Vec<_> = aarch64(&bytes, LinkAddress(0x1000))
            .into_iter()
            .map(|(_, t)| t)
            .collect();
        assert_eq!(
            targets,
            [
                Some(LinkAddress(0x1008)),
                Some(LinkAddress(0x1000)),
                None,
                None
            ]
        );
    }

    #[test]
    fn x86_64_branches() {
        // call +0; jmp -2; call *%rax; je +2
        let code = [0xe8, 0, 0, 0, 0, 0xeb, 0xfe, 0xff, 0xd0, 0x74, 0x02];
        let targets: Vec<_> = x86_64(&code, LinkAddress(0x1000))
            .into_iter()
            .map(|(_, t)| t)
            .collect();
        assert_eq!(
            targets,
            [
                Some(LinkAddress(0x1005)),
                Some(LinkAddress(0x1005)),
                None,
                None
            ]
        );
    }
}
