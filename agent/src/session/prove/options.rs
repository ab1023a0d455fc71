//! What a proof is to be made of, and how far it has come.

use std::time::Duration;

/// Passes that have to agree, unless others are asked for.
pub const DEFAULT_PASSES: u32 = 3;

/// Time between two passes, unless another is asked for. What is handed around is elsewhere by then.
pub const DEFAULT_PAUSE: Duration = Duration::from_secs(1);

/// How to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProveOptions {
    /// Passes over the heap that have to agree; 2 at least.
    pub passes: u32,
    /// Time between the end of one and the beginning of the next.
    pub pause: Duration,
    /// A larger heap is refused.
    pub max_heap_bytes: u64,
}

impl Default for ProveOptions {
    fn default() -> Self {
        Self {
            passes: DEFAULT_PASSES,
            pause: DEFAULT_PAUSE,
            max_heap_bytes: Self::DEFAULT_MAX_HEAP_BYTES,
        }
    }
}

impl ProveOptions {
    /// 16 GiB: half a minute a pass.
    pub const DEFAULT_MAX_HEAP_BYTES: u64 = 16 << 30;
}

/// How far a proof has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The pass, from 1.
    pub pass: u32,
    /// How many there will be.
    pub passes: u32,
    /// Bytes read in this pass.
    pub bytes_done: u64,
    /// Bytes there are to read in this pass, as far as is known; 0 where it is not.
    pub bytes_expected: u64,
    /// What is being done.
    pub phase: Phase,
}

/// What a pass is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Finding the goroutines that wait, and what they wait on.
    Candidates,
    /// Following pointers from what lives.
    Marking,
    /// Counting what the leaked ones retain.
    Retained,
    /// Waiting for the next pass.
    Pause,
}
