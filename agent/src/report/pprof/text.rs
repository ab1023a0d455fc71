//! Goroutines as Go programs write them of themselves for people: counted by stack, or one by one.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    io::{self, Write},
};

use super::{Counted, Labels};
use crate::report::{Place, words::harmless};

/// The form of `debug=1`
/// (`printCountProfile` in <https://github.com/golang/go/blob/go1.27.4/src/runtime/pprof/pprof.go>).
///
/// Places have no addresses. Where Go has them stand numbers, the same for the same place, and no offset
/// into the function.
pub(in crate::report) fn counted<'a>(
    output: &mut impl Write,
    kind: &str,
    goroutines: impl Iterator<Item = Counted<'a>>,
) -> io::Result<()> {
    let mut samples: BTreeMap<(&[Place], Option<&Labels>), u64> = BTreeMap::new();
    let mut total = 0;
    for group in goroutines {
        let sample = (group.places(), group.labels);
        *samples.entry(sample).or_default() += group.count;
        total += group.count;
    }
    writeln!(output, "{kind} profile: total {total}")?;
    let mut samples: Vec<_> = samples.into_iter().collect();
    samples.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut numbers: HashMap<&Place, usize> = HashMap::new();
    for ((places, labels), count) in samples {
        write!(output, "{count} @")?;
        for place in places {
            let next = numbers.len() + 1;
            write!(output, " {:#x}", numbers.entry(place).or_insert(next))?;
        }
        writeln!(output)?;
        if let Some(labels) = labels {
            let quoted =
                |(key, value): (&String, &String)| format!("{}:{}", quoted(key), quoted(value));
            let labels: Vec<_> = labels.iter().map(quoted).collect();
            writeln!(output, "# labels: {{{}}}", labels.join(", "))?;
        }
        // As Go does it: what a goroutine does inside the runtime tells nobody anything.
        let own = places.iter().position(|place| !of_the_runtime(place));
        for place in &places[own.unwrap_or(0)..] {
            let function = harmless(&place.function);
            writeln!(
                output,
                "#\t{:#x}\t{function}\t{}",
                numbers[place],
                line(place)
            )?;
        }
        writeln!(output)?;
    }
    output.flush()
}

/// One goroutine.
pub(in crate::report) struct One<'a> {
    pub(in crate::report) goid: u64,
    /// What it waits for, or its state.
    pub(in crate::report) state: Cow<'a, str>,
    pub(in crate::report) waits_seconds: Option<f64>,
    pub(in crate::report) locked_to_thread: bool,
    /// `None` where it runs, or where it could not be followed.
    pub(in crate::report) stack: Option<&'a [Place]>,
    pub(in crate::report) created_at: Option<&'a Place>,
    /// 0 where that is not known.
    pub(in crate::report) parent: u64,
}

/// The form of `debug=2`, that of a panic
/// (`goroutineheader` in <https://github.com/golang/go/blob/go1.27.4/src/runtime/traceback.go>).
/// Arguments are not known, and written as those of inlined calls; nor are offsets into functions.
pub(in crate::report) fn tracebacks<'a>(
    output: &mut impl Write,
    goroutines: impl Iterator<Item = One<'a>>,
) -> io::Result<()> {
    for (n, one) in goroutines.enumerate() {
        if n > 0 {
            writeln!(output)?;
        }
        write!(output, "goroutine {} [{}", one.goid, harmless(&one.state))?;
        let minutes = one.waits_seconds.map_or(0.0, |seconds| seconds / 60.0);
        if minutes >= 1.0 {
            write!(output, ", {} minutes", minutes.floor())?;
        }
        if one.locked_to_thread {
            write!(output, ", locked to thread")?;
        }
        writeln!(output, "]:")?;
        match one.stack {
            // The first in Go's own words.
            None if one.state == "running" => writeln!(
                output,
                "\tgoroutine running on other thread; stack unavailable"
            )?,
            None => writeln!(output, "\tstack unavailable")?,
            Some(stack) => {
                for place in stack {
                    writeln!(output, "{}(...)", harmless(&place.function))?;
                    writeln!(output, "\t{}", line(place))?;
                }
            }
        }
        if let Some(created_at) = one.created_at {
            write!(output, "created by {}", harmless(&created_at.function))?;
            if one.parent > 0 {
                write!(output, " in goroutine {}", one.parent)?;
            }
            writeln!(output, "\n\t{}", line(created_at))?;
        }
    }
    output.flush()
}

fn of_the_runtime(place: &Place) -> bool {
    let name = &place.function;
    name.starts_with("runtime.") || name.starts_with("internal/runtime/")
}

/// `file:line`, with Go's words for what is not known.
fn line(place: &Place) -> String {
    let file = place.file.as_deref().unwrap_or("?");
    format!("{}:{}", harmless(file), place.line.unwrap_or(0))
}

/// As `%q` of Go writes it, near enough: whatever is no plain text is escaped.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}
