//! How much is watched.

/// From the poorest to the richest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// No probe: passes over all goroutines alone.
    Census,
    /// Probes at the `go` statements under suspicion: their creations are counted. All else as above.
    Focused,
    /// Every creation and every end.
    Lifetimes,
    /// Parks as well.
    Full,
}

impl Mode {
    /// All of them, the richest first.
    pub const RICHEST_FIRST: [Self; 4] = [Self::Full, Self::Lifetimes, Self::Focused, Self::Census];

    /// Statements that are probed at once, at the most: each probe makes the target's switches slower.
    pub const STATEMENTS: usize = 4;

    /// The word for it in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Census => "census",
            Self::Focused => "focused",
            Self::Lifetimes => "lifetimes",
            Self::Full => "full",
        }
    }

    /// How many probes it needs, at the most.
    #[must_use]
    pub const fn probes(self) -> usize {
        match self {
            Self::Census => 0,
            Self::Focused => Self::STATEMENTS,
            Self::Lifetimes => 2,
            Self::Full => 3,
        }
    }

    /// Whether the creations and ends of all sites are counted.
    #[must_use]
    pub fn counts_all(self) -> bool {
        self >= Self::Lifetimes
    }
}
