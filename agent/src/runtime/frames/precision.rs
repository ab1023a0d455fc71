//! How exactly the live words of a stack are known.

/// How exactly the live words of a goroutine's stack are known. All live words are told in any case;
/// what is not precise tells others too, which can keep something alive that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As the collector of that release does it, word for word.
    Precise,
    /// All words of some frames, variables or arguments; the first reason for it.
    Partial(Reason),
    /// All words from its stack pointer on.
    Conservative(Reason),
}

/// Why all words of a frame, of a variable, or of a stack were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// How frames lie on the stacks of this architecture is not known well enough.
    Architecture,
    /// It did not rest.
    Runs,
    /// It is panicking: frames may go on elsewhere than where they stopped.
    Panics,
    /// Its stack is larger than what is held at once.
    Deep,
    /// It was stopped where no stack map holds: by a signal, or a debugger's call.
    Interrupted,
    /// Its arguments are known at run time only, as in the stubs of package `reflect`.
    Reflected,
    /// A function without stack maps: assembly.
    NoMaps,
    /// A table or a record that is none.
    Damaged,
    /// A pc that belongs to none of the executable's functions: a plugin's, or C's.
    UnknownFunction,
    /// A frame whose end is not on the stack, or that cannot be followed.
    Broken,
    /// The pointers of a variable are told by a program (before Go 1.24), which is not run here.
    PointerProgram,
    /// Deferred calls without end.
    Defers,
}

impl Reason {
    /// In words, for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Architecture => "the frames of this architecture are not followed",
            Self::Runs => "it did not rest",
            Self::Panics => "it is panicking",
            Self::Deep => "its stack is too large",
            Self::Interrupted => "it was stopped by a signal or a debugger",
            Self::Reflected => "the arguments of a call through reflect are not known",
            Self::NoMaps => "a function has no stack maps",
            Self::Damaged => "the stack maps of a function are damaged",
            Self::UnknownFunction => "a function is not in the executable",
            Self::Broken => "its frames cannot be followed",
            Self::PointerProgram => "a large variable's pointers are told by a program",
            Self::Defers => "its deferred calls do not end",
        }
    }
}
