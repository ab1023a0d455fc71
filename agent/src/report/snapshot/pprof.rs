//! A snapshot as a profile for `go tool pprof`.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use super::Snapshot;
use crate::report::pprof::{
    self, Counted,
    text::{self, One},
};

impl Snapshot {
    /// A gzipped profile like the program's own goroutine profile (`runtime/pprof`): a sample for
    /// each stack and its labels, counted; without the goroutines of the runtime itself. One that
    /// has no stack stands with the function it started.
    ///
    /// # Errors
    /// The output's.
    pub fn pprof(&self, output: &mut impl Write) -> io::Result<()> {
        let kind = "goroutine";
        pprof::write(output, kind, &self.process, &self.taken_at, self.counted())
    }

    /// The same as text for people, as `runtime/pprof` writes it with `debug=1`; in place of addresses,
    /// which are not known, stand numbers.
    ///
    /// # Errors
    /// The output's.
    pub fn counted_text(&self, output: &mut impl Write) -> io::Result<()> {
        text::counted(output, "goroutine", self.counted())
    }

    /// Each goroutine for itself, as in a panic and as `runtime/pprof` writes it with `debug=2`, without those
    /// of the runtime itself. For a snapshot in which each is a group; of a larger group only the
    /// goroutines that it names are written.
    ///
    /// # Errors
    /// The output's.
    pub fn tracebacks(&self, output: &mut impl Write) -> io::Result<()> {
        let mut all: Vec<One<'_>> = Vec::new();
        for group in self.groups.iter().filter(|group| !group.system) {
            let parents = group.parent_goids.iter().copied();
            let parents = parents.chain(std::iter::repeat(0));
            all.extend(group.goids.iter().zip(parents).map(|(goid, parent)| One {
                goid: *goid,
                state: group.wait_reason.as_deref().unwrap_or(&group.state).into(),
                waits_seconds: group.oldest_seconds,
                locked_to_thread: group.locked_to_thread > 0,
                stack: group.stack.as_deref(),
                created_at: group.created_at.as_ref(),
                parent,
            }));
        }
        all.sort_by_key(|one| one.goid);
        text::tracebacks(output, all.into_iter())
    }

    fn counted(&self) -> impl Iterator<Item = Counted<'_>> {
        let own = self.groups.iter().filter(|group| !group.system);
        own.map(|group| Counted {
            stack: group.stack.as_deref(),
            start: &group.start,
            labels: group.labels.as_ref(),
            count: group.count,
        })
    }
}
