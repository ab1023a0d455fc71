//! What the command line asks for.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// Which Go releases the programs are built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Releases {
    /// Each there is.
    All,
    /// The newest alone.
    Newest,
    /// The two ends of what is supported.
    OldestAndNewest,
}

/// How the outcome is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A table for a terminal.
    Text,
    /// The same for the documentation.
    Markdown,
    /// For programs.
    Json,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `--releases`
    pub releases: Releases,
    /// `--minutes`: how long healthy programs are watched.
    pub healthy: Duration,
    /// `--jobs`: how many programs run at a time.
    pub jobs: usize,
    /// `--format`
    pub format: Format,
    /// `--keep`: a directory for all that the agents say, a file for each program.
    pub keep: Option<PathBuf>,
    /// The programs to run; all of them if empty.
    pub names: Vec<String>,
}

impl Options {
    /// Takes arguments apart.
    ///
    /// # Errors
    /// One is not understood.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            releases: Releases::OldestAndNewest,
            healthy: Duration::from_secs(300),
            jobs: default_jobs(),
            format: Format::Text,
            keep: None,
            names: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            if !argument.starts_with('-') {
                options.names.push(argument);
                continue;
            }
            let value = arguments
                .next()
                .with_context(|| format!("{argument} is not known, or lacks its value"))?;
            match argument.as_str() {
                "--releases" => {
                    options.releases = match value.as_str() {
                        "all" => Releases::All,
                        "newest" => Releases::Newest,
                        "oldest+newest" => Releases::OldestAndNewest,
                        _ => bail!("--releases takes all, newest or oldest+newest, not {value}"),
                    }
                }
                "--minutes" => options.healthy = minutes(&value)?,
                "--jobs" => {
                    options.jobs = value.parse().context("--jobs takes a number")?;
                    ensure!(options.jobs > 0, "--jobs takes a number above zero");
                }
                "--keep" => options.keep = Some(value.into()),
                "--format" => {
                    options.format = match value.as_str() {
                        "text" => Format::Text,
                        "markdown" => Format::Markdown,
                        "json" => Format::Json,
                        _ => bail!("--format takes text, markdown or json, not {value}"),
                    }
                }
                _ => bail!("{argument} is not known"),
            }
        }
        Ok(options)
    }
}

/// Programs and agents sleep most of the time, so many share a processor: sixteen programs and their
/// agents were measured to take a tenth of one. What limits them is memory, some 60 MB for each pair.
fn default_jobs() -> usize {
    12 * std::thread::available_parallelism().map_or(1, usize::from)
}

fn minutes(value: &str) -> Result<Duration> {
    let minutes: f64 = value.parse().context("--minutes takes a number")?;
    ensure!(
        minutes > 0.0 && minutes <= 24.0 * 60.0,
        "--minutes takes more than zero, and a day at most"
    );
    Ok(Duration::from_secs_f64(minutes * 60.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(line.split_ascii_whitespace().map(str::to_owned))
    }

    #[test]
    fn everything_has_a_default() {
        let options = parse("").unwrap();
        assert_eq!(options.releases, Releases::OldestAndNewest);
        assert_eq!(options.healthy, Duration::from_secs(300));
        assert!(options.jobs >= 12 && options.names.is_empty());
    }

    #[test]
    fn options_and_names_in_any_order() {
        let options =
            parse("bursts --releases newest --minutes 1.5 --jobs 3 --format json warm-up").unwrap();
        assert_eq!(options.names, ["bursts", "warm-up"]);
        assert_eq!(options.releases, Releases::Newest);
        assert_eq!(options.healthy, Duration::from_secs(90));
        assert_eq!((options.jobs, options.format), (3, Format::Json));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for wrong in [
            "--releases old",
            "--minutes 0",
            "--minutes NaN",
            "--jobs 0",
            "--jobs",
            "--fast yes",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
