//! Readings from bytes, in every release.

use super::*;
use crate::{
    memory::MemoryError,
    runtime::{fake::Runtime, layout::LayoutError},
};

const CONTROLLER: &str = "runtime.gcControllerState";
const DELTA: &str = "runtime.heapStatsDelta";
const MIB: u64 = 1 << 20;

/// A runtime with all the variables that are read, and where they are.
struct Fake {
    runtime: Runtime,
    minor: u16,
    memstats: u64,
    controller: u64,
    sched: u64,
    /// The headers of `allp` and `allgs`.
    processors: u64,
    all: u64,
}

impl Fake {
    fn new(minor: u16) -> Self {
        let runtime = Runtime::new(minor.into());
        for number in 0..12 {
            runtime.goroutine(if number < 9 { 4 } else { 6 });
        }
        let all = runtime.all.borrow().clone();
        let all = runtime.words(&[runtime.words(&all), 12, 12]);
        let processors = [0, 1].map(|id| {
            let p = runtime.object("runtime.p");
            runtime.field(p, "runtime.p", "id", id);
            p
        });
        let processors = runtime.words(&[runtime.words(&processors), 2, 2]);
        let fake = Self {
            memstats: runtime.object("runtime.mstats"),
            controller: runtime.object(CONTROLLER),
            sched: runtime.object("runtime.schedt"),
            processors,
            all,
            minor,
            runtime,
        };
        fake.collector(100, 4 * MIB, u64::MAX >> 1);
        fake
    }

    fn reader(&self) -> RuntimeReader {
        let [sched, processors] = [self.sched, self.processors].map(RuntimeAddress);
        let layouts = &self.runtime.layouts;
        let known = Known {
            all: AllGoroutines::at(RuntimeAddress(self.all)),
            scheduler: Some(Scheduler::at(sched, processors, layouts).expect("a layout")),
            heap: Some(HeapSize::at(RuntimeAddress(self.controller), layouts).expect("a layout")),
        };
        RuntimeReader::at(RuntimeAddress(self.memstats), layouts, self.minor, known)
    }

    fn read(&self) -> Readings {
        self.reader().read(&self.runtime)
    }

    /// Where a slot of the ring is.
    fn slot(&self, slot: u64) -> u64 {
        let layouts = &self.runtime.layouts;
        let heap = layouts.offset("runtime.mstats", "heapStats").expect("one");
        let size = layouts.size(DELTA).expect("one");
        self.memstats + u64::from(heap) + slot * u64::from(size)
    }

    fn delta(&self, slot: u64, field: &str, value: u64) {
        let slot = self.slot(slot);
        self.runtime.field(slot, DELTA, field, value);
    }

    /// So many small objects of a size class.
    fn small(&self, slot: u64, class: u32, count: u64) {
        let offset = self.runtime.layouts.offset(DELTA, "smallAllocCount");
        let offset = offset.expect("one") + 8 * class;
        self.runtime.set(self.slot(slot), offset, count);
    }

    fn generation(&self, generation: u32) {
        let offset = self
            .runtime
            .layouts
            .offset("runtime.consistentHeapStats", "gen");
        let at = self.slot(0) + u64::from(offset.expect("one"));
        self.runtime.put(at, &generation.to_le_bytes());
    }

    fn system(&self, field: &str, value: u64) {
        let memstats = self.memstats;
        self.runtime.field(memstats, "runtime.mstats", field, value);
    }

    /// A four-byte field.
    fn small_field(&self, at: u64, offset: u32, value: i32) {
        self.runtime
            .put(at + u64::from(offset), &value.to_le_bytes());
    }

    fn collector(&self, percent: i32, goal: u64, limit: u64) {
        let layouts = &self.runtime.layouts;
        let set = |field, value| {
            self.runtime
                .field(self.controller, CONTROLLER, field, value)
        };
        let offset = layouts.offset(CONTROLLER, "gcPercent").expect("one");
        self.small_field(self.controller, offset, percent);
        if self.minor < 19 {
            set("heapGoal", goal);
            return;
        }
        set("memoryLimit", limit);
        set("gcPercentHeapGoal", goal);
        set("triggered", u64::MAX);
        set("totalAlloc", 5 * MIB);
        set("totalFree", 3 * MIB);
        set("heapFree", MIB);
        set("mappedReady", 8 * MIB);
    }
}

#[test]
fn memory_is_the_sum_of_all_slots() {
    for minor in 18..=27 {
        let fake = Fake::new(minor);
        fake.generation(1);
        fake.delta(0, "committed", 10 * MIB);
        // Deltas may be negative.
        fake.delta(1, "committed", MIB.wrapping_neg());
        fake.delta(0, "inStacks", MIB);
        fake.delta(1, "inStacks", MIB);
        fake.delta(0, "released", 50 * MIB);
        fake.delta(0, "largeAlloc", 100_000);
        fake.delta(1, "largeAllocCount", 2);
        fake.small(0, 1, 10);
        fake.small(1, 67, 3);
        for (number, field) in (1..).zip([
            "stacks_sys",
            "mspan_sys",
            "mcache_sys",
            "buckhash_sys",
            "gcMiscSys",
            "other_sys",
        ]) {
            fake.system(field, number * 1000);
        }
        let read = fake.read().memory.expect("it is all there");
        let expected = MemoryUse {
            stack_bytes: 2 * MIB,
            other_bytes: 9 * MIB + 21_000 - 2 * MIB,
            allocated_bytes: 100_000 + 10 * 8 + 3 * 32_768,
            allocated_objects: 2 + 10 + 3,
        };
        assert_eq!(read, expected, "1.{minor}");
    }
}

#[test]
fn statistics_that_are_being_added_up_are_read_again() {
    let mut fake = Fake::new(25);
    fake.generation(2);
    fake.delta(1, "largeAlloc", 1000);
    fake.delta(1, "inStacks", MIB);
    fake.delta(2, "largeAlloc", 1001);
    // The program has added both up, and not yet cleared the first of them.
    fake.delta(0, "largeAlloc", 1);
    let first = fake.slot(0);
    assert!(matches!(fake.read().memory, Err(Missing::Changing(_))));
    // It does that between two of our reads.
    let offset = fake
        .runtime
        .layouts
        .offset(DELTA, "largeAlloc")
        .expect("one");
    fake.runtime = fake.runtime.on_read(move |runtime, address, times| {
        if (address, times) == (first, 2) {
            runtime.set(first, offset, 0);
        }
    });
    let read = fake.read().memory.expect("it was read again");
    assert_eq!(read.allocated_bytes, 2001);
}

#[test]
fn a_ring_that_has_turned_between_two_copies_is_read_again() {
    let mut fake = Fake::new(27);
    fake.delta(2, "largeAlloc", 7);
    let first = fake.slot(0);
    let generation = fake
        .runtime
        .layouts
        .offset("runtime.consistentHeapStats", "gen");
    let generation = first + u64::from(generation.expect("one"));
    fake.runtime = fake.runtime.on_read(move |runtime, address, times| {
        if address == first && times < 3 {
            runtime.put(
                generation,
                &u32::try_from(times).expect("few").to_le_bytes(),
            );
        }
    });
    assert_eq!(fake.read().memory.expect("at last").allocated_bytes, 7);
}

#[test]
fn goroutines_are_counted_as_each_release_counts_them() {
    for minor in 18..=27 {
        let fake = Fake::new(minor);
        let layouts = &fake.runtime.layouts;
        let offset = |name: &str, field| layouts.offset(name, field).expect("one");
        fake.small_field(fake.sched, offset("runtime.schedt", "ngsys"), 4);
        // The lock, two lists, and before Go 1.25 the number of both; later each has its own.
        let free = offset("runtime.schedt", "gFree");
        let of_processor = offset("runtime.p", "gFree") + 8;
        if minor < 25 {
            fake.small_field(fake.sched, free + 24, 2);
        } else {
            fake.small_field(fake.sched, free + 16, 1);
            fake.small_field(fake.sched, free + 32, 1);
        }
        let elements =
            crate::memory::MemoryReader::read_u64(&fake.runtime, RuntimeAddress(fake.processors));
        let second = RuntimeAddress(elements.expect("a list") + 8);
        let second = crate::memory::MemoryReader::read_u64(&fake.runtime, second);
        fake.small_field(second.expect("a processor"), of_processor, 1);
        let read = fake.read();
        let expected = if minor < 26 { 12 - 3 - 4 } else { 12 - 3 };
        assert_eq!(read.goroutines.expect("counted"), expected, "1.{minor}");
        assert_eq!(read.processors.expect("counted"), 2, "1.{minor}");
    }
}

#[test]
fn goals_and_limits() {
    for minor in 18..=27 {
        let fake = Fake::new(minor);
        let read = || fake.read().collector.expect("it is all there");
        fake.collector(200, 12 * MIB, u64::MAX >> 1);
        let usual = Collector {
            percent: Some(200),
            memory_limit_bytes: None,
            goal_bytes: Some(12 * MIB),
        };
        assert_eq!(read(), usual, "1.{minor}");
        fake.collector(-1, u64::MAX, u64::MAX >> 1);
        let off = Collector {
            percent: None,
            memory_limit_bytes: None,
            goal_bytes: None,
        };
        assert_eq!(read(), off, "1.{minor}");
        if minor < 19 {
            continue;
        }
        // Of 8 MiB that are mapped 5 are not the heap's, and some room is left.
        fake.collector(-1, u64::MAX, 100 * MIB);
        let left = 95 * MIB;
        let room = if minor < 21 { MIB } else { left / 100 * 3 };
        let limited = Collector {
            percent: None,
            memory_limit_bytes: Some(100 * MIB),
            goal_bytes: Some(left - room),
        };
        assert_eq!(read(), limited, "1.{minor}");
    }
}

#[test]
fn a_goal_moves_with_what_the_collector_does() {
    let fake = Fake::new(24);
    let set = |field, value| {
        fake.runtime
            .field(fake.controller, CONTROLLER, field, value);
    };
    let goal = || fake.read().collector.expect("it is all there").goal_bytes;
    set("sweepDistMinTrigger", 6 * MIB);
    assert_eq!(goal(), Some(6 * MIB));
    set("triggered", 7 * MIB);
    assert_eq!(goal(), Some(7 * MIB + (64 << 10)));
    // A limit that is used up leaves what is alive.
    set("memoryLimit", 2 * MIB);
    set("heapMarked", 3 * MIB);
    assert_eq!(goal(), Some(3 * MIB));
    // More freed than allocated: read while it changes.
    set("totalFree", 9 * MIB);
    let read = fake.read().collector;
    assert!(matches!(read, Err(Missing::Changing(_))));
}

#[test]
fn each_part_fails_on_its_own() {
    let fake = Fake::new(26);
    let layouts = &fake.runtime.layouts;
    let all = AllGoroutines::at(RuntimeAddress(fake.all));
    let nothing = Known {
        all,
        scheduler: None,
        heap: None,
    };
    let reader = RuntimeReader::at(RuntimeAddress(fake.memstats), layouts, 26, nothing);
    let read = reader.read(&fake.runtime);
    assert!(read.memory.is_ok());
    for error in [
        read.collector.expect_err("not known").to_string(),
        read.processors.expect_err("not known").to_string(),
        read.goroutines.expect_err("not known").to_string(),
        read.latencies.expect_err("not known").to_string(),
    ] {
        assert!(error.ends_with("was not found in the process"), "{error}");
    }
    fake.runtime.unmap(fake.controller);
    fake.runtime.set(fake.processors, 16, u64::MAX);
    let read = fake.read();
    assert!(read.memory.is_ok() && read.latencies.is_ok());
    assert!(matches!(read.collector, Err(Missing::Memory(error))
        if matches!(*error, MemoryError::Unmapped { .. })));
    assert!(matches!(read.processors, Err(Missing::Memory(error))
        if matches!(*error, MemoryError::Implausible { .. })));
}

#[test]
fn sizes_that_cannot_be() {
    let fake = Fake::new(20);
    fake.delta(0, "committed", u64::MAX);
    assert!(matches!(fake.read().memory, Err(Missing::Memory(_))));
    fake.delta(0, "committed", 0);
    fake.generation(77);
    assert!(matches!(fake.read().memory, Err(Missing::Memory(_))));
    fake.generation(0);
    fake.system("other_sys", 1 << 60);
    assert!(matches!(fake.read().memory, Err(Missing::Memory(_))));
}

#[test]
fn a_reason_says_what_is_missing() {
    let error = LayoutError::MissingStruct {
        name: "runtime.mstats".into(),
    };
    let reader = RuntimeReader::nothing(&error.into());
    let read = reader.read(&Runtime::new(27));
    let said = read.memory.expect_err("nothing is known").to_string();
    assert_eq!(said, "this Go runtime has no struct runtime.mstats");
}
