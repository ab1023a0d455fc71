//! Two small tables, which are also where fuzzing starts from, and generated ones.

use proptest::prelude::*;

use super::*;
use crate::binary::GoVersion;

const TEXT: LinkAddress = LinkAddress(0x40_1000);

/// The release, the table and where its function data is, as `fuzz_targets/pclntab.rs` reads them.
fn seed(bytes: &[u8]) -> (GoVersion, &[u8], &[u8]) {
    let [minor, funcdata, table @ ..] = bytes else {
        panic!("an empty seed")
    };
    let version = GoVersion::parse(&format!("go1.{}", 18 + minor)).unwrap();
    (version, table, &table[usize::from(*funcdata) * 4..])
}

#[test]
fn small_tables_are_understood() {
    for (bytes, start_line) in [
        (
            &include_bytes!("../../../../fuzz/seeds/pclntab/go118")[..],
            None,
        ),
        (
            &include_bytes!("../../../../fuzz/seeds/pclntab/go127")[..],
            Some(9),
        ),
    ] {
        let (version, table, funcdata) = seed(bytes);
        let layout = PclntabLayout::parse(table, &version, Some(TEXT)).unwrap();
        let view = Pclntab::new(table, funcdata, &layout);
        let names: Vec<_> = view
            .functions()
            .map(|function| function.name().unwrap())
            .collect();
        assert_eq!(names, ["runtime.gopark", "main.main"]);
        let main = view.function_named("main.main").unwrap();
        assert_eq!(
            (main.entry(), main.end()),
            (LinkAddress(0x40_1040), LinkAddress(0x40_1080))
        );
        assert_eq!(main.start_line(), start_line);
        assert_eq!(
            main.file_line(LinkAddress(0x40_104f)),
            (Some("main.go"), Some(10))
        );
        let calls = main.inlined_calls(LinkAddress(0x40_1050));
        let calls: Vec<_> = calls
            .iter()
            .map(|call| (call.function.unwrap(), call.line.unwrap()))
            .collect();
        assert_eq!(calls, [("main.inlined", 12), ("main.main", 10)]);
        assert!(
            view.function_named("main.inlined").is_none(),
            "it exists only inlined"
        );
    }
}

/// A table with functions at the given distances from each other, all with the name at 0.
fn table_of(sizes: &[u32]) -> Vec<u8> {
    let count = u32::try_from(sizes.len()).unwrap();
    let mut table = vec![0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8];
    for word in [u64::from(count), 0, 0, 72, 80, 80, 80, 80] {
        table.extend_from_slice(&word.to_le_bytes());
    }
    table.extend_from_slice(b"f\0\0\0\0\0\0\0");
    let mut entry = 0_u32;
    for size in sizes {
        table.extend_from_slice(&entry.to_le_bytes());
        table.extend_from_slice(&(count * 8 + 4).to_le_bytes());
        entry += size;
    }
    table.extend_from_slice(&entry.to_le_bytes());
    table.extend_from_slice(&[0; 44]);
    table
}

proptest! {
    #[test]
    fn binary_search_agrees_with_a_linear_one(
        sizes in prop::collection::vec(0_u32..100, 0..60),
        pc in 0_u64..7000,
    ) {
        let table = table_of(&sizes);
        let version = GoVersion::parse("go1.25").unwrap();
        let layout = PclntabLayout::parse(&table, &version, Some(TEXT)).unwrap();
        let view = Pclntab::new(&table, &[], &layout);
        let pc = LinkAddress(TEXT.0 - 100 + pc);
        let slow = view.functions().find(|function| function.entry() <= pc && pc < function.end());
        prop_assert_eq!(view.function_at(pc).map(|f| f.index()), slow.map(|f| f.index()));
    }

    #[test]
    fn damaged_tables_neither_panic_nor_loop(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        keep in any::<prop::sample::Index>(),
    ) {
        let (version, table, _) = seed(include_bytes!("../../../../fuzz/seeds/pclntab/go127"));
        let mut table = table.to_vec();
        for (place, byte) in changes {
            let place = place.index(table.len());
            table[place] = byte;
        }
        table.truncate(1 + keep.index(table.len()));
        if let Ok(layout) = PclntabLayout::parse(&table, &version, Some(TEXT)) {
            let view = Pclntab::new(&table, &table, &layout);
            for function in view.functions().take(16) {
                let _ = function.name();
                let _ = function.inlined_calls(function.entry());
            }
            let _ = view.functions_named(["main.main"]);
        }
    }
}
