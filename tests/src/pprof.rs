//! What `go tool pprof` says of a profile.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::go::Toolchain;

/// A stack, innermost first, each frame as `function file:line`, and its labels as `key: value`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    /// The labels, in order.
    pub labels: Vec<String>,
    /// The frames.
    pub frames: Vec<String>,
}

/// What one of its reports (`-top`, `-raw`) says.
///
/// # Errors
/// It refuses the profile.
pub fn report(toolchain: &Toolchain, report: &[&str], profile: &Path) -> Result<String> {
    let done = toolchain
        .go()
        .args(["tool", "pprof"])
        .args(report)
        .arg(profile)
        .output()?;
    ensure!(
        done.status.success(),
        "go tool pprof {report:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(String::from_utf8(done.stdout)?)
}

/// All samples and their counts.
///
/// # Errors
/// pprof refuses the profile, or writes what is not understood.
pub fn samples(toolchain: &Toolchain, profile: &Path) -> Result<BTreeMap<Sample, u64>> {
    parse(&report(toolchain, &["-traces", "-lines"], profile)?)
}

fn parse(traces: &str) -> Result<BTreeMap<Sample, u64>> {
    let mut samples = BTreeMap::new();
    // Before the first line of dashes stands what the profile is of.
    for block in traces.split("-----------+").skip(1) {
        let mut labels = Vec::new();
        let mut frames = Vec::new();
        let mut count: Option<u64> = None;
        for line in block.lines().skip(1) {
            let line = line.trim();
            let frame = match (count, line.split_once(' ')) {
                (None, Some((number, frame))) if number.parse::<u64>().is_ok() => {
                    count = number.parse().ok();
                    frame
                }
                (None, Some((key, value))) if key.ends_with(':') => {
                    labels.push(format!("{key} {}", value.trim()));
                    continue;
                }
                (None, _) => continue,
                (Some(_), _) => line,
            };
            let frame = frame.trim();
            frames.push(frame.strip_suffix(" (inline)").unwrap_or(frame).to_owned());
        }
        // Behind the last line of dashes stands nothing.
        if frames.is_empty() {
            continue;
        }
        labels.sort();
        let count = count.with_context(|| format!("no count in {block:?}"))?;
        *samples.entry(Sample { labels, frames }).or_default() += count;
    }
    ensure!(!samples.is_empty(), "no samples in {traces:?}");
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::{Sample, parse};

    #[test]
    fn traces() {
        let text = "File: counters\nType: goroutine\n\
            -----------+---------------\n    tenant:  1\n  endpoint:  /a b\n\
            \x20        3   main.send /x.go:3\n             main.f /x.go:9 (inline)\n\
            -----------+---------------\n         1   main.main /x.go:1\n\
            -----------+---------------\n";
        let sample = |labels: &[&str], frames: &[&str]| Sample {
            labels: labels.iter().map(|&s| s.into()).collect(),
            frames: frames.iter().map(|&s| s.into()).collect(),
        };
        let parsed = parse(text).unwrap();
        assert_eq!(parsed.len(), 2);
        let labels = ["endpoint: /a b", "tenant: 1"];
        assert_eq!(
            parsed[&sample(&labels, &["main.send /x.go:3", "main.f /x.go:9"])],
            3
        );
        assert_eq!(parsed[&sample(&[], &["main.main /x.go:1"])], 1);
        assert!(parse("File: counters\n").is_err());
    }
}
