//! One process and all that its passes need, found once.

use super::{
    ProveError, candidates,
    roots::{Places, ProcessRoots},
};
use crate::{
    memory::MemoryReader,
    proof::{Agreement, Marks, Objects, Pass, Paths, ProofError, Sign, Watch, pass},
    runtime::{
        Roster, WaitReasons,
        frames::Frames,
        heap::{Fallback, Heap, HeapError, PointerMaps, Spans},
        modules::{DataRange, data_ranges},
    },
    session::{Landmarks, Program},
};

/// So often a pass is begun anew, all in all, because the program changed too much under it.
const ATTEMPTS: usize = 5;

/// Goes over one process again and again.
pub(in crate::session) struct Prover<'p, M> {
    pub(super) program: &'p Program,
    pub(super) memory: &'p M,
    pub(super) landmarks: Landmarks,
    reasons: &'p WaitReasons,
    heap: Heap,
    frames: Frames,
    maps: PointerMaps,
    max_heap_bytes: u64,
    /// What the passes so far have said.
    pub(super) agreement: Agreement,
    attempts_left: usize,
}

/// A pass and what it was made from, as long as both are there.
pub(super) struct Done<'d, 'p, M> {
    pub(super) pass: Pass<'d>,
    pub(super) roots: ProcessRoots<'d, M>,
    pub(super) objects: Objects<'d, M>,
    /// Objects that earlier passes have looked through word by word.
    pub(super) fallbacks: Vec<(Fallback, u64)>,
    pub(super) agreement: &'d Agreement,
    pub(super) prover: Known<'d, 'p, M>,
}

/// What does not change from pass to pass.
pub(super) struct Known<'d, 'p, M> {
    pub(super) program: &'p Program,
    pub(super) memory: &'p M,
    pub(super) landmarks: &'d Landmarks,
    pub(super) reasons: &'p WaitReasons,
    pub(super) data: &'d [DataRange],
}

impl<'p, M: MemoryReader> Prover<'p, M> {
    /// For `program`, read through `memory`.
    ///
    /// # Errors
    /// Something that a proof needs is not known of it.
    pub(in crate::session) fn new(
        program: &'p Program,
        memory: &'p M,
        landmarks: Landmarks,
        max_heap_bytes: u64,
    ) -> Result<Self, ProveError> {
        let Program {
            binary,
            bias,
            layouts,
            ..
        } = program;
        let unknown = |what: String| ProveError::UnknownHeap {
            go_version: binary.build_info().go_version.to_string(),
            what,
        };
        let reasons = program
            .wait_reasons
            .as_ref()
            .map_err(|error| unknown(error.to_string()))?;
        let minor = u32::from(binary.build_info().go_version.minor);
        let heap = Heap::find(binary, memory, *bias, layouts, minor)
            .map_err(|error| unknown(error.to_string()))?;
        let maps = PointerMaps::new(&heap, memory, binary, *bias, layouts)
            .map_err(|error| unknown(error.to_string()))?;
        Ok(Self {
            frames: Frames::new(binary.clone(), *bias, layouts),
            agreement: Agreement::default(),
            attempts_left: ATTEMPTS,
            maps,
            reasons,
            heap,
            landmarks,
            program,
            memory,
            max_heap_bytes,
        })
    }

    /// Goes over everything once more, and hands what was found to `then`. With `paths` it is
    /// remembered how each object was reached.
    ///
    /// # Errors
    /// The pass says nothing: what is alive could not all be read.
    pub(super) fn pass<T>(
        &mut self,
        paths: bool,
        watch: &mut dyn Watch,
        then: impl FnOnce(Done<'_, 'p, M>, &mut dyn Watch) -> Result<T, ProofError>,
    ) -> Result<T, ProveError> {
        let fallbacks = self.maps.fallbacks();
        loop {
            // Whoever waits now waits on something that is in the books read next.
            let unreadable = |source| ProveError::Proof(ProofError::Memory(source));
            let mut waits = self
                .landmarks
                .waits(self.program, self.memory)
                .map_err(unreadable)?;
            let roster = Roster::take(
                self.memory,
                &self.program.layout,
                self.landmarks.all,
                waits.as_mut(),
            )
            .map_err(unreadable)?;
            // A plugin may have been loaded since the last pass.
            let data = self.data()?;
            let places = Places {
                layout: &self.program.layout,
                all: self.landmarks.all,
                heap: &self.heap,
                data: &data,
            };
            let spans = self.spans()?;
            let paths = match paths {
                true => Some(Paths::new(spans.bit_words() * 64).ok_or(ProveError::TooManyObjects)?),
                false => None,
            };
            let roots =
                ProcessRoots::new(self.memory, &places, &mut self.frames, roster, self.reasons);
            let gone_over = roots.and_then(|mut roots| {
                let marks = Marks::new(&spans, paths);
                let books = || match self.heap.has_grown(self.memory, &spans)? {
                    true => Err(ProofError::Unsteady),
                    false => Ok(self.heap.spans(self.memory, u64::MAX)?),
                };
                let mut objects = Objects::new(&self.heap, self.memory, &mut self.maps);
                let done = pass(&mut objects, &mut roots, marks, books, watch)?;
                Ok((roots, done))
            });
            let (roots, pass) = match gone_over {
                Ok(done) => done,
                Err(error) if error.is_passing() && self.attempts_left > 1 => {
                    self.attempts_left -= 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let unreached = pass.candidates.left().map(|member| roots.rest(member));
            let alive = pass.candidates.alive().iter();
            let reached = alive.filter(|(_, sign)| *sign != Sign::Moved);
            let reached = reached.map(|(member, _)| roots.rest(*member));
            self.agreement.add(unreached, reached);
            let done = Done {
                pass,
                roots,
                objects: Objects::new(&self.heap, self.memory, &mut self.maps),
                fallbacks,
                agreement: &self.agreement,
                prover: Known {
                    program: self.program,
                    memory: self.memory,
                    landmarks: &self.landmarks,
                    reasons: self.reasons,
                    data: &data,
                },
            };
            return Ok(then(done, watch)?);
        }
    }

    fn data(&self) -> Result<Vec<DataRange>, ProveError> {
        let Program {
            binary,
            bias,
            layouts,
            ..
        } = self.program;
        data_ranges(binary, self.memory, *bias, layouts).map_err(ProveError::Globals)
    }

    fn spans(&self) -> Result<Spans, ProveError> {
        self.heap
            .spans(self.memory, self.max_heap_bytes)
            .map_err(|error| match error {
                HeapError::TooLarge { bytes, limit } => ProveError::HeapTooLarge {
                    heap_bytes: bytes,
                    limit_bytes: limit,
                },
                error => ProveError::Proof(error.into()),
            })
    }
}

impl<M> Prover<'_, M> {
    /// Whether the last pass may be made: all those before have agreed for long enough that with it
    /// `passes` have. Where a program carries pointers from place to place faster than they are looked at,
    /// some pass finds who others have missed; then more are made, up to so many times as many.
    pub(in crate::session) fn is_settled(&self, passes: u32) -> bool {
        const TIMES: u32 = 5;
        self.agreement.steady() + 2 >= passes && self.agreement.passes() + 1 >= passes
            || self.agreement.passes() >= passes * TIMES
    }
}

impl<M> Clone for Known<'_, '_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Known<'_, '_, M> {}

impl<M: MemoryReader> Known<'_, '_, M> {
    /// Whether a member waits for another goroutine, as far as its wait reason says.
    pub(super) fn waits_for_others(&self, member: &crate::runtime::Member) -> bool {
        candidates::waits_for_others(member, self.reasons)
    }
}
