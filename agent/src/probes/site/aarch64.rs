//! Sites in arm64 code, whose instructions are all four bytes long.

use super::{Code, LinkAddress, Site, Wanted};

/// Bytes of one instruction.
pub(super) const INSTRUCTION: usize = 4;

/// `bl`: bits 31..26, and a signed count of instructions in the others.
const BL_MASK: u32 = 0xfc00_0000;
const BL: u32 = 0x9400_0000;
const B: u32 = 0x1400_0000;
/// `b.cond`, and the condition "lower or same".
const B_COND_MASK: u32 = 0xff00_0010;
const B_COND: u32 = 0x5400_0000;
const CONDITION: u32 = 0xf;
const LOWER_OR_SAME: u32 = 9;
/// `ldr x16, [x28, #16]`: `g.stackguard0`.
const LOAD_STACK_GUARD: u32 = 0xf940_0b90;

/// All `bl` that end at `target`.
pub(super) fn calls(code: &Code<'_>, target: LinkAddress) -> Vec<Site> {
    words(code)
        .filter(|&(at, word)| {
            let bytes = i64::from((word << 6).cast_signed() >> 6) * 4;
            let here = code.entry.0.wrapping_add(at as u64);
            word & BL_MASK == BL && here.wrapping_add_signed(bytes) == target.0
        })
        .filter_map(|(at, _)| code.site(at, INSTRUCTION, false))
        .collect()
}

/// See [`Code::entry_site`].
pub(super) fn entry_site(code: &Code<'_>, wanted: Wanted) -> Option<Site> {
    let registers: &[u32] = match wanted {
        Wanted::FirstArgument => &[0],
        Wanted::ThirdArgument => &[2, 28],
    };
    let mut guard_loaded = false;
    let mut stack_check = None;
    for (at, word) in words(code) {
        if guard_loaded
            && stack_check.is_none()
            && word & B_COND_MASK == B_COND
            && word & CONDITION == LOWER_OR_SAME
        {
            stack_check = Some(at);
            continue;
        }
        guard_loaded |= word == LOAD_STACK_GUARD;
        if is_emulated(word) {
            if words(code).any(|(from, word)| from >= at && jumps_into(from, word, at)) {
                break;
            }
            return code.site(at, INSTRUCTION, false);
        }
        if may_write(word, registers) {
            break;
        }
    }
    code.site(stack_check?, INSTRUCTION, true)
}

fn words<'a>(code: &Code<'a>) -> impl Iterator<Item = (usize, u32)> + 'a {
    let (chunks, _) = code.bytes.as_chunks::<INSTRUCTION>();
    chunks
        .iter()
        .enumerate()
        .map(|(n, bytes)| (n * INSTRUCTION, u32::from_le_bytes(*bytes)))
}

/// What Linux simulates: `arm_probe_decode_insn` in `arch/arm64/kernel/probes/decode-insn.c`.
/// Without `adr` and `adrp`, which only write registers and so are of no use here, and without
/// `ret` and `br`.
fn is_emulated(word: u32) -> bool {
    word & BL_MASK == BL
        || word & BL_MASK == B
        || word & B_COND_MASK == B_COND
        // cbz, cbnz, tbz, tbnz
        || word & 0x7e00_0000 == 0x3400_0000
        || word & 0x7e00_0000 == 0x3600_0000
        // blr
        || word & 0xffff_fc1f == 0xd63f_0000
}

/// Whether the branch at `from` goes back to `..= at`, but not to the entry, as the one behind
/// the call of morestack does.
fn jumps_into(from: usize, word: u32, at: usize) -> bool {
    let words = if word & BL_MASK == B {
        (word << 6).cast_signed() >> 6
    } else if word & B_COND_MASK == B_COND || word & 0x7e00_0000 == 0x3400_0000 {
        (word << 8).cast_signed() >> 13
    } else if word & 0x7e00_0000 == 0x3600_0000 {
        (word << 13).cast_signed() >> 18
    } else {
        return false;
    };
    let target = i64::try_from(from)
        .unwrap_or(i64::MAX)
        .saturating_add(i64::from(words) * 4);
    target > 0 && target <= i64::try_from(at).unwrap_or(i64::MAX)
}

/// Whether an instruction may write one of `registers`. Errs on the side of yes: only loads and
/// stores of general registers are told apart, because a store names its source where others name
/// their destination, and Go spills arguments before it uses them.
fn may_write(word: u32, registers: &[u32]) -> bool {
    let bit = |n: u32| word & (1 << n) != 0;
    let register = |shift: u32| registers.contains(&((word >> shift) & 0x1f));
    let (first, base, second) = (register(0), register(5), register(10));
    let single = word & 0x3a00_0000 == 0x3800_0000;
    let pair = word & 0x3a00_0000 == 0x2800_0000;
    if pair {
        // Bit 23: pre- or post-indexed, which moves the base. Bit 22: load.
        (base && bit(23)) || (bit(22) && (first || second))
    } else if single {
        let indexed = !bit(24) && !bit(21) && bit(10);
        (base && indexed) || (first && (bit(22) || bit(23)))
    } else {
        first
    }
}
