//! The text of Go's `goroutine` profile with `debug=2`, as `runtime.Stack` prints it.
//!
//! It is the oracle for stacks, so nothing is guessed: a line that is not understood is an error.

use anyhow::{Context, Result, bail, ensure};

/// A code place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Without arguments.
    pub function: String,
    /// Source file.
    pub file: String,
    /// Line in it.
    pub line: u64,
}

/// One goroutine of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dumped {
    /// Its number.
    pub goid: u64,
    /// The word in brackets: a wait reason or a state.
    pub state: String,
    /// Whether it is locked to its thread.
    pub locked: bool,
    /// Innermost first; `None` while it ran on another thread.
    pub stack: Option<Vec<Place>>,
    /// How many frames of the stack precede those that were left out, and how many those are,
    /// where it says so (from Go 1.21 on).
    pub elided: Option<(usize, Option<usize>)>,
    /// The `go` statement, and the goroutine that executed it (from Go 1.21 on).
    pub created_by: Option<(Place, Option<u64>)>,
}

impl Dumped {
    /// Compares with a whole stack; what the dump leaves out must be as long as it says.
    #[must_use]
    pub fn has_stack(&self, stack: &[Place]) -> bool {
        let Some(own) = &self.stack else {
            return false;
        };
        let Some((at, left_out)) = self.elided else {
            return own == stack;
        };
        let (inner, outer) = own.split_at(at);
        let between = stack.len().checked_sub(own.len());
        stack.starts_with(inner)
            && stack.ends_with(outer)
            && between.is_some_and(|n| left_out.map_or(n > 0, |wanted| n == wanted))
    }
}

/// All goroutines of a dump; the first is the one that made it.
///
/// # Errors
/// A line is not understood.
pub fn parse(text: &str) -> Result<Vec<Dumped>> {
    text.split("\n\n")
        .map(str::trim_end)
        .filter(|block| !block.is_empty())
        .map(|block| goroutine(block).with_context(|| format!("in {block:?}")))
        .collect()
}

fn goroutine(block: &str) -> Result<Dumped> {
    let mut lines = block.lines();
    let mut dumped = header(lines.next().context("no header")?)?;
    let mut stack = Vec::new();
    let mut running = false;
    while let Some(line) = lines.next() {
        if line == "\tgoroutine running on other thread; stack unavailable" {
            running = true;
        } else if let Some(left_out) = line
            .strip_prefix("...")
            .and_then(|l| l.strip_suffix(" frames elided..."))
        {
            // "additional" before Go 1.21, then their number.
            dumped.elided = Some((stack.len(), left_out.parse().ok()));
        } else if let Some(creator) = line.strip_prefix("created by ") {
            let (function, parent) = match creator.split_once(" in goroutine ") {
                Some((function, parent)) => (function, Some(parent.parse()?)),
                None => (creator, None),
            };
            let place = place(function, lines.next().context("created nowhere")?)?;
            dumped.created_by = Some((place, parent));
        } else {
            // Receivers and closures have parentheses of their own, but the arguments come last.
            let end = line.rfind('(').context("neither a call nor a note")?;
            let place = place(&line[..end], lines.next().context("a call nowhere")?)?;
            stack.push(place);
        }
    }
    ensure!(!running || stack.is_empty(), "it runs and has a stack");
    dumped.stack = (!running).then_some(stack);
    Ok(dumped)
}

/// `goroutine 7 [chan receive (nil chan), 3 minutes, locked to thread]:`
fn header(line: &str) -> Result<Dumped> {
    let rest = line.strip_prefix("goroutine ").context("no goroutine")?;
    let (goid, rest) = rest.split_once(" [").context("no state")?;
    // Behind the bracket there may be labels.
    let (inside, _) = rest.split_once(']').context("no end of the state")?;
    let mut words = inside.split(", ");
    let state = words.next().context("an empty state")?;
    let mut dumped = Dumped {
        goid: goid.parse()?,
        state: state.strip_suffix(" (scan)").unwrap_or(state).to_owned(),
        locked: false,
        stack: None,
        elided: None,
        created_by: None,
    };
    for word in words {
        match word {
            "locked to thread" => dumped.locked = true,
            word if word.ends_with(" minutes") => {}
            other => bail!("{other:?} in the header"),
        }
    }
    Ok(dumped)
}

/// `main.f` and `\t/src/main.go:7 +0x1d`.
fn place(function: &str, line: &str) -> Result<Place> {
    let place = line.strip_prefix('\t').context("no place")?;
    let place = place.split_once(" +0x").map_or(place, |(place, _)| place);
    let (file, line) = place.rsplit_once(':').context("no line")?;
    Ok(Place {
        function: function.to_owned(),
        file: file.to_owned(),
        line: line.parse()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "\
goroutine 1 [running]:
main.(*T[...]).dump.func1({0x84b2e0, 0x1acc86f9b050}, 0x40dd95?)
\t/src/a b:c/main.go:24 +0x54
panic({0x1, 0x2})
\t/go/src/runtime/panic.go:859 +0x125
main.inlined(...)
\t/src/main.go:7

goroutine 18 [chan receive (nil chan), 3 minutes, locked to thread]:
main.f(0x1)
\t/src/main.go:9 +0x1
...103 frames elided...
main.g()
\t/src/main.go:12 +0x2
created by main.main in goroutine 1
\t/src/main.go:100 +0x16f

goroutine 5 [select (no cases) (scan)]:
main.f(0x1)
\t/src/main.go:9 +0x1
...additional frames elided...
created by main.main
\t/src/main.go:100 +0x16f

goroutine 6 [running]:
\tgoroutine running on other thread; stack unavailable
created by main.main
\t/src/main.go:100 +0x16f
";

    fn at(function: &str, line: u64) -> Place {
        Place {
            function: function.into(),
            file: "/src/main.go".into(),
            line,
        }
    }

    #[test]
    fn a_dump_is_read_as_go_prints_it() {
        let all = parse(DUMP).unwrap();
        let stack = all[0].stack.as_ref().unwrap();
        assert_eq!(stack[0].function, "main.(*T[...]).dump.func1");
        assert_eq!(
            (stack[0].file.as_str(), stack[0].line),
            ("/src/a b:c/main.go", 24)
        );
        assert_eq!(stack[1].function, "panic");
        assert_eq!(stack[2], at("main.inlined", 7));
        assert_eq!(all[0].created_by, None);

        assert_eq!((all[1].goid, all[1].locked), (18, true));
        assert_eq!(all[1].state, "chan receive (nil chan)");
        assert_eq!(all[1].created_by, Some((at("main.main", 100), Some(1))));

        assert_eq!(all[2].state, "select (no cases)");
        assert_eq!(all[2].created_by, Some((at("main.main", 100), None)));
        assert_eq!(all[3].stack, None);
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let all = parse(DUMP).unwrap();
        let whole = |between: usize| {
            let mut stack = vec![at("main.f", 9)];
            stack.extend(std::iter::repeat_n(at("main.f", 10), between));
            stack.push(at("main.g", 12));
            stack
        };
        assert!(all[1].has_stack(&whole(103)));
        assert!(!all[1].has_stack(&whole(102)));
        assert!(!all[1].has_stack(&[at("main.f", 9), at("main.g", 12)]));
        assert!(all[2].has_stack(&whole(1)));
        assert!(!all[2].has_stack(&[at("main.f", 9)]));
        assert!(!all[2].has_stack(&whole(1)[1..]));
        assert!(!all[3].has_stack(&[]));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for bad in [
            "goroutine x [running]:",
            "goroutine 1 [running, on holiday]:",
            "goroutine 1 [running]:\nno call",
            "goroutine 1 [running]:\nmain.f()",
            "goroutine 1 [running]:\nmain.f()\nmain.go:1",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
