//! The way from something that lives to what a goroutine waits on.

use super::prover::Done;
use crate::{
    binary::RuntimeAddress,
    binary::bytes::words,
    memory::MemoryReader,
    proof::{Paths, Root, Sign},
    report::{Place, Step},
    runtime::heap::Spans,
    session::Names,
};

/// Goroutines on one way.
const MAX_GOROUTINES: usize = 64;
/// Objects of one way that are shown; of a long list only its end is of use.
const MAX_OBJECTS: usize = 64;
/// Of an object, so much is searched for the word that points on.
const MAX_SEARCHED: u64 = 1 << 20;

/// The steps to what `member`, found alive by `sign`, waits on, that itself left out. Empty where it
/// cannot be told.
pub(super) fn steps<M: MemoryReader>(
    done: &Done<'_, '_, M>,
    names: &mut Names,
    sign: Sign,
) -> Vec<Step> {
    let Some(paths) = done.pass.marks.paths() else {
        return Vec::new();
    };
    let mut way = Way {
        done,
        names,
        steps: Vec::new(),
    };
    let mut sign = sign;
    for _ in 0..MAX_GOROUTINES {
        match way.before(paths, sign) {
            Some(next) => sign = next,
            None => break,
        }
    }
    way.steps.reverse();
    way.steps
}

/// Collected from its end to its beginning.
struct Way<'w, 'd, 'p, M> {
    done: &'w Done<'d, 'p, M>,
    names: &'w mut Names,
    steps: Vec<Step>,
}

impl<M: MemoryReader> Way<'_, '_, '_, M> {
    /// What leads to the thing that gave the sign; how the goroutine was found alive from which it is
    /// reached, if it is from one that waits itself.
    fn before(&mut self, paths: &Paths, sign: Sign) -> Option<Sign> {
        let reached = match sign {
            Sign::Reached(object) => object,
            Sign::Outside(address) => {
                self.steps.push(self.global(address));
                return None;
            }
            Sign::Moved => return None,
        };
        let (objects, root) = paths.of(reached)?;
        let spans = self.done.pass.marks.spans();
        // The first is what is waited on, the last what the root leads to.
        for pair in objects.windows(2).take(MAX_OBJECTS) {
            if let Some(step) = self.object(spans, pair[1], Some(pair[0])) {
                self.steps.push(step);
            }
        }
        self.root(root)
    }

    fn object(&self, spans: &Spans, object: usize, next: Option<usize>) -> Option<Step> {
        let (address, size) = bounds(spans, object)?;
        let next = next.and_then(|next| bounds(spans, next));
        Some(Step::Object {
            address: RuntimeAddress(address).to_string(),
            size_bytes: size,
            offset_bytes: next.and_then(|next| self.pointer(address, size, next)),
            r#type: None,
        })
    }

    /// Where in an object the first word is that points into the next one, as they are now.
    fn pointer(&self, address: u64, size: u64, (next, length): (u64, u64)) -> Option<u64> {
        let mut bytes = vec![0; usize::try_from(size.min(MAX_SEARCHED)).ok()?];
        let memory = self.done.prover.memory;
        memory.read(RuntimeAddress(address), &mut bytes).ok()?;
        let place = words(&bytes).position(|word| (next..next + length).contains(&word))?;
        Some(place as u64 * 8)
    }

    fn root(&mut self, root: Root) -> Option<Sign> {
        match root {
            Root::Global(address) => self.steps.push(self.global(address)),
            Root::Stack {
                goroutine,
                slot,
                pc,
            } => {
                let frame = (pc != 0).then(|| self.frame(pc)).flatten();
                return self.goroutine(goroutine, frame, slot);
            }
            Root::Goroutine { goroutine } | Root::Waited { goroutine } => {
                let g = self.done.roots.roster().goroutines[goroutine as usize].address;
                return self.goroutine(goroutine, None, g.0);
            }
            Root::Special(object) => self.steps.push(Step::Finalizer {
                address: RuntimeAddress(object).to_string(),
            }),
            Root::Weak(handle) => self.steps.push(Step::Runtime {
                what: "a weak pointer, of which whoever has it can make a strong one".into(),
                address: RuntimeAddress(handle).to_string(),
            }),
            Root::New(address) => self.steps.push(Step::Runtime {
                what: "something that was created while it was looked at".into(),
                address: RuntimeAddress(address).to_string(),
            }),
        }
        None
    }

    /// One that is alive. Where it waits itself, how it was found alive.
    fn goroutine(&mut self, place: u32, frame: Option<Place>, slot: u64) -> Option<Sign> {
        let member = &self.done.roots.roster().goroutines[place as usize];
        self.steps.push(Step::Goroutine {
            goid: member.goid,
            state: member.state.name().into(),
            frame,
            address: RuntimeAddress(slot).to_string(),
        });
        let alive = self.done.pass.candidates.alive();
        let sign = alive.iter().find(|(member, _)| *member == place)?.1;
        if let Sign::Reached(object) = sign {
            let spans = self.done.pass.marks.spans();
            if let Some(step) = self.object(spans, object, None) {
                self.steps.push(step);
            }
        }
        Some(sign)
    }

    fn frame(&mut self, pc: u64) -> Option<Place> {
        self.names.stack(&[RuntimeAddress(pc)]).into_iter().next()
    }

    fn global(&self, address: u64) -> Step {
        let program = self.done.prover.program;
        let linked = program.bias.to_link(RuntimeAddress(address));
        let range = self.done.prover.data.iter().find(|range| {
            address
                .checked_sub(range.start.0)
                .is_some_and(|inside| inside < range.bytes)
        });
        let is_own = range.is_none_or(|range| range.module == 0);
        let symbol = is_own
            .then(|| program.binary.elf().variable_at(linked))
            .flatten();
        Step::Global {
            name: symbol.map(|(name, _)| name.to_owned()),
            module: (!is_own).then(|| "a plugin or shared library".into()),
            section: range
                .map_or("noptrbss or noptrdata", |range| range.name)
                .into(),
            address: RuntimeAddress(address).to_string(),
        }
    }
}

/// Where an object begins, and its size.
fn bounds(spans: &Spans, object: usize) -> Option<(u64, u64)> {
    let word = u32::try_from(object / 64).ok()?;
    let place = spans
        .all()
        .partition_point(|span| span.first_word <= word)
        .checked_sub(1)?;
    let span = &spans.all()[place];
    let index = object - span.number_of(0);
    Some((span.start + index as u64 * span.element, span.element))
}
