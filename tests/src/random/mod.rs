//! Small random Go programs of which it is known whether each goroutine is leaked.
//!
//! A program is a graph: what goroutines wait on, what refers to what, who lives. Its truth follows from
//! the graph alone, before there is any code.

/// The graph, and the truth about it.
pub mod graph;
/// Go code that makes the graph.
pub mod write;

use std::path::PathBuf;

use anyhow::Result;

use crate::go::{self, Toolchain};

/// Numbers from a seed, the same everywhere: SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts at this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.any() % end).unwrap_or(0)
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// Builds programs 0 to `number` of a seed into one binary, whose argument chooses one.
///
/// # Errors
/// The build fails.
pub fn build(seed: u64, number: usize, toolchain: &Toolchain) -> Result<PathBuf> {
    let mut files = vec![("main.go".to_owned(), include_str!("support.go").to_owned())];
    for index in 0..number {
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(index as u64));
        let graph = graph::Graph::random(&mut random);
        let text = write::program(&graph, index, &mut random);
        files.push((format!("prog_{index:03}.go"), text));
    }
    go::build_files("random", &files, toolchain)
}
