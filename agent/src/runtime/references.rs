//! Which data a function refers to. Data has no names in a stripped binary, but functions have,
//! and they load the address of what they use.

use iced_x86::{Decoder, DecoderOptions, OpKind, Register};

use crate::binary::{Architecture, LinkAddress};

/// The addresses that the code at `entry` computes relative to itself, in order.
pub(super) fn data_references(
    architecture: Architecture,
    entry: LinkAddress,
    code: &[u8],
) -> Vec<LinkAddress> {
    match architecture {
        Architecture::X86_64 => x86_64(entry, code),
        Architecture::Aarch64 => aarch64(entry, code),
    }
}

/// Operands relative to the instruction pointer.
fn x86_64(entry: LinkAddress, code: &[u8]) -> Vec<LinkAddress> {
    Decoder::with_ip(64, code, entry.0, DecoderOptions::NONE)
        .into_iter()
        .filter(|i| {
            i.memory_base() == Register::RIP
                && (0..i.op_count()).any(|n| i.op_kind(n) == OpKind::Memory)
        })
        .map(|i| LinkAddress(i.ip_rel_memory_address()))
        .collect()
}

/// `adrp` and the `add`, or the load or store of a word, behind it.
fn aarch64(entry: LinkAddress, code: &[u8]) -> Vec<LinkAddress> {
    const PAGE: u64 = 4096;
    let (words, _) = code.as_chunks::<4>();
    let words: Vec<u32> = words
        .iter()
        .map(|bytes| u32::from_le_bytes(*bytes))
        .collect();
    (0_u64..)
        .zip(words.windows(2))
        .filter_map(|(n, pair)| {
            let &[adrp, user] = pair else { return None };
            let same_register = (user >> 5) & 0x1f == adrp & 0x1f;
            if adrp & 0x9f00_0000 != 0x9000_0000 || !same_register {
                return None;
            }
            let immediate = u64::from((user >> 10) & 0xfff);
            let offset = match user & 0xffc0_0000 {
                // `add` of an immediate that is not shifted.
                0x9100_0000 => immediate,
                // `str` and `ldr` of 64 bits, counted in words.
                0xf900_0000 | 0xf940_0000 => immediate * 8,
                _ => return None,
            };
            // 21 bits with sign: bits 23..5 above bits 30..29.
            let pages = ((adrp >> 5) & 0x7_ffff) << 2 | (adrp >> 29) & 3;
            let pages = i64::from((pages << 11).cast_signed() >> 11);
            let page = (entry.0.wrapping_add(4 * n) & !(PAGE - 1))
                .wrapping_add_signed(pages.wrapping_mul(4096));
            Some(LinkAddress(page.wrapping_add(offset)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_x86_64_code_loads() {
        // 440b38: lea 0xdf901(%rip),%rdx; mov 0x10(%rip),%rax
        let code = [
            0x48, 0x8d, 0x15, 0x01, 0xf9, 0x0d, 0x00, 0x48, 0x8b, 0x05, 0x10, 0, 0, 0,
        ];
        let found = data_references(Architecture::X86_64, LinkAddress(0x44_0b38), &code);
        assert_eq!(found, [LinkAddress(0x52_0440), LinkAddress(0x44_0b56)]);
    }

    #[test]
    fn finds_what_arm64_code_loads() {
        // 8a000: adrp x1, 0x11d000 (+0x93 pages); add x1, x1, #0x940
        let adrp = 0x9000_0001_u32 | ((0x93 >> 2) << 5) | ((0x93 & 3) << 29);
        let add = 0x9100_0000_u32 | (0x940 << 10) | (1 << 5) | 1;
        let code: Vec<u8> = [adrp, add].into_iter().flat_map(u32::to_le_bytes).collect();
        let found = data_references(Architecture::Aarch64, LinkAddress(0x8_a000), &code);
        assert_eq!(found, [LinkAddress(0x11_d940)]);
        // ldr x2, [x1, #0x128]
        let load = 0xf940_0000_u32 | ((0x128 / 8) << 10) | (1 << 5) | 2;
        let code: Vec<u8> = [adrp, load]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect();
        let found = data_references(Architecture::Aarch64, LinkAddress(0x8_a000), &code);
        assert_eq!(found, [LinkAddress(0x11_d128)]);
    }
}
