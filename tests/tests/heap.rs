//! The heap of a real process of each release: its objects, which of their words are pointers, and the
//! roots that the runtime's own books hold.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::{BTreeMap, BTreeSet};

use gostray::binary::{BinaryCache, RuntimeAddress};
use gostray::memory::{LiveMemory, MemoryReader};
use gostray::runtime::heap::{Heap, Piece, PointerMaps, Spans};
use gostray::session::Inspected;
use gostray_tests::cells::{self, Differences};
use gostray_tests::go::{self, Mode, Toolchain};
use gostray_tests::need_root_and_releases;
use gostray_tests::target::Target;

const LIMIT: u64 = 1 << 30;

/// What the program says of one of its objects.
#[derive(Debug)]
struct Known {
    name: String,
    start: u64,
    size: u64,
    pointers: BTreeSet<u64>,
}

struct Looked {
    target: Target,
    memory: LiveMemory,
    heap: Heap,
    maps: PointerMaps,
    known: Vec<Known>,
}

impl Looked {
    fn at(toolchain: &Toolchain, mode: Mode) -> Self {
        let mut target = Target::of("heap", toolchain, mode).unwrap();
        let pid = target.pid();
        let inspected = Inspected::new(pid.cast_signed(), &BinaryCache::new()).unwrap();
        let (program, minor) = (inspected.program, toolchain.minor());
        let (binary, bias, layouts) = (&program.binary, program.bias, &program.layouts);
        let memory = LiveMemory::new(pid.cast_signed());
        let heap = Heap::find(binary, &memory, bias, layouts, minor).unwrap();
        let maps = PointerMaps::new(&heap, &memory, binary, bias, layouts).unwrap();
        let known = target.ask("objects").unwrap();
        let known = known.split(';').map(|line| {
            let mut fields = line.splitn(4, ' ');
            let mut field = || fields.next().unwrap();
            let name = field().to_owned();
            let [start, size] = [(); 2].map(|()| field().parse().unwrap());
            let pointers = field().split(',').filter(|it| !it.is_empty());
            Known {
                name,
                start,
                size,
                pointers: pointers.map(|it| it.parse().unwrap()).collect(),
            }
        });
        Self {
            known: known.collect(),
            target,
            memory,
            heap,
            maps,
        }
    }

    fn spans(&self) -> Spans {
        self.heap.spans(&self.memory, LIMIT).unwrap()
    }

    /// The words of each object of a span that may be pointers, as offsets from the span's start.
    fn scan(&mut self, spans: &Spans, number: u32) -> BTreeMap<u32, BTreeSet<u64>> {
        let span = &spans.all()[number as usize];
        let mut bytes = vec![0; usize::try_from(span.bytes).unwrap()];
        self.memory
            .read(RuntimeAddress(span.start), &mut bytes)
            .unwrap();
        let mut found = BTreeMap::<u32, BTreeSet<u64>>::new();
        // In pieces, as large objects are read; others whole.
        let size = if span.count == 1 {
            64 << 10
        } else {
            bytes.len()
        };
        for (piece, place) in bytes.chunks(size).zip((0..).step_by(size)) {
            let offset = place as u64;
            let pieces = [Piece {
                span: number,
                offset,
                bytes: piece,
            }];
            self.maps
                .prepare(&self.heap, &self.memory, spans, &pieces)
                .unwrap();
            let map = self.maps.of(span);
            for index in (0..span.count).filter(|index| !spans.is_free(span, *index)) {
                let words = found.entry(index).or_default();
                map.scan(index, offset, piece, &mut |address, _| {
                    words.insert(address - span.start);
                });
            }
        }
        found
    }
}

fn all(check: impl Fn(&mut Looked, &mut dyn FnMut(String)) + Sync) {
    need_root_and_releases!();
    let toolchains = go::toolchains().unwrap();
    let modes = [Mode::Plain, Mode::Stripped, Mode::Pie, Mode::Cgo];
    let mut differences = Differences::default();
    let found = cells::for_all(&toolchains, &modes, |toolchain, mode| {
        let mut said = Vec::new();
        check(&mut Looked::at(toolchain, mode), &mut |it| said.push(it));
        (format!("{} {mode:?}", toolchain.version), said)
    });
    for (name, said) in found {
        for difference in said {
            differences.add(&name, difference);
        }
    }
    differences.none();
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn exactly_the_pointers_of_objects_are_pointers() {
    all(|looked, differ| {
        let spans = looked.spans();
        let mut scanned = BTreeMap::new();
        let mut in_pieces = 0;
        for known in std::mem::take(&mut looked.known) {
            if known.size == 0 {
                continue;
            }
            let Some((number, index)) = spans.find(known.start) else {
                differ(format!("{known:?} is nowhere"));
                continue;
            };
            let span = spans.all()[number as usize];
            if spans.is_free(&span, index) {
                differ(format!("{} is free", known.name));
            }
            if span.no_scan != known.pointers.is_empty() {
                differ(format!("{}: no_scan is {}", known.name, span.no_scan));
            }
            let found = scanned
                .entry(number)
                .or_insert_with(|| looked.scan(&spans, number));
            let begin = known.start - span.start;
            let within = found[&index].range(begin..begin + known.size);
            let within: BTreeSet<u64> = within.map(|at| at - begin).collect();
            if within != known.pointers {
                let first = |set: &BTreeSet<u64>| set.iter().take(9).copied().collect::<Vec<_>>();
                differ(format!(
                    "{} of {} bytes at {:#x}: {} words {:?} instead of {} {:?}; fallbacks {:?}",
                    known.name,
                    known.size,
                    known.start,
                    within.len(),
                    first(&within),
                    known.pointers.len(),
                    first(&known.pointers),
                    looked.maps.fallbacks()
                ));
            }
            in_pieces += u64::from(span.count == 1);
        }
        if in_pieces < 4 {
            differ(format!("{in_pieces} objects with spans of their own"));
        }
        // Of these spans each object in use has a type of the program's.
        let fallbacks = looked.maps.fallbacks();
        if !fallbacks.is_empty() {
            differ(format!("{fallbacks:?}"));
        }
    });
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn roots_that_the_runtime_keeps() {
    all(|looked, differ| {
        let spans = looked.spans();
        let found = looked.heap.specials(&looked.memory, &spans).unwrap();
        for known in &looked.known {
            let is_content = found.contents.iter().any(|it| it.start == known.start);
            let is_weak = found.weak.iter().any(|it| it.start == known.start);
            match known.name.as_str() {
                "finalized" if !is_content => differ(format!("{known:?} is not found")),
                "weak" if !is_weak => differ(format!("{known:?} is not found")),
                _ => {}
            }
        }
        // One runs, the others wait.
        let queued = looked.known.iter().filter(|it| it.name == "queued");
        let waiting = queued.filter(|it| found.words.contains(&it.start)).count();
        if waiting < 4 {
            differ(format!("{waiting} queued finalizers instead of 4"));
        }
    });
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn objects_stay_where_they_are_while_the_heap_churns() {
    all(|looked, differ| {
        looked.target.ask("churn").unwrap();
        for _ in 0..5 {
            let spans = looked.spans();
            // What a later copy says is not another thing.
            let later = looked.spans();
            for known in looked.known.iter().filter(|known| known.size > 0) {
                let of = |spans: &Spans| {
                    let (number, index) = spans.find(known.start)?;
                    let span = spans.all()[number as usize];
                    Some((
                        span.object(index),
                        span.element,
                        spans.is_free(&span, index),
                    ))
                };
                let found = (of(&spans), of(&later));
                if found.0 != found.1 || found.0.is_none_or(|(.., is_free)| is_free) {
                    differ(format!("{}: {found:?}", known.name));
                }
            }
        }
    });
}
