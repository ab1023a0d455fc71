//! `gostray prove`: its arguments.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Target;
use crate::config::duration;
use crate::{
    detect::Verdict,
    governor::bytes_of,
    session::{DEFAULT_PASSES, ProveOptions},
};

/// `gostray prove`.
#[derive(Clone, Debug, Args)]
pub struct ProveArguments {
    /// The process.
    #[command(flatten)]
    pub target: Target,
    /// Say what keeps this goroutine alive instead: the way from something that lives to what it waits
    /// on.
    #[arg(long, value_name = "GOID", value_parser = clap::value_parser!(u64).range(1..))]
    pub why: Option<u64>,
    /// Passes over the heap that have to agree (2 to 100). More are surer of programs that hand what is
    /// waited on around quickly, and take longer.
    #[arg(
        long, value_name = "N", default_value_t = DEFAULT_PASSES,
        value_parser = clap::value_parser!(u32).range(2..=100)
    )]
    pub passes: u32,
    /// Time between two passes (up to 1h).
    #[arg(long, value_name = "TIME", value_parser = pause, default_value = "1s")]
    pub pause_between: Duration,
    /// Refuse a Go heap that is larger. A pass reads all of it that may hold pointers, and of none
    /// keeps a copy.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "16GiB")]
    pub max_heap: u64,
    /// How to write.
    #[arg(long, value_enum, default_value_t = ProveFormat::Text)]
    pub format: ProveFormat,
    /// End with status 3 when a leak as sure as this, or surer, is found. What `prove` finds is
    /// proven.
    #[arg(long, value_enum, value_name = "VERDICT")]
    pub fail_on: Option<FailOn>,
    /// Do not tell on stderr how far it has come, also where that is a terminal.
    #[arg(long)]
    pub no_progress: bool,
}

impl ProveArguments {
    /// How to prove.
    #[must_use]
    pub fn options(&self) -> ProveOptions {
        ProveOptions {
            passes: self.passes,
            pause: self.pause_between,
            max_heap_bytes: self.max_heap,
        }
    }

    /// What does not go together.
    pub(super) fn conflict(&self) -> Option<&'static str> {
        (self.why.is_some() && self.format == ProveFormat::Pprof)
            .then_some("what keeps a goroutine alive (--why) is written as text or json only")
    }
}

/// Formats of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProveFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For `go tool pprof`, as Go 1.27's own goroutineleak profile: the proven ones only.
    Pprof,
}

/// How sure a leak has to be for status 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Something is unusual.
    Suspect,
    /// Goroutines get old and more and more.
    Likely,
    /// What they wait for cannot come any more.
    Proven,
}

impl FailOn {
    /// The least verdict that counts.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Suspect => Verdict::Suspect,
            Self::Likely => Verdict::Likely,
            Self::Proven => Verdict::Proven,
        }
    }
}

fn pause(text: &str) -> Result<Duration, String> {
    let pause = duration(text)?;
    if pause <= Duration::from_secs(3600) {
        Ok(pause)
    } else {
        Err("a pause takes no longer than 1h".into())
    }
}

fn size(text: &str) -> Result<u64, String> {
    bytes_of(text).filter(|bytes| *bytes > 0).ok_or_else(|| {
        format!("`{text}` is no size; write a number and its unit, such as 512MB or 16GiB")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::DEFAULT_PAUSE;

    #[test]
    fn defaults_are_those_of_a_proof() {
        assert_eq!(size("16GiB"), Ok(ProveOptions::DEFAULT_MAX_HEAP_BYTES));
        assert_eq!(pause("1s"), Ok(DEFAULT_PAUSE));
    }

    #[test]
    fn sizes() {
        assert_eq!(size("512MB"), Ok(512_000_000));
        assert_eq!(size("1 GiB"), Ok(1 << 30));
        for bad in ["", "5", "0MB", "GB", "-1GB", "99999999999999999999GB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
