//! Tables that give each pc of a function a value: file, line, stack depth, inlining.
//!
//! Format: <https://go.dev/s/go12symtab>, `runtime.step`: pairs of varints, a zigzag delta of the
//! value and a delta of the pc, until a value delta of 0 that is not the first.

/// An entry takes two bytes or more, so this bounds what a hostile table can make us read. Entries
/// stand for instructions; the largest generated functions have some 100,000.
const MAX_ENTRIES: usize = 1 << 21;

/// The value at the instruction `target` bytes behind the function's entry; `None` if the table
/// does not cover it or is damaged.
pub(crate) fn value_at(table: &[u8], quantum: u32, target: u64) -> Option<i32> {
    let mut rest = table;
    let mut value = -1_i32;
    let mut end = 0_u64;
    for entry in 0..MAX_ENTRIES {
        let value_delta;
        (value_delta, rest) = varint(rest)?;
        if value_delta == 0 && entry != 0 {
            return None;
        }
        let zigzag = (value_delta >> 1) ^ (value_delta & 1).wrapping_neg();
        value = value.wrapping_add(zigzag.cast_signed());
        let pc_delta;
        (pc_delta, rest) = varint(rest)?;
        end = end.checked_add(u64::from(pc_delta) * u64::from(quantum))?;
        if target < end {
            return Some(value);
        }
    }
    None
}

/// A number in groups of seven bits, the lowest first; at most five bytes.
fn varint(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0_u32;
    for (place, &byte) in bytes.iter().take(5).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(place + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_runs() {
        // +11 (from -1 to 10) for 4, -1 (to 9) for 300, end
        let table = [22, 4, 1, 0xac, 0x02, 0, 99];
        assert_eq!(value_at(&table, 1, 0), Some(10));
        assert_eq!(value_at(&table, 1, 3), Some(10));
        assert_eq!(value_at(&table, 1, 4), Some(9));
        assert_eq!(value_at(&table, 1, 303), Some(9));
        assert_eq!(value_at(&table, 1, 304), None);
        assert_eq!(value_at(&table, 4, 15), Some(10));
    }

    #[test]
    fn a_first_delta_of_zero_is_a_value() {
        assert_eq!(value_at(&[0, 4, 0], 1, 0), Some(-1));
    }

    #[test]
    fn damaged_tables_end() {
        assert_eq!(value_at(&[], 1, 0), None);
        assert_eq!(value_at(&[0xff; 20], 1, 0), None);
        assert_eq!(value_at(&[2, 0].repeat(MAX_ENTRIES + 1), 1, 0), None);
    }
}
