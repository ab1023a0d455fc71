//! A snapshot as a profile for `go tool pprof`.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use super::Snapshot;
use crate::report::pprof::{self, Counted};

impl Snapshot {
    /// A gzipped profile like the program's own goroutine profile (`runtime/pprof`): a sample for
    /// each stack and its labels, counted; without the goroutines of the runtime itself. One that
    /// has no stack stands with the function it started.
    ///
    /// # Errors
    /// The output's.
    pub fn pprof(&self, output: &mut impl Write) -> io::Result<()> {
        let own = self.groups.iter().filter(|group| !group.system);
        let counted = own.map(|group| Counted {
            stack: group.stack.as_deref(),
            start: &group.start,
            labels: group.labels.as_ref(),
            count: group.count,
        });
        pprof::write(output, "goroutine", &self.process, &self.taken_at, counted)
    }
}
