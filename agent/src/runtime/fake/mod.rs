//! A Go runtime made of bytes: structs where its layouts say, in memory that can change between two
//! reads.

pub(super) mod program;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    AllGoroutines, Census, Goroutine, Scope, SemaphoreTable, Unwinder, WaitLayout, WaitReasons,
    Waits,
    layout::{GoroutineLayout, Layouts},
};
use crate::{
    binary::{Architecture, GoBinary, LoadBias, RuntimeAddress},
    memory::{MemoryError, MemoryReader},
};

/// The reasons of the fake, by their place; the table of a real one is longer.
pub(super) const REASONS: [&str; 13] = [
    "",
    "chan receive",
    "chan send",
    "select",
    "chan receive (nil chan)",
    "semacquire",
    "sync.Mutex.Lock",
    "sync.Cond.Wait",
    "sleep",
    "IO wait",
    "GC worker (idle)",
    "chan receive (durable)",
    "coroutine",
];

pub(super) const RUNNABLE: u32 = 1;
pub(super) const RUNNING: u32 = 2;
pub(super) const SYSCALL: u32 = 3;
pub(super) const WAITING: u32 = 4;
pub(super) const DEAD: u32 = 6;
pub(super) const PREEMPTED: u32 = 9;

/// Called behind each read, with its address and how often it has been read from there.
type Hook = Box<dyn Fn(&Runtime, u64, usize)>;

/// The memory of a program. Whatever is allocated stands alone: what is read across its end is not
/// mapped.
pub(super) struct Runtime {
    pub(super) layouts: Layouts,
    pub(super) g: GoroutineLayout,
    pub(super) all: RefCell<Vec<u64>>,
    regions: RefCell<BTreeMap<u64, Vec<u8>>>,
    next: Cell<u64>,
    reads: RefCell<HashMap<u64, usize>>,
    hook: Option<Hook>,
}

impl Runtime {
    /// Of Go 1.`minor`.
    pub(super) fn new(minor: u32) -> Self {
        let layouts = Layouts::for_binary(&[], minor, Architecture::X86_64).expect("a release");
        Self {
            g: GoroutineLayout::new(&layouts).expect("a layout"),
            layouts,
            all: RefCell::default(),
            regions: RefCell::default(),
            next: Cell::new(0xc0_0000_0000),
            reads: RefCell::default(),
            hook: None,
        }
    }

    /// Behind each read from now on: `change` gets the address and how often it was read from there.
    pub(super) fn on_read(mut self, change: impl Fn(&Self, u64, usize) + 'static) -> Self {
        self.hook = Some(Box::new(change));
        self.reads.borrow_mut().clear();
        self
    }

    /// After the first read of the `g`, `size` bytes of it at `offset` are those of `to`.
    pub(super) fn torn(self, g: u64, offset: u32, to: u64, size: usize) -> Self {
        self.on_read(move |runtime, address, times| {
            if (address, times) == (g, 1) {
                runtime.put(g + u64::from(offset), &to.to_le_bytes()[..size]);
            }
        })
    }

    pub(super) fn allocate(&self, size: usize) -> u64 {
        let address = self.next.get();
        let size = size.next_multiple_of(8);
        self.next.set(address + size as u64 + 64);
        self.regions.borrow_mut().insert(address, vec![0; size]);
        address
    }

    /// Zeroes at this address, away from all else.
    pub(super) fn map(&self, address: u64, size: usize) {
        self.regions.borrow_mut().insert(address, vec![0; size]);
    }

    /// Nothing is mapped there any more.
    pub(super) fn unmap(&self, address: u64) {
        self.regions.borrow_mut().remove(&address);
    }

    pub(super) fn put(&self, address: u64, bytes: &[u8]) {
        let mut regions = self.regions.borrow_mut();
        let (start, region) = regions.range_mut(..=address).next_back().expect("mapped");
        let at = usize::try_from(address - start).expect("small");
        region[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn set(&self, address: u64, offset: u32, word: u64) {
        self.put(address + u64::from(offset), &word.to_le_bytes());
    }

    /// Sets a field of a struct.
    pub(super) fn field(&self, address: u64, name: &str, field: &str, word: u64) {
        let offset = self.layouts.offset(name, field).expect("a field");
        self.set(address, offset, word);
    }

    /// A struct.
    pub(super) fn object(&self, name: &str) -> u64 {
        self.allocate(self.layouts.size(name).expect("a struct") as usize)
    }

    pub(super) fn words(&self, words: &[u64]) -> u64 {
        let address = self.allocate(words.len() * 8);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.put(address, &bytes);
        address
    }

    /// A `g` in the list of all, with a stack of nothing.
    pub(super) fn goroutine(&self, status: u32) -> u64 {
        let g = self.allocate(self.g.size as usize);
        self.all.borrow_mut().push(g);
        self.set(g, self.g.goid, self.all.borrow().len() as u64);
        self.set(g, self.g.gopc, program::pc("main.main"));
        self.set(g, self.g.startpc, program::pc("main.work"));
        self.status(g, status);
        self.stack(g, &[0; 8]);
        g
    }

    pub(super) fn status(&self, g: u64, status: u32) {
        self.put(g + u64::from(self.g.atomicstatus), &status.to_le_bytes());
    }

    /// Gives it a stack that ends behind `words`, with the stack pointer at the first. The registers
    /// are those of one that parked, and the frame pointer is the stack pointer.
    pub(super) fn stack(&self, g: u64, words: &[u64]) -> u64 {
        let sp = self.words(words);
        self.set(g, self.g.stack_lo, sp - 64);
        self.set(g, self.g.stack_hi, sp + 8 * words.len() as u64);
        self.set(g, self.g.sched_sp, sp);
        self.set(g, self.g.sched_bp, sp);
        self.set(g, self.g.sched_pc, program::pc("runtime.gopark"));
        sp
    }

    /// A chain of frame pointers with these return addresses.
    pub(super) fn frames(&self, g: u64, returns: &[u64]) {
        let sp = self.stack(g, &vec![0; returns.len() * 2]);
        for (n, pc) in (1_u32..).zip(returns) {
            let last = n as usize == returns.len();
            let frame = (n - 1) * 16;
            let next = if last { 0 } else { sp + u64::from(n) * 16 };
            self.set(sp, frame, next);
            self.set(sp, frame + 8, *pc);
        }
    }

    /// One that waits for this reason.
    pub(super) fn parked(&self, reason: &str) -> u64 {
        let g = self.goroutine(WAITING);
        let number = REASONS.iter().position(|known| *known == reason);
        let number = u8::try_from(number.expect("a reason")).expect("few");
        self.put(g + u64::from(self.g.waitreason), &[number]);
        g
    }

    /// A sudog of `g` for a channel.
    pub(super) fn sudog(&self, g: u64, channel: u64) -> u64 {
        let sudog = self.object("runtime.sudog");
        self.field(sudog, "runtime.sudog", "g", g);
        self.field(sudog, "runtime.sudog", "c", channel);
        sudog
    }

    /// A channel with `length` elements in it.
    pub(super) fn channel(&self, length: u64, capacity: u64) -> u64 {
        let channel = self.object("runtime.hchan");
        self.field(channel, "runtime.hchan", "qcount", length);
        self.field(channel, "runtime.hchan", "dataqsiz", capacity);
        channel
    }

    /// Makes a list of sudogs and lets `g.waiting` lead to it.
    pub(super) fn waits_on(&self, g: u64, sudogs: &[u64]) {
        self.set(g, self.g.waiting, sudogs[0]);
        for pair in sudogs.windows(2) {
            self.field(pair[0], "runtime.sudog", "waitlink", pair[1]);
        }
    }

    /// Where the list of all is.
    pub(super) fn list(&self) -> AllGoroutines {
        let all = self.all.borrow();
        let length = all.len() as u64;
        AllGoroutines::at(RuntimeAddress(self.words(&[
            self.words(&all),
            length,
            length,
        ])))
    }

    /// A census with all that can be read.
    pub(super) fn census(
        &self,
        table: Option<&SemaphoreTable>,
    ) -> (Census, BTreeMap<u64, Goroutine>) {
        let all = self.list();
        let mut unwinder = unwinder();
        let layout = WaitLayout::new(&self.layouts).expect("a layout");
        let mut waits = Waits::new(self, layout, &reasons(), table).expect("a table");
        let scope = Scope {
            stacks: Some(&mut unwinder),
            waits: Some(&mut waits),
        };
        let mut found = BTreeMap::new();
        let census = Census::take(self, &self.g, all, scope, |goroutine| {
            let twice = found.insert(goroutine.goid, goroutine);
            assert_eq!(twice, None, "told twice");
        });
        (census.expect("a list"), found)
    }
}

impl MemoryReader for Runtime {
    fn read(&self, address: RuntimeAddress, into: &mut [u8]) -> Result<(), MemoryError> {
        let RuntimeAddress(at) = address;
        let found = {
            let regions = self.regions.borrow();
            let region = regions.range(..=at).next_back();
            let bytes = region.and_then(|(start, bytes)| {
                let offset = usize::try_from(at - start).ok()?;
                bytes.get(offset..)?.get(..into.len())
            });
            bytes.map(|bytes| into.copy_from_slice(bytes))
        };
        let times = {
            let mut reads = self.reads.borrow_mut();
            let times = reads.entry(at).or_default();
            *times += 1;
            *times
        };
        if let Some(hook) = &self.hook {
            hook(self, at, times);
        }
        found.ok_or(MemoryError::Unmapped {
            address,
            length: into.len(),
        })
    }
}

/// Of the fake program.
pub(super) fn unwinder() -> Unwinder {
    let binary = GoBinary::from_bytes(&program::elf()).expect("a program");
    Unwinder::new(Arc::new(binary), LoadBias(0))
}

pub(super) fn reasons() -> WaitReasons {
    REASONS.into_iter().map(str::to_owned).collect()
}
