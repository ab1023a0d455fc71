//! What only the lost hold: for each group of them the objects that nothing living reaches.

use hashbrown::HashMap;

use super::{ProofError, Watch, marks::Marks};
use crate::{
    binary::RuntimeAddress,
    memory::{Extent, MemoryReader},
    proof::stub::PointerMaps, runtime::heap::Span,
};

/// Groups that are told apart: a bit each. Those behind are counted as one.
pub const GROUPS: usize = 32;
/// Bytes of spans that are read together.
const BATCH: u64 = 1 << 20;

/// Objects of the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many.
    pub objects: u64,
    /// Bytes they take.
    pub bytes: u64,
}

impl Held {
    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

/// What groups hold, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// What each group holds alone. At most [`GROUPS`]; the last one stands for all behind it.
    pub alone: Vec<Held>,
    /// What each holds together with others.
    pub together: Vec<Held>,
    /// What more than one group holds, each object counted once.
    pub shared: Held,
}

/// Which groups hold what.
#[derive(Debug)]
pub struct Retention<'m, 's> {
    marks: &'m Marks<'s>,
    /// For each span that has such objects, the groups of each object.
    holders: HashMap<u32, Box<[u32]>>,
    /// Objects that were reached by the present group and have to be read.
    waiting: Vec<(u32, u32)>,
    groups: usize,
}

impl<'m, 's> Retention<'m, 's> {
    /// Of what has not been reached in `marks`, which are complete.
    #[must_use]
    pub fn new(marks: &'m Marks<'s>) -> Self {
        Self {
            marks,
            holders: HashMap::new(),
            waiting: Vec::new(),
            groups: 0,
        }
    }

    /// Adds a group, which holds what `words` point to, and what that reaches.
    ///
    /// # Errors
    /// Not all of it can be read, or the watch says stop.
    pub fn add(
        &mut self,
        memory: &impl MemoryReader,
        maps: &mut PointerMaps,
        words: &[u64],
        watch: &mut dyn Watch,
    ) -> Result<(), ProofError> {
        let group = 1 << self.groups.min(GROUPS - 1);
        self.groups += 1;
        for word in words {
            self.reach(*word, group);
        }
        while !self.waiting.is_empty() {
            let mut generation = std::mem::take(&mut self.waiting);
            generation.sort_unstable();
            let mut rest = &generation[..];
            while !rest.is_empty() {
                let count = self.batch(rest);
                let (batch, later) = rest.split_at(count);
                let bytes = self.read(memory, maps, batch, group)?;
                watch.went_on(bytes)?;
                rest = later;
            }
        }
        Ok(())
    }

    fn span(&self, number: u32) -> &'s Span {
        &self.marks.spans().all()[number as usize]
    }

    fn reach(&mut self, word: u64, group: u32) {
        let Some((number, index)) = self.marks.spans().find(word) else {
            return;
        };
        let span = self.span(number);
        let object = span.first_word as usize * 64 + index as usize;
        let free = self.marks.spans().free_objects().get(object / 64).copied();
        if self.marks.has_reached_object(object)
            || free.unwrap_or(0) & 1 << (object % 64) != 0
        {
            return;
        }
        let holders = self
            .holders
            .entry(number)
            .or_insert_with(|| vec![0; span.count as usize].into());
        if let Some(holders) = holders.get_mut(index as usize)
            && *holders & group == 0
        {
            *holders |= group;
            if !span.no_scan {
                self.waiting.push((number, index));
            }
        }
    }

    /// How many of `objects` are read together; whole spans.
    fn batch(&self, objects: &[(u32, u32)]) -> usize {
        let mut bytes = 0;
        let mut last = None;
        let fits = |(number, _): &&(u32, u32)| {
            if last.replace(*number) != Some(*number) {
                bytes += self.span(*number).bytes;
            }
            bytes <= BATCH
        };
        let fitting = objects.iter().take_while(fits).count();
        // At least all of one span.
        let first = objects.iter().take_while(|(number, _)| *number == objects[0].0);
        fitting.max(first.count())
    }

    /// Reads the spans of `objects`, which are sorted. How many bytes that were.
    fn read(
        &mut self,
        memory: &impl MemoryReader,
        maps: &mut PointerMaps,
        objects: &[(u32, u32)],
        group: u32,
    ) -> Result<u64, ProofError> {
        let mut spans: Vec<u32> = objects.iter().map(|(number, _)| *number).collect();
        spans.dedup();
        maps.prepare(memory, self.marks.spans(), &spans)?;
        // A large object in pieces: what is too large for one read.
        let mut extents = Vec::new();
        let mut of = Vec::new();
        for number in &spans {
            let span = self.span(*number);
            for piece in 0..span.bytes.div_ceil(BATCH) {
                let offset = piece * BATCH;
                extents.push(Extent {
                    address: RuntimeAddress(span.start + offset),
                    length: usize::try_from(BATCH.min(span.bytes - offset)).unwrap_or(0),
                });
                of.push((*number, offset));
            }
        }
        let mut failed = None;
        memory.read_extents(&extents, &mut |place, bytes| match bytes {
            Ok(bytes) => {
                let (number, offset) = of[place];
                let span = self.span(number);
                let from = objects.partition_point(|(other, _)| *other < number);
                let its = objects[from..].iter().take_while(|(other, _)| *other == number);
                for (_, index) in its {
                    maps.scan(span, *index, offset, bytes, &mut |_, word| {
                        self.reach(word, group);
                    });
                }
            }
            Err(error) => failed = Some(error),
        });
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(extents.iter().map(|extent| extent.length as u64).sum()),
        }
    }

    /// What the groups hold, in the order in which they were added.
    #[must_use]
    pub fn finish(self) -> Retained {
        let groups = self.groups.min(GROUPS);
        let mut retained = Retained {
            alone: vec![Held::default(); groups],
            together: vec![Held::default(); groups],
            shared: Held::default(),
        };
        for (number, holders) in &self.holders {
            let bytes = self.span(*number).element;
            for holders in holders.iter().filter(|holders| **holders != 0) {
                let is_shared = holders.count_ones() > 1;
                let per_group = match is_shared {
                    true => &mut retained.together,
                    false => &mut retained.alone,
                };
                for group in super::bits::ones(u64::from(*holders)) {
                    per_group[group].add(bytes);
                }
                if is_shared {
                    retained.shared.add(bytes);
                }
            }
        }
        retained
    }
}
