//! `gostray snapshot`: its model, as text, and as folded stacks.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde::Serialize;

use super::{Place, ProcessInfo, Unknown, words};

/// All goroutines of a process, grouped.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// The process.
    pub process: ProcessInfo,
    /// Its pid.
    pub pid: i32,
    /// When, RFC 3339.
    pub taken_at: String,
    /// Goroutines alive, the runtime's own included.
    pub goroutines: u64,
    /// Goroutines with the same place, state and stack; the largest group first.
    pub groups: Vec<Group>,
    /// What could not be read, and of how many goroutines.
    pub defects: BTreeMap<&'static str, u64>,
}

/// Goroutines that have everything in common.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// As in Go's tracebacks: `waiting`, `syscall`, `runnable`, …
    pub state: &'static str,
    /// The runtime's word for what they wait for; null unless they wait.
    pub wait_reason: Option<String>,
    /// The `go` statement; null for the main goroutine.
    pub created_at: Option<Place>,
    /// The function it starts.
    pub start: Place,
    /// It belongs to the Go runtime.
    pub system: bool,
    /// Where they are, innermost first; null while they run.
    pub stack: Option<Vec<Place>>,
    /// At least so long the first of them has waited.
    pub oldest_seconds: Option<f64>,
    /// Their stacks together.
    pub stack_bytes: u64,
    /// pprof labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// At most ten of them, the oldest.
    pub goids: Vec<u64>,
    /// Why a field is null.
    pub unknown: Unknown,
}

/// Which goroutines are wanted: those that meet all that is set.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In this state, as [`Group::state`] has it.
    pub state: Option<String>,
    /// Waiting for something whose name contains this.
    pub wait: Option<String>,
    /// Known to wait for at least so long.
    pub min_age: Option<std::time::Duration>,
}

impl Filter {
    fn wants(&self, group: &Group) -> bool {
        let state = self.state.as_ref().is_none_or(|state| state == group.state);
        let wait = self.wait.as_ref().is_none_or(|wait| {
            let reason = group.wait_reason.as_deref();
            reason.is_some_and(|reason| reason.contains(wait.as_str()))
        });
        let age = self.min_age.is_none_or(|age| {
            let oldest = group.oldest_seconds;
            oldest.is_some_and(|oldest| oldest >= age.as_secs_f64())
        });
        state && wait && age
    }
}

impl Snapshot {
    /// Leaves only the groups that are wanted. `goroutines` stays the number of all.
    pub fn retain(&mut self, filter: &Filter) {
        self.groups.retain(|group| filter.wants(group));
    }

    /// Text for people, a paragraph a group.
    ///
    /// # Errors
    /// The output's.
    pub fn text(&self, output: &mut impl Write) -> io::Result<()> {
        writeln!(
            output,
            "{} goroutines in {} groups: pid {} {} ({})",
            self.goroutines,
            self.groups.len(),
            self.pid,
            self.process.exe,
            self.process.go_version,
        )?;
        for (reason, count) in &self.defects {
            writeln!(output, "not read: {count}, because {reason}")?;
        }
        self.groups.iter().try_for_each(|group| group.text(output))
    }

    /// One line a group, outermost function first and the count last, as flame graph tools read
    /// it. Below the stack stands what they wait for.
    ///
    /// # Errors
    /// The output's.
    pub fn folded(&self, output: &mut impl Write) -> io::Result<()> {
        let mut lines: BTreeMap<String, u64> = BTreeMap::new();
        for group in &self.groups {
            *lines.entry(group.folded()).or_default() += group.count;
        }
        lines
            .iter()
            .try_for_each(|(stack, count)| writeln!(output, "{stack} {count}"))
    }
}

impl Group {
    fn text(&self, output: &mut impl Write) -> io::Result<()> {
        write!(
            output,
            "\n{} {}",
            self.count,
            self.wait_reason.as_deref().unwrap_or(self.state)
        )?;
        if let Some(seconds) = self.oldest_seconds {
            write!(output, ", for at least {}", words::seconds(seconds))?;
        }
        let more = if self.count > self.goids.len() as u64 {
            ", …"
        } else {
            ""
        };
        let goids: Vec<String> = self.goids.iter().map(u64::to_string).collect();
        writeln!(output, " (goroutines {}{more})", goids.join(", "))?;
        match &self.created_at {
            Some(place) => writeln!(
                output,
                "  go {} at {}",
                self.start.function,
                words::line(place)
            )?,
            None => writeln!(output, "  {}", self.start.function)?,
        }
        for place in self.stack.iter().flatten() {
            writeln!(output, "    {}", place.function)?;
            writeln!(output, "        {}", words::line(place))?;
        }
        Ok(())
    }

    fn folded(&self) -> String {
        let outermost_first = self.stack.iter().flatten().rev();
        let mut frames: Vec<&str> = outermost_first.map(|place| &*place.function).collect();
        if frames.is_empty() {
            frames.push(&self.start.function);
        }
        frames.push(self.wait_reason.as_deref().unwrap_or(self.state));
        // A semicolon separates frames, and no Go name has one.
        frames.join(";")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(function: &str, line: u32) -> Place {
        Place {
            function: function.into(),
            file: Some("/src/search.go".into()),
            line: Some(line),
        }
    }

    fn snapshot() -> Snapshot {
        let waiting = Group {
            count: 53,
            state: "waiting",
            wait_reason: Some("chan send".into()),
            created_at: Some(place("main.search", 35)),
            start: place("main.search.func1", 35),
            system: false,
            stack: Some(vec![place("main.send", 9), place("main.search.func1", 36)]),
            oldest_seconds: Some(130.0),
            stack_bytes: 2048 * 53,
            labels: None,
            goids: vec![18, 19, 24],
            unknown: Unknown::new(),
        };
        let main = Group {
            count: 1,
            state: "running",
            wait_reason: None,
            created_at: None,
            start: place("runtime.main", 147),
            stack: None,
            oldest_seconds: None,
            goids: vec![1],
            ..waiting.clone()
        };
        Snapshot {
            process: crate::report::samples::attached().process,
            pid: 4711,
            taken_at: "2026-11-20T21:28:31.000Z".into(),
            goroutines: 54,
            groups: vec![waiting, main],
            defects: BTreeMap::from([("its memory is not mapped", 2)]),
        }
    }

    fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut output = Vec::new();
        write(&mut output).expect("writes to memory");
        String::from_utf8(output).expect("text")
    }

    #[test]
    fn a_filter_keeps_what_meets_all_of_it() {
        let kept = |filter: Filter| {
            let mut snapshot = snapshot();
            snapshot.retain(&filter);
            snapshot.groups.iter().map(|g| g.count).sum::<u64>()
        };
        let wait = |wait: &str| Filter {
            wait: Some(wait.into()),
            ..Filter::default()
        };
        assert_eq!(kept(Filter::default()), 54);
        assert_eq!(kept(wait("chan")), 53);
        assert_eq!(kept(wait("select")), 0);
        let running = Filter {
            state: Some("running".into()),
            ..Filter::default()
        };
        assert_eq!(kept(running), 1);
        let older = |seconds| Filter {
            min_age: Some(std::time::Duration::from_secs(seconds)),
            ..wait("chan send")
        };
        assert_eq!((kept(older(130)), kept(older(131))), (53, 0));
    }

    #[test]
    fn as_text() {
        insta::assert_snapshot!(written(|output| snapshot().text(output)), @r"
        54 goroutines in 2 groups: pid 4711 /srv/app/server (go1.27.4)
        not read: 2, because its memory is not mapped

        53 chan send, for at least 2 min (goroutines 18, 19, 24, …)
          go main.search.func1 at /src/search.go:35
            main.send
                /src/search.go:9
            main.search.func1
                /src/search.go:36

        1 running (goroutines 1)
          runtime.main
        ");
    }

    #[test]
    fn as_folded_stacks() {
        insta::assert_snapshot!(written(|output| snapshot().folded(output)), @r"
        main.search.func1;main.send;chan send 53
        runtime.main;running 1
        ");
    }
}
