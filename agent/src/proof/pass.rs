//! One pass: what can be reached from everything that can still run, while the program runs.
//!
//! Marking begins with what is certainly alive, and goes on with each candidate that waits on something
//! reached, until nothing changes: what remains waits on things that nothing living can touch.
//!
//! The program is not stopped, so a pointer may move from a place that has not been looked at yet to one
//! that has. Against that: whoever has moved during the pass (ran, was created) is looked at again at
//! its end, the whole stack with all that lies dead on it; so are the global variables, what those lead
//! to (`again.rs`), and what was allocated meanwhile and is pointed to. A pointer that hides from all that, being carried from one object
//! of the heap to another at the right moments, hides from one pass, but hardly from several, which is
//! why [`Agreement`](super::Agreement) wants several.

use super::{
    ProofError, Watch,
    again::Again,
    follow::follow,
    marks::Marks,
    objects::Objects,
    paths::Root,
    waiting::{Candidates, Doing},
};
use crate::{
    binary::{RuntimeAddress, bytes::words},
    memory::{Extent, MemoryReader},
    runtime::heap::{Spans, WeakPointer},
};

/// Takes a word that may be a pointer and where it was found.
pub type TellWord<'a> = dyn FnMut(Root, u64) + 'a;

/// What is certainly alive, and who may not be.
pub trait Roots {
    /// Tells the words of global variables that may be pointers.
    ///
    /// # Errors
    /// Not all could be read.
    fn globals(&mut self, tell: &mut TellWord<'_>) -> Result<(), ProofError>;

    /// Tells the words that the runtime keeps alive for objects (finalizers, cleanups and the like), and
    /// returns who has weak pointers.
    ///
    /// # Errors
    /// Not all could be read.
    fn specials(
        &mut self,
        spans: &Spans,
        tell: &mut TellWord<'_>,
    ) -> Result<Vec<WeakPointer>, ProofError>;

    /// What the goroutines of the roster do.
    fn doing(&self) -> &[Doing];

    /// Addresses of the runtime's own objects through which everything that waits can be reached from
    /// everything: its `g`s, and the sudogs of those that rest. They are not followed.
    fn leaves(&self) -> Vec<u64>;

    /// The address of a goroutine's `g`, which is one of the leaves. Of one that is alive it is followed:
    /// labels, what a coroutine hands over and the like.
    fn g(&self, member: u32) -> u64;

    /// Tells the words of the stacks of goroutines, by their places in the roster, that may be live pointers.
    ///
    /// # Errors
    /// Not all could be read.
    fn goroutines(&mut self, members: &[u32], tell: &mut TellWord<'_>) -> Result<(), ProofError>;

    /// Finds out who has moved since the roster was taken, or since this was asked last, and tells all words of
    /// their stacks, and of those created since.
    ///
    /// # Errors
    /// Not all could be read.
    fn settle(&mut self, tell: &mut TellWord<'_>) -> Result<Moved, ProofError>;
}

/// Who did not rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Places in the roster, rising.
    pub members: Vec<u32>,
    /// Objects that are leaves no longer, as they may have been used for something else: their `g`s and
    /// sudogs, and the `g`s of those that were created.
    pub leaves: Vec<u64>,
}

/// What one pass found.
#[derive(Debug)]
pub struct Pass<'s> {
    /// What was reached.
    pub marks: Marks<'s>,
    /// Who waits on nothing that was.
    pub candidates: Candidates,
}

/// So often what moves is looked at at the end of a pass, unless nobody has moved. What is carried around
/// at full speed is missed by one look in three or so; then it has to be missed by all of them.
const LOOKS: usize = 12;

/// Goes over everything once. `marks` are empty; `books` reads the heap's books as they are at the end.
///
/// # Errors
/// Something that is alive cannot be read, or the watch says stop.
pub fn pass<'s, M: MemoryReader>(
    objects: &mut Objects<'_, M>,
    roots: &mut impl Roots,
    mut marks: Marks<'s>,
    books: impl Fn() -> Result<Spans, ProofError>,
    watch: &mut dyn Watch,
) -> Result<Pass<'s>, ProofError> {
    for leaf in roots.leaves() {
        marks.leave(leaf);
    }
    let mut candidates = Candidates::new(roots.doing().iter(), &marks);
    roots.globals(&mut |root, word| marks.reach_root(word, root))?;
    let spans = marks.spans();
    let weak = roots.specials(spans, &mut |root, word| marks.reach_root(word, root))?;
    let mut living = living(roots.doing());
    living.extend(candidates.alive().iter().map(|(member, _)| *member));
    wake(roots, &living, &mut marks)?;
    rounds(objects, roots, &weak, &mut candidates, &mut marks, watch)?;
    for _ in 0..LOOKS {
        let mut again = Again::new(&marks);
        marks.look_again();
        let moved = roots.settle(&mut |root, word| {
            marks.reach_root(word, root);
            again.add(&marks, word);
        })?;
        for leaf in &moved.leaves {
            marks.read_again(*leaf);
        }
        candidates.drop_moved(|member| moved.members.binary_search(&member).is_ok());
        again.read(objects, &mut marks, watch)?;
        roots.globals(&mut |root, word| {
            marks.reach_root(word, root);
            again.add(&marks, word);
        })?;
        let now = books()?;
        again.read(objects, &mut marks, watch)?;
        loop {
            rounds(objects, roots, &weak, &mut candidates, &mut marks, watch)?;
            new_objects(objects.memory(), &mut marks, &now)?;
            if marks.is_drained() {
                break;
            }
        }
        if moved.members.is_empty() {
            break;
        }
        watch.looks_again();
    }
    Ok(Pass { marks, candidates })
}

/// Goroutines that are no candidates.
fn living(doing: &[Doing]) -> Vec<u32> {
    let lives = (0..)
        .zip(doing)
        .filter(|(_, doing)| **doing == Doing::Lives);
    lives.map(|(member, _)| member).collect()
}

/// What these goroutines hold and wait on is alive.
fn wake(roots: &mut impl Roots, members: &[u32], marks: &mut Marks<'_>) -> Result<(), ProofError> {
    for member in members {
        if let Some(Doing::On(things)) = roots.doing().get(*member as usize) {
            let goroutine = *member;
            for thing in things {
                marks.reach_root(*thing, Root::Waited { goroutine });
            }
        }
        let (g, goroutine) = (roots.g(*member), *member);
        // All are objects of the heap; if one seems to be none, the books were not read well.
        if !marks.read_again(g) {
            return Err(ProofError::Unsteady);
        }
        marks.reach_root(g, Root::Goroutine { goroutine });
    }
    roots.goroutines(members, &mut |root, word| marks.reach_root(word, root))
}

/// Follows what has been reached, and wakes who waits on it, until nothing changes.
fn rounds<M: MemoryReader>(
    objects: &mut Objects<'_, M>,
    roots: &mut impl Roots,
    weak: &[WeakPointer],
    candidates: &mut Candidates,
    marks: &mut Marks<'_>,
    watch: &mut dyn Watch,
) -> Result<(), ProofError> {
    loop {
        follow(objects, marks, watch)?;
        for WeakPointer { handle, start } in weak {
            let has_handle = marks.object(*handle);
            if has_handle.is_some_and(|handle| marks.has_reached_object(handle)) {
                marks.reach_root(*start, Root::Weak(*handle));
            }
        }
        let woken = candidates.woken(marks);
        if woken.is_empty() && marks.is_drained() {
            return Ok(());
        }
        wake(roots, &woken, marks)?;
    }
}

/// Bytes of new spans read at once.
const PIECE: u64 = 1 << 20;

/// Follows pointers into what was allocated since the pass began. Of spans that are new all words count,
/// whichever of their objects was meant: that can only keep more alive.
fn new_objects<M: MemoryReader>(
    memory: &M,
    marks: &mut Marks<'_>,
    now: &Spans,
) -> Result<(), ProofError> {
    marks.used_again(now);
    let mut failed = None;
    for (start, bytes) in marks.changed(now)? {
        let pieces = (0..bytes.div_ceil(PIECE)).map(|piece| {
            let offset = piece * PIECE;
            Extent {
                address: RuntimeAddress(start + offset),
                length: usize::try_from(PIECE.min(bytes - offset)).unwrap_or(0),
            }
        });
        memory.read_extents(&pieces.collect::<Vec<_>>(), &mut |_, read| match read {
            Ok(read) => {
                for word in words(read) {
                    marks.reach_root(word, Root::New(start));
                }
            }
            Err(error) => failed = Some(error),
        });
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}
