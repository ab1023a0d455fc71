//! What goroutines of a fake runtime wait on.

mod lists;

use proptest::prelude::*;

use super::*;
use crate::{
    binary::Architecture,
    memory::BytesMemory,
    runtime::{
        AllGoroutines, Census, Scope,
        fake::{REASONS, Runtime, WAITING, program::pc, reasons, unwinder},
        layout::{GoroutineLayout, Layouts},
    },
};

/// What the goroutine at `g` waits on, of a census of all.
fn waits_of(runtime: &Runtime, g: u64) -> Vec<Wait> {
    let (census, found) = runtime.census(None);
    assert!(census.defects.is_empty(), "{census:?}");
    let found = found.into_values().find(|found| found.address.0 == g);
    found.expect("in the census").waits
}

fn channel(address: u64, length: u64, capacity: u64) -> Wait {
    Wait::Channel {
        address: RuntimeAddress(address),
        length,
        capacity,
        element_size: 0,
    }
}

#[test]
fn a_channel_with_what_is_in_it() {
    for (minor, reason) in [
        (18, "chan receive"),
        (22, "chan send"),
        (26, "chan send"),
        (25, "chan receive (durable)"),
    ] {
        let runtime = Runtime::new(minor);
        let g = runtime.parked(reason);
        let hchan = runtime.channel(3, 5);
        runtime.waits_on(g, &[runtime.sudog(g, hchan)]);
        assert_eq!(waits_of(&runtime, g), [channel(hchan, 3, 5)], "1.{minor}");
    }
}

#[test]
fn what_is_no_channel_is_not_told() {
    let runtime = Runtime::new(25);
    // More in it than it has room for; not mapped; none at all.
    let unmapped = runtime.channel(0, 0);
    runtime.unmap(unmapped);
    for hchan in [runtime.channel(2, 1), unmapped, 0] {
        let g = runtime.parked("chan receive");
        runtime.waits_on(g, &[runtime.sudog(g, hchan)]);
        assert_eq!(waits_of(&runtime, g), [], "{hchan:#x}");
    }
    let nowhere = runtime.parked("chan receive");
    runtime.set(nowhere, runtime.g.waiting, 0x5000);
    assert_eq!(waits_of(&runtime, nowhere), []);
}

#[test]
fn a_select_waits_on_all_its_channels_and_their_timers() {
    let runtime = Runtime::new(25);
    let g = runtime.parked("select");
    let channels = [
        runtime.channel(0, 0),
        runtime.channel(4, 4),
        runtime.channel(0, 1),
    ];
    let timer = runtime.object("runtime.timer");
    runtime.field(timer, "runtime.timer", "when", 12_345);
    runtime.field(channels[2], "runtime.hchan", "timer", timer);
    runtime.waits_on(g, &channels.map(|hchan| runtime.sudog(g, hchan)));
    let expected = [
        channel(channels[0], 0, 0),
        channel(channels[1], 4, 4),
        channel(channels[2], 0, 1),
        Wait::Timer { at_ns: 12_345 },
    ];
    assert_eq!(waits_of(&runtime, g), expected);
}

#[test]
fn nil_channels_only() {
    let runtime = Runtime::new(25);
    for reason in ["select", "chan receive (nil chan)"] {
        let g = runtime.parked(reason);
        assert_eq!(waits_of(&runtime, g), [Wait::NilChannel], "{reason}");
    }
    // It waits for something, but not here.
    let receiver = runtime.parked("chan receive");
    assert_eq!(waits_of(&runtime, receiver), []);
}

#[test]
fn sudogs_that_lead_back_end() {
    for (length, back_to) in [(1, 0), (2, 0), (2, 1), (3, 0)] {
        let runtime = Runtime::new(25);
        let g = runtime.parked("select");
        let hchan = runtime.channel(0, 1);
        let sudogs: Vec<u64> = (0..length).map(|_| runtime.sudog(g, hchan)).collect();
        runtime.waits_on(g, &sudogs);
        runtime.field(
            sudogs[length - 1],
            "runtime.sudog",
            "waitlink",
            sudogs[back_to],
        );
        let expected = vec![channel(hchan, 0, 1); length];
        assert_eq!(waits_of(&runtime, g), expected, "{length}, {back_to}");
    }
    // A ring that does not lead to the first.
    let runtime = Runtime::new(25);
    let g = runtime.parked("select");
    let hchan = runtime.channel(0, 1);
    let sudogs = [0; 3].map(|_| runtime.sudog(g, hchan));
    runtime.waits_on(g, &sudogs);
    runtime.field(sudogs[2], "runtime.sudog", "waitlink", sudogs[1]);
    assert!((3..=1024).contains(&waits_of(&runtime, g).len()));
}

#[test]
fn a_sudog_of_another_leads_nowhere() {
    let runtime = Runtime::new(25);
    let (g, other) = (runtime.parked("select"), runtime.parked("select"));
    let (own, foreign) = (runtime.channel(0, 0), runtime.channel(0, 0));
    let sudogs = [runtime.sudog(g, own), runtime.sudog(other, foreign)];
    runtime.waits_on(g, &sudogs);
    assert_eq!(waits_of(&runtime, g), [channel(own, 0, 0)]);
    runtime.waits_on(g, &sudogs[1..]);
    assert_eq!(waits_of(&runtime, g), []);
}

#[test]
fn one_that_wakes_meanwhile_waits_on_nothing() {
    let runtime = Runtime::new(25);
    let g = runtime.parked("chan receive");
    let hchan = runtime.channel(0, 0);
    let sudog = runtime.sudog(g, hchan);
    runtime.waits_on(g, &[sudog]);
    let runtime = runtime.on_read(move |runtime, address, _| {
        // Whoever sends takes it off the list and makes it ready.
        if address == sudog {
            runtime.set(g, runtime.g.waiting, 0);
            runtime.status(g, 1);
        }
    });
    assert_eq!(waits_of(&runtime, g), []);
}

#[test]
fn sleepers_wake_at_their_timers_time() {
    // From 1.23 on the time is in the `g`.
    let runtime = Runtime::new(25);
    let g = runtime.parked("sleep");
    runtime.field(g, "runtime.g", "sleepWhen", 777);
    assert_eq!(waits_of(&runtime, g), [Wait::Timer { at_ns: 777 }]);
    let runtime = Runtime::new(22);
    let (g, nowhere) = (runtime.parked("sleep"), runtime.parked("sleep"));
    let timer = runtime.object("runtime.timer");
    runtime.field(timer, "runtime.timer", "when", 888);
    runtime.field(g, "runtime.g", "timer", timer);
    runtime.field(nowhere, "runtime.g", "timer", u64::MAX);
    assert_eq!(waits_of(&runtime, g), [Wait::Timer { at_ns: 888 }]);
    assert_eq!(waits_of(&runtime, nowhere), []);
    // A timer that is not set.
    runtime.field(timer, "runtime.timer", "when", 0);
    assert_eq!(waits_of(&runtime, g), []);
}

#[test]
fn a_descriptor_counts_when_it_points_back() {
    for side in ["rg", "wg"] {
        let runtime = Runtime::new(25);
        let (g, other) = (runtime.parked("IO wait"), runtime.parked("IO wait"));
        let descriptor = |fd, waiting| {
            let descriptor = runtime.object("runtime.pollDesc");
            runtime.field(descriptor, "runtime.pollDesc", "fd", fd);
            runtime.field(descriptor, "runtime.pollDesc", side, waiting);
            runtime.field(descriptor, "runtime.pollDesc", "self", descriptor);
            descriptor
        };
        // Of another, of nobody, ready (1), and with a number no descriptor has.
        let [foreign, nobody, ready, absurd] = [
            descriptor(5, other),
            descriptor(6, 0),
            descriptor(7, 1),
            descriptor(1 << 40, g),
        ];
        let own = descriptor(8, g);
        // A field behind its beginning: there `wg` looks like `rg`.
        let inside = own + 8;
        let sp = runtime.stack(g, &[0; 9]);
        let words = [foreign, 3, sp, nobody, ready, absurd, inside, own, own];
        for (n, word) in (0..).zip(words) {
            runtime.set(sp, 8 * n, word);
        }
        runtime.stack(other, &[own, 0x5000]);
        assert_eq!(
            waits_of(&runtime, g),
            [Wait::Descriptor {
                fd: 8,
                has_deadline: Some(false)
            }]
        );
        assert_eq!(waits_of(&runtime, other), []);
        // Also for those behind the first, by the block in which descriptors were found.
        let third = runtime.parked("IO wait");
        runtime.stack(third, &[0, descriptor(9, third)]);
        assert_eq!(
            waits_of(&runtime, third),
            [Wait::Descriptor {
                fd: 9,
                has_deadline: Some(false)
            }]
        );
    }
}

#[test]
fn reasons_that_lead_nowhere_have_no_waits() {
    let runtime = Runtime::new(25);
    let idle = runtime.parked("GC worker (idle)");
    runtime.waits_on(idle, &[runtime.sudog(idle, runtime.channel(0, 0))]);
    assert_eq!(waits_of(&runtime, idle), []);
    // A number that the table does not have.
    let g = runtime.goroutine(WAITING);
    runtime.put(g + u64::from(runtime.g.waitreason), &[200]);
    assert_eq!(waits_of(&runtime, g), []);
}

#[test]
fn who_waits_for_another_goroutine() {
    let blocking: Vec<&str> = REASONS
        .into_iter()
        .zip(reasons().purposes())
        .filter_map(|(reason, purpose)| (purpose == Purpose::Others).then_some(reason))
        .collect();
    let others = ["", "sleep", "IO wait", "GC worker (idle)", "coroutine"];
    let expected = REASONS.iter().filter(|reason| !others.contains(reason));
    assert_eq!(blocking, expected.copied().collect::<Vec<_>>());
}

const BASE: u64 = 0x1_0000;

proptest! {
    /// Words that mostly point into the same memory, so that lists lead anywhere and back.
    #[test]
    fn whatever_is_there_it_ends_and_is_bounded(
        words in prop::collection::vec(
            prop_oneof![8 => (0_u64..512).prop_map(|n| BASE + 8 * n), 2 => 0_u64..16, 1 => any::<u64>()],
            512,
        ),
        minor in prop_oneof![Just(18_u32), Just(22), Just(25), Just(26), Just(27)],
        reasons_of in prop::collection::vec(0..REASONS.len(), 6),
    ) {
        let layouts = Layouts::for_binary(&[], minor, Architecture::X86_64).expect("a release");
        let layout = GoroutineLayout::new(&layouts).expect("a layout");
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut list = Vec::new();
        for (n, reason) in reasons_of.into_iter().enumerate() {
            let g = n * 512;
            list.push(BASE + g as u64);
            let mut put = |offset: u32, to: &[u8]| {
                let at = g + offset as usize;
                bytes[at..at + to.len()].copy_from_slice(to);
            };
            put(layout.atomicstatus, &WAITING.to_le_bytes());
            put(layout.waitreason, &[u8::try_from(reason).expect("few")]);
            put(layout.m, &[0; 8]);
            put(layout.stack_lo, &BASE.to_le_bytes());
            put(layout.stack_hi, &(BASE + 4096).to_le_bytes());
            put(layout.sched_pc, &pc("main.leaf").to_le_bytes());
        }
        // Behind it the table of semaphores, which leads into it, and the list.
        let table = BASE + bytes.len() as u64;
        bytes.extend(words.iter().cycle().take(251 * 8).flat_map(|word| word.to_le_bytes()));
        let slice = BASE + bytes.len() as u64;
        let length = list.len() as u64;
        bytes.extend([slice + 24, length, length].iter().chain(&list).flat_map(|word| word.to_le_bytes()));
        let memory = BytesMemory { base: BASE, bytes };
        let wait_layout = WaitLayout::new(&layouts).expect("a layout");
        let table = wait_layout.treap.map(|treap| {
            SemaphoreTable::at(RuntimeAddress(table), Architecture::X86_64, treap)
        });
        let mut waits = Waits::new(&memory, wait_layout, &reasons(), table.as_ref()).expect("a table");
        let mut unwinder = unwinder();
        let scope = Scope { stacks: Some(&mut unwinder), waits: Some(&mut waits) };
        let mut visited = 0;
        let all = AllGoroutines::at(RuntimeAddress(slice));
        let census = Census::take(&memory, &layout, all, scope, |goroutine| {
            visited += 1;
            // Two for each case of a select.
            assert!(goroutine.waits.len() <= 2 * 1024);
        });
        // Those without a number are alive, and there is nothing to tell of them.
        let census = census.expect("a list");
        prop_assert_eq!(census.alive, visited + census.unseen());
    }
}
