//! Proven leaks as a profile for `go tool pprof`.

use std::io::{self, Write};

use super::Proof;
use crate::report::pprof::{self, Counted};

impl Proof {
    /// A gzipped profile like the one that Go 1.27 writes of itself (`goroutineleak`,
    /// <https://github.com/golang/go/blob/go1.27.4/src/runtime/pprof/pprof.go>): proven goroutines only,
    /// a sample for each stack and its labels, counted. One that has no stack stands with the function
    /// it started.
    ///
    /// # Errors
    /// The output's.
    pub fn pprof(&self, output: &mut impl Write) -> io::Result<()> {
        let counted = self.leaked.iter().map(|group| Counted {
            stack: group.stack.as_deref(),
            start: &group.start,
            labels: group.labels.as_ref(),
            count: group.count,
        });
        pprof::write(
            output,
            "goroutineleak",
            &self.process,
            &self.taken_at,
            counted,
        )
    }
}
