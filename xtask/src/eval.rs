//! How good the verdicts are: `gostray-eval` of the `tests` crate, on an agent as people run it.

use crate::{
    bench,
    setup::{self, Needs, apt::is_root},
    shell,
};
use anyhow::{Result, bail};
use clap::Args;

/// What is handed on to `gostray-eval`, which knows what each means.
#[derive(Args)]
pub(crate) struct Options {
    /// Go releases to build the programs with: `all`, `newest` or `oldest+newest`
    #[arg(long, default_value = "oldest+newest")]
    releases: String,
    /// How long each healthy program is watched
    #[arg(long, default_value = "5")]
    minutes: String,
    /// How many programs run at a time; without it twelve for each processor
    #[arg(long)]
    jobs: Option<String>,
    /// How to write the outcome: `text`, `markdown` or `json`
    #[arg(long, default_value = "text")]
    format: String,
    /// A directory in which all that the agents say is kept, a file for each program
    #[arg(long)]
    keep: Option<String>,
    /// Only these programs
    names: Vec<String>,
}

impl Options {
    fn arguments(&self) -> Vec<&str> {
        let mut arguments = vec![
            "--releases",
            &self.releases,
            "--minutes",
            &self.minutes,
            "--format",
            &self.format,
        ];
        if let Some(jobs) = &self.jobs {
            arguments.extend(["--jobs", jobs]);
        }
        if let Some(keep) = &self.keep {
            arguments.extend(["--keep", keep]);
        }
        arguments.extend(self.names.iter().map(String::as_str));
        arguments
    }
}

/// Runs it; an error when a target was missed.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !is_root() {
        bail!("watching other programs takes root");
    }
    let go = setup::ensure(&Needs {
        servers: false,
        ..Needs::everything()
    })?;
    let mut eval = bench::command("gostray-eval", &go)?;
    eval.args(options.arguments());
    shell::step("verdicts on programs that leak, and on healthy ones that look like it");
    shell::run(&mut eval)
}

#[cfg(test)]
mod tests {
    use super::Options;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn what_is_given_is_handed_on() {
        let line = "eval --jobs 4 bursts --minutes 1 --keep kept warm-up";
        let options = Line::parse_from(line.split(' ')).options;
        assert_eq!(
            options.arguments().join(" "),
            "--releases oldest+newest --minutes 1 --format text --jobs 4 --keep kept bursts warm-up"
        );
    }
}
