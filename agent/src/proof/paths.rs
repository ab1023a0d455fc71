//! From where each object was first reached: what answers why something is still alive.

/// Marks a root; the other bits are its number.
const ROOT: u32 = 1 << 31;

/// Where a walk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// A word of the program's data, at this address.
    Global(u64),
    /// A word of a goroutine's stack.
    Stack {
        /// Which goroutine, by its place in the roster.
        goroutine: u32,
        /// The address of the word.
        slot: u64,
        /// The pc of the frame it lies in; 0 where frames are not told apart.
        pc: u64,
    },
    /// A word of a goroutine's `g`.
    Goroutine {
        /// Which goroutine, by its place in the roster.
        goroutine: u32,
    },
    /// What a goroutine waits on, which is alive itself.
    Waited {
        /// Which goroutine, by its place in the roster.
        goroutine: u32,
    },
    /// A finalizer, a cleanup or another record that belongs to the object at this address.
    Special(u64),
    /// A weak pointer by way of its handle, which lives, at this address.
    Weak(u64),
    /// Something that was created while the pass went on, at this address.
    New(u64),
}

/// What each object was reached from.
#[derive(Clone, Debug)]
pub struct Paths {
    /// By object.
    origins: Vec<u32>,
    roots: Vec<Root>,
}

impl Paths {
    /// For so many objects; `None` where there are more than can be numbered.
    #[must_use]
    pub fn new(objects: usize) -> Option<Self> {
        (objects < ROOT as usize).then(|| Self {
            origins: vec![u32::MAX; objects],
            roots: Vec::new(),
        })
    }

    /// `object` was reached from the object `from`.
    pub(super) fn reached_from(&mut self, object: usize, from: usize) {
        self.set(object, u32::try_from(from).unwrap_or(u32::MAX));
    }

    /// `object` was reached from `root`.
    pub(super) fn reached_at_root(&mut self, object: usize, root: Root) {
        let number = u32::try_from(self.roots.len()).unwrap_or(u32::MAX);
        self.roots.push(root);
        self.set(object, ROOT | number);
    }

    fn set(&mut self, object: usize, origin: u32) {
        if let Some(known) = self.origins.get_mut(object) {
            *known = origin;
        }
    }

    /// The objects from `object` back to the root from where it was reached. `None` where it was not.
    #[must_use]
    pub fn of(&self, object: usize) -> Option<(Vec<usize>, Root)> {
        let mut objects = Vec::new();
        let mut at = object;
        // Each was reached before what was reached from it, so this ends.
        while objects.len() <= self.origins.len() {
            objects.push(at);
            let origin = *self.origins.get(at)?;
            if origin == u32::MAX {
                return None;
            }
            if origin & ROOT != 0 {
                let root = self.roots.get((origin & !ROOT) as usize)?;
                return Some((objects, *root));
            }
            at = origin as usize;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_back_to_its_root() {
        let mut paths = Paths::new(10).expect("few");
        paths.reached_at_root(1, Root::Global(7));
        paths.reached_from(5, 1);
        paths.reached_from(3, 5);
        assert_eq!(paths.of(3), Some((vec![3, 5, 1], Root::Global(7))));
        assert_eq!(paths.of(4), None);
        assert_eq!(paths.of(10), None);
    }
}
