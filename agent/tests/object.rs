//! The built eBPF objects keep to their stack budget.
//!
//! From Linux 6.13 on, uprobe programs with 64 bytes of stack or more get a private stack for each
//! CPU, which preempted programs overwrite for each other. Nothing fails then; counts are just
//! wrong now and then. So this reads the instructions.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use gostray::probes::{exec_object_bytes, object_bytes};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

/// Bytes that a program may use together with all that it may call.
const BUDGET: u64 = 48;

/// The kernel rounds each function's stack up to this.
const GRAIN: u64 = 16;

const PROGRAMS: [&str; 4] = ["creation", "exit", "park", "statement"];

/// The frame pointer: the top of the stack, read-only.
const FRAME_POINTER: usize = 10;

/// How far below its frame pointer a function reaches.
///
/// Follows copies of the frame pointer in the order of the instructions, without branches: the
/// compiler makes an address right where it needs it.
fn stack_use(code: &[u8]) -> u64 {
    const CLASS: u8 = 0x07;
    const LOAD: u8 = 0x01;
    const STORE_IMMEDIATE: u8 = 0x02;
    const STORE: u8 = 0x03;
    const LOAD_64_BITS: u8 = 0x18;
    const MOVE: u8 = 0xbf;
    const ADD: u8 = 0x07;
    const SUBTRACT: u8 = 0x17;
    const CALL: u8 = 0x85;

    assert_eq!(code.len() % 8, 0, "no whole instructions");
    // What each register holds, as an offset from the frame pointer, if it is one.
    let mut held: [Option<i64>; 16] = [None; 16];
    held[FRAME_POINTER] = Some(0);
    let mut lowest = 0;
    let mut instructions = code.chunks_exact(8);
    while let Some(bytes) = instructions.next() {
        let operation = bytes[0];
        let (target, source) = (usize::from(bytes[1] & 0xf), usize::from(bytes[1] >> 4));
        let offset = i64::from(i16::from_le_bytes([bytes[2], bytes[3]]));
        let number = i64::from(i32::from_le_bytes(bytes[4..8].try_into().unwrap()));
        let mut reach = |base: Option<i64>, offset| {
            let address = base.map(|base| base + offset);
            lowest = lowest.min(address.unwrap_or(0));
            address
        };
        match operation {
            MOVE => held[target] = held[source],
            ADD => held[target] = reach(held[target], number),
            SUBTRACT => held[target] = reach(held[target], -number),
            LOAD_64_BITS => {
                instructions.next();
                held[target] = None;
            }
            CALL => held[..6].fill(None),
            _ => match operation & CLASS {
                LOAD => {
                    reach(held[source], offset);
                    held[target] = None;
                }
                STORE | STORE_IMMEDIATE => {
                    reach(held[target], offset);
                }
                // Arithmetic that is no address, jumps.
                0x04 | 0x07 => held[target] = None,
                _ => {}
            },
        }
        assert_eq!(held[FRAME_POINTER], Some(0), "the frame pointer is written");
    }
    lowest.unsigned_abs()
}

/// Name, section name and stack use of each function.
fn functions(object: &object::File<'_>) -> Vec<(String, String, u64)> {
    object
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .map(|symbol| {
            let section = object
                .section_by_index(symbol.section_index().unwrap())
                .unwrap();
            let code = section
                .data_range(symbol.address(), symbol.size())
                .unwrap()
                .expect("a function lies inside its section");
            let name = symbol.name().unwrap().to_owned();
            (name, section.name().unwrap().to_owned(), stack_use(code))
        })
        .collect()
}

/// Checks `programs`, each in a section of the kind `section`.
fn check(bytes: &[u8], section: &str, programs: &[&str]) {
    let object = object::File::parse(bytes).unwrap();
    let functions = functions(&object);
    // Whatever a program could call lies in `.text`; nothing there calls deeper than all of it.
    let called: u64 = functions
        .iter()
        .filter(|(_, section, _)| section == ".text")
        .map(|(_, _, stack)| stack.next_multiple_of(GRAIN))
        .sum();
    for program in programs {
        let (_, found, stack) = functions
            .iter()
            .find(|(name, ..)| name == program)
            .unwrap_or_else(|| panic!("no program {program}"));
        assert_eq!(found, section, "{program}");
        let all = stack.next_multiple_of(GRAIN) + called;
        println!("{program}: {stack} bytes of stack, {all} rounded and with all sub-programs");
        assert!(all <= BUDGET, "{program} uses {all} bytes of stack");
    }
}

#[test]
fn programs_stay_below_the_private_stack() {
    let (Ok(probes), Ok(exec)) = (object_bytes(), exec_object_bytes()) else {
        println!("skipped: built without its eBPF objects");
        return;
    };
    check(probes, "uprobe", &PROGRAMS);
    check(exec, "raw_tp/sched_process_exec", &["exec"]);
}

/// One instruction.
fn instruction(operation: u8, target: u8, source: u8, offset: i16, number: i32) -> [u8; 8] {
    let mut bytes = [operation, source << 4 | target, 0, 0, 0, 0, 0, 0];
    bytes[2..4].copy_from_slice(&offset.to_le_bytes());
    bytes[4..].copy_from_slice(&number.to_le_bytes());
    bytes
}

#[test]
fn the_decoder_sees_every_way_to_use_the_stack() {
    let exit = instruction(0x95, 0, 0, 0, 0);
    let copy = instruction(0xbf, 2, 10, 0, 0);
    let direct = [instruction(0x7b, 10, 1, -64, 0), exit].concat();
    assert_eq!(stack_use(&direct), 64, "*(u64 *)(r10 - 64) = r1");
    let read = [instruction(0x79, 1, 10, -24, 0), exit].concat();
    assert_eq!(stack_use(&read), 24, "r1 = *(u64 *)(r10 - 24)");
    let immediate = [instruction(0x62, 10, 0, -4, 7), exit].concat();
    assert_eq!(stack_use(&immediate), 4, "*(u32 *)(r10 - 4) = 7");
    let passed = [copy, instruction(0x07, 2, 0, 0, -64), exit].concat();
    assert_eq!(stack_use(&passed), 64, "r2 = r10; r2 += -64");
    let subtracted = [copy, instruction(0x17, 2, 0, 0, 64), exit].concat();
    assert_eq!(stack_use(&subtracted), 64, "r2 = r10; r2 -= 64");
    let through = [
        copy,
        instruction(0x07, 2, 0, 0, -16),
        instruction(0x7b, 2, 1, -48, 0),
        exit,
    ];
    assert_eq!(stack_use(&through.concat()), 64, "through a copy");
    let wide = [
        // Its second half would read as a store far below the frame pointer.
        instruction(0x18, 2, 0, 0, 1),
        instruction(0x7b, 10, 1, -200, 0),
        instruction(0x07, 2, 0, 0, -64),
        exit,
    ];
    assert_eq!(stack_use(&wide.concat()), 0, "a constant is no address");
    let overwritten = [
        copy,
        instruction(0x79, 2, 1, 8, 0),
        instruction(0x7b, 2, 1, -64, 0),
        exit,
    ];
    assert_eq!(stack_use(&overwritten.concat()), 0, "no longer a copy");
}
