//! Sites in x86-64 code.

use iced_x86::{
    Code as IcedCode, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory,
    Mnemonic, OpAccess, OpKind, Register,
};

use super::{Code, LinkAddress, Site, Wanted};

/// All `call rel32` that end at `target`.
pub(super) fn calls(code: &Code<'_>, target: LinkAddress) -> Vec<Site> {
    decode(code)
        .into_iter()
        .filter(|i| i.code() == IcedCode::Call_rel32_64 && i.near_branch_target() == target.0)
        .filter_map(|i| code.site(offset(code, &i), i.len(), false))
        .collect()
}

/// See [`Code::entry_site`].
pub(super) fn entry_site(code: &Code<'_>, wanted: Wanted) -> Option<Site> {
    let registers: &[Register] = match wanted {
        Wanted::FirstArgument => &[Register::RAX],
        Wanted::ThirdArgument => &[Register::RCX, Register::R14],
    };
    let mut factory = InstructionInfoFactory::new();
    let mut stack_check = None;
    for instruction in decode(code) {
        if instruction.is_invalid() {
            break;
        }
        let place = (offset(code, &instruction), instruction.len());
        if stack_check.is_none() && is_stack_check(code, &instruction) {
            stack_check = Some(place);
            continue;
        }
        if is_emulated(code, &instruction) && !is_branch_target(code, &instruction) {
            return code.site(place.0, place.1, false);
        }
        let ends = instruction.flow_control() != FlowControl::Next;
        let overwrites = factory
            .info(&instruction)
            .used_registers()
            .iter()
            .filter(|used| used.access() != OpAccess::Read && used.access() != OpAccess::CondRead)
            .any(|used| registers.contains(&used.register().full_register()));
        if ends || overwrites {
            break;
        }
    }
    let (offset, length) = stack_check?;
    code.site(offset, length, true)
}

/// Length of the first instruction; 0 if there is none.
pub(super) fn first_length(code: &Code<'_>) -> usize {
    decode(code).into_iter().next().map_or(0, |i| i.len())
}

fn decode<'a>(code: &Code<'a>) -> Decoder<'a> {
    Decoder::with_ip(64, code.bytes, code.entry.0, DecoderOptions::NONE)
}

fn offset(code: &Code<'_>, instruction: &Instruction) -> usize {
    usize::try_from(instruction.ip().wrapping_sub(code.entry.0)).unwrap_or(usize::MAX)
}

/// What Linux emulates instead of single-stepping, on every kernel from 5.10 on:
/// `branch_setup_xol_ops` and `push_setup_xol_ops` in `arch/x86/kernel/uprobes.c`.
fn is_emulated(code: &Code<'_>, instruction: &Instruction) -> bool {
    let start = offset(code, instruction);
    let Some(bytes) = code
        .bytes
        .get(start..start.saturating_add(instruction.len()))
    else {
        return false;
    };
    matches!(
        bytes,
        // nop
        [0x90] | [0x66, 0x90]
        // push r64
        | [0x50..=0x57] | [0x41, 0x50..=0x57]
        // call, jmp
        | [0xe8, ..] | [0xe9, ..] | [0xeb, _]
        // jcc
        | [0x70..=0x7f, _] | [0x0f, 0x80..=0x8f, ..]
    )
}

/// A `jbe` right behind a comparison with `g.stackguard0`, `0x10(%r14)`.
fn is_stack_check(code: &Code<'_>, branch: &Instruction) -> bool {
    if branch.mnemonic() != Mnemonic::Jbe {
        return false;
    }
    let before = decode(code)
        .into_iter()
        .take_while(|i| i.ip() < branch.ip())
        .last();
    before.is_some_and(|cmp| {
        cmp.mnemonic() == Mnemonic::Cmp
            && (0..cmp.op_count()).any(|n| cmp.op_kind(n) == OpKind::Memory)
            && cmp.memory_base() == Register::R14
            && cmp.memory_displacement64() == 0x10
    })
}

/// Something in the function jumps here, so one call may pass it more than once.
fn is_branch_target(code: &Code<'_>, site: &Instruction) -> bool {
    decode(code).into_iter().any(|i| {
        matches!(
            i.flow_control(),
            FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
        ) && i.near_branch_target() <= site.ip()
            // The jump back to the entry, behind the call of morestack.
            && i.near_branch_target() > code.entry.0
            && i.ip() >= site.ip()
    })
}
