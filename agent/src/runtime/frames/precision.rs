//! How exactly the live words of a stack are known.

/// How exactly the live words of a goroutine's stack are known. All live words are told in any case;
/// what is not precise tells others too, which can keep something alive that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As the collector of that release does it, word for word.
    Precise,
    /// All words of some frames; the first reason for it.
    Partial(Reason),
    /// All words from its stack pointer on.
    Conservative(Reason),
}

/// Why all words of a frame, or of a stack, were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It is not known how this release keeps stack maps.
    Unknown,
}

impl Reason {
    /// In words, for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Unknown => "this release's stack maps are not known",
        }
    }
}
