//! What is certainly alive in a running process, and its goroutines, for one pass.

use std::collections::BTreeMap;

use hashbrown::HashSet;

use super::candidates;
use crate::{
    binary::RuntimeAddress,
    binary::bytes::words,
    memory::{Extent, MemoryError, MemoryReader},
    proof::{Doing, Moved, ProofError, Rest, Root, Roots, TellWord},
    runtime::{
        AllGoroutines, Member, Roster, WaitReasons,
        frames::{Frames, Precision, scan_whole},
        heap::{Heap, Spans, WeakPointer},
        layout::GoroutineLayout,
        modules::DataRange,
    },
};

/// Bytes of data that are read together.
const PIECE: u64 = 1 << 20;

/// Where things are in a process, found once.
pub(super) struct Places<'p> {
    pub(super) layout: &'p GoroutineLayout,
    pub(super) all: AllGoroutines,
    pub(super) heap: &'p Heap,
    pub(super) data: &'p [DataRange],
}

/// The roots of one pass.
pub(super) struct ProcessRoots<'p, M> {
    memory: &'p M,
    places: &'p Places<'p>,
    frames: &'p mut Frames,
    roster: Roster,
    doing: Vec<Doing>,
    /// Who is known not to have rested.
    moved: HashSet<u32>,
    /// Whose stacks could not be read. If they rested, nothing is proven.
    unread: Vec<(u32, MemoryError)>,
    /// Stacks by how exactly they were read: `None` is precise.
    pub(super) stacks: BTreeMap<Option<&'static str>, u64>,
}

impl<'p, M: MemoryReader> ProcessRoots<'p, M> {
    pub(super) fn new(
        memory: &'p M,
        places: &'p Places<'p>,
        frames: &'p mut Frames,
        roster: Roster,
        reasons: &WaitReasons,
    ) -> Result<Self, ProofError> {
        if !roster.unread.is_empty() {
            return Err(ProofError::Goroutines(roster.unread.len()));
        }
        Ok(Self {
            doing: candidates::doing(&roster, reasons),
            memory,
            places,
            frames,
            roster,
            moved: HashSet::new(),
            unread: Vec::new(),
            stacks: BTreeMap::new(),
        })
    }

    pub(super) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// How a member rests.
    pub(super) fn rest(&self, member: u32) -> Rest {
        let place = member as usize;
        candidates::rest(&self.roster.goroutines[place], &self.doing[place])
    }

    /// What a member does.
    pub(super) fn doing_of(&self, member: u32) -> &Doing {
        &self.doing[member as usize]
    }

    /// What `members`, all of which rest, hold: the live words of their stacks, and what they wait on.
    pub(super) fn held(&mut self, members: &[u32]) -> Result<Vec<u64>, MemoryError> {
        let mut held = Vec::new();
        for member in members {
            if let Doing::On(things) = &self.doing[*member as usize] {
                held.extend(things);
            }
        }
        let goroutines = &self.roster.goroutines;
        let members = members.iter().map(|place| &goroutines[*place as usize]);
        let members: Vec<&Member> = members.collect();
        let read = self
            .frames
            .scan(self.memory, &members, &mut |_, word| held.push(word.value));
        read.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(held)
    }

    fn member(&self, place: u32) -> &Member {
        &self.roster.goroutines[place as usize]
    }

    /// All words of stacks, with whose they are; `None` for one that is not in the roster.
    fn whole(
        &mut self,
        stacks: &[(Option<u32>, RuntimeAddress, RuntimeAddress)],
        tell: &mut TellWord<'_>,
    ) -> Result<(), ProofError> {
        let bounds: Vec<_> = stacks.iter().map(|(_, low, high)| (*low, *high)).collect();
        let read = scan_whole(self.memory, &bounds, &mut |index, word| {
            let slot = word.slot.0;
            let root = stacks[index]
                .0
                .map_or(Root::New(slot), |goroutine| Root::Stack {
                    goroutine,
                    slot,
                    pc: 0,
                });
            tell(root, word.value);
        });
        for ((whose, ..), result) in stacks.iter().zip(read) {
            match (whose, result) {
                (_, Ok(())) => {}
                (Some(member), Err(error)) => self.unread.push((*member, error)),
                (None, Err(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl<M: MemoryReader> Roots for ProcessRoots<'_, M> {
    fn globals(&mut self, tell: &mut TellWord<'_>) -> Result<(), ProofError> {
        for range in self.places.data {
            let extents: Vec<_> = pieces(range.start, range.bytes).collect();
            all_words(self.memory, &extents, &mut |_, address, word| {
                let index = (address - range.start.0) / 8;
                if range.may_point(usize::try_from(index).unwrap_or(usize::MAX)) {
                    tell(Root::Global(address), word);
                }
            })?;
        }
        Ok(())
    }

    fn specials(
        &mut self,
        spans: &Spans,
        tell: &mut TellWord<'_>,
    ) -> Result<Vec<WeakPointer>, ProofError> {
        let specials = self.places.heap.specials(self.memory, spans)?;
        for word in &specials.words {
            tell(Root::Special(0), *word);
        }
        let contents = specials.contents.iter();
        let extents: Vec<_> = contents
            .flat_map(|object| pieces(RuntimeAddress(object.start), object.bytes))
            .collect();
        all_words(self.memory, &extents, &mut |index, _, word| {
            tell(Root::Special(extents[index].address.0), word);
        })?;
        Ok(specials.weak)
    }

    fn doing(&self) -> &[Doing] {
        &self.doing
    }

    fn leaves(&self) -> Vec<u64> {
        let members = self.roster.goroutines.iter();
        let sudogs = members
            .clone()
            .filter(|member| member.rests)
            .flat_map(|member| self.roster.sudogs(member));
        let all = members.map(|member| &member.address).chain(sudogs);
        all.map(|address| address.0).collect()
    }

    fn g(&self, member: u32) -> u64 {
        self.member(member).address.0
    }

    fn goroutines(&mut self, members: &[u32], tell: &mut TellWord<'_>) -> Result<(), ProofError> {
        let (resting, running): (Vec<u32>, Vec<u32>) = members
            .iter()
            .partition(|member| self.member(**member).rests);
        let stacks: Vec<_> = running
            .iter()
            .map(|place| {
                let member = self.member(*place);
                (Some(*place), member.stack_low, member.stack_high)
            })
            .collect();
        self.whole(&stacks, tell)?;
        let looked: Vec<&Member> = resting
            .iter()
            .map(|place| &self.roster.goroutines[*place as usize])
            .collect();
        let read = self.frames.scan(self.memory, &looked, &mut |index, word| {
            let root = Root::Stack {
                goroutine: resting[index],
                slot: word.slot.0,
                pc: word.pc.0,
            };
            tell(root, word.value);
        });
        for (place, result) in resting.iter().zip(read) {
            match result {
                Ok(precision) => *self.stacks.entry(reason(precision)).or_default() += 1,
                Err(error) => self.unread.push((*place, error)),
            }
        }
        if !stacks.is_empty() {
            *self.stacks.entry(Some("they run")).or_default() += stacks.len() as u64;
        }
        Ok(())
    }

    fn settle(&mut self, tell: &mut TellWord<'_>) -> Result<Moved, ProofError> {
        let Places { layout, all, .. } = *self.places;
        let now = self.roster.moved(self.memory, layout, all)?;
        if !now.unread.is_empty() {
            return Err(ProofError::Goroutines(now.unread.len()));
        }
        let place = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let ran = now
            .ran
            .iter()
            .map(|(was, member)| (Some(place(*was)), member));
        let created = now.created.iter().map(|member| (None, member));
        let stacks: Vec<_> = ran
            .chain(created)
            .map(|(whose, member)| (whose, member.stack_low, member.stack_high))
            .collect();
        let mut members: Vec<u32> = now.ran.iter().map(|(was, _)| place(*was)).collect();
        members.extend(now.ended.iter().map(|was| place(*was)));
        members.sort_unstable();
        self.moved.extend(&members);
        // Of those that did not rest it does not matter: they are looked at again right here.
        for (member, error) in self.unread.drain(..) {
            if !self.moved.contains(&member) {
                return Err(error.into());
            }
        }
        self.whole(&stacks, tell)?;
        for (_, error) in self.unread.drain(..) {
            // A stack is given back when it has grown; but then its goroutine runs on.
            if !matches!(error, MemoryError::Unmapped { .. }) {
                return Err(error.into());
            }
        }
        let was = members.iter().map(|place| self.member(*place));
        let sudogs = was.clone().flat_map(|member| self.roster.sudogs(member));
        let gs = was.chain(&now.created).map(|member| &member.address);
        let leaves = sudogs.chain(gs).map(|address| address.0).collect();
        Ok(Moved { members, leaves })
    }
}

/// The extents that cover `bytes` from `start` on.
fn pieces(start: RuntimeAddress, bytes: u64) -> impl Iterator<Item = Extent> {
    (0..bytes.div_ceil(PIECE)).filter_map(move |piece| {
        Some(Extent {
            address: start.checked_add(piece * PIECE)?,
            length: usize::try_from(PIECE.min(bytes - piece * PIECE)).ok()?,
        })
    })
}

fn reason(precision: Precision) -> Option<&'static str> {
    match precision {
        Precision::Precise => None,
        Precision::Partial(reason) | Precision::Conservative(reason) => Some(reason.words()),
    }
}

/// Tells all words of `extents` but zeroes, each with the place of its extent and its address.
fn all_words(
    memory: &impl MemoryReader,
    extents: &[Extent],
    tell: &mut dyn FnMut(usize, u64, u64),
) -> Result<(), MemoryError> {
    let mut failed = None;
    memory.read_extents(extents, &mut |index, bytes| match bytes {
        Ok(bytes) => {
            let addresses = (extents[index].address.0..).step_by(8);
            for (address, word) in addresses.zip(words(bytes)) {
                if word != 0 {
                    tell(index, address, word);
                }
            }
        }
        Err(error) => failed = Some(error),
    });
    failed.map_or(Ok(()), Err)
}
