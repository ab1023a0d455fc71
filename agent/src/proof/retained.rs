//! What only the lost hold: for each group of them the objects that nothing living reaches.

use hashbrown::HashMap;

use super::{
    ProofError, Watch,
    marks::Marks,
    objects::{Objects, of_span},
};
use crate::{memory::MemoryReader, runtime::heap::Span};

/// Groups that are told apart: a bit each. Those behind are counted as one.
pub const GROUPS: usize = 32;

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
    pub fn add<M: MemoryReader>(
        &mut self,
        objects: &mut Objects<'_, M>,
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
            let mut spans: Vec<u32> = generation.iter().map(|(span, _)| *span).collect();
            spans.dedup();
            objects.read_each(self.marks.spans(), &spans, &mut |read| {
                read.pointers(of_span(&generation, read.number), &mut |_, word| {
                    self.reach(word, group);
                });
                watch.went_on(read.length())
            })?;
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
        let object = span.number_of(index);
        let free = self.marks.spans().free_objects().get(object / 64).copied();
        if self.marks.has_reached_object(object) || free.unwrap_or(0) & 1 << (object % 64) != 0 {
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
