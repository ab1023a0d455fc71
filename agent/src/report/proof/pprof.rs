//! Proven leaks as a profile for `go tool pprof`.

use std::io::{self, Write};

use super::Proof;
use crate::report::pprof::{
    self, Counted,
    text::{self, One},
};

impl Proof {
    /// A gzipped profile like the one that Go 1.27 writes of itself (`goroutineleak`,
    /// <https://github.com/golang/go/blob/go1.27.4/src/runtime/pprof/pprof.go>): proven goroutines only,
    /// a sample for each stack and its labels, counted. One that has no stack stands with the function
    /// it started.
    ///
    /// # Errors
    /// The output's.
    pub fn pprof(&self, output: &mut impl Write) -> io::Result<()> {
        let kind = "goroutineleak";
        pprof::write(output, kind, &self.process, &self.taken_at, self.counted())
    }

    /// The same as text for people, as `runtime/pprof` writes it with `debug=1`; in place of addresses,
    /// which are not known, stand numbers.
    ///
    /// # Errors
    /// The output's.
    pub fn counted_text(&self, output: &mut impl Write) -> io::Result<()> {
        text::counted(output, "goroutineleak", self.counted())
    }

    /// Each proven goroutine for itself, as `runtime/pprof` writes it with `debug=2`.
    ///
    /// # Errors
    /// The output's.
    pub fn tracebacks(&self, output: &mut impl Write) -> io::Result<()> {
        let mut all: Vec<One<'_>> = Vec::new();
        for group in &self.leaked {
            let state = group.wait_reason.as_deref().unwrap_or("waiting");
            all.extend(group.goids.iter().map(|goid| One {
                goid: *goid,
                state: format!("{state} (leaked)").into(),
                // Of one of them only.
                waits_seconds: None,
                locked_to_thread: false,
                stack: group.stack.as_deref(),
                created_at: group.created_at.as_ref(),
                parent: 0,
            }));
        }
        all.sort_by_key(|one| one.goid);
        text::tracebacks(output, all.into_iter())
    }

    fn counted(&self) -> impl Iterator<Item = Counted<'_>> {
        self.leaked.iter().map(|group| Counted {
            stack: group.stack.as_deref(),
            start: &group.start,
            labels: group.labels.as_ref(),
            count: group.count,
        })
    }
}
