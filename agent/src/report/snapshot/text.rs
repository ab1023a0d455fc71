//! A snapshot as text for people.

mod parts;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

pub(in crate::report) use self::parts::{
    Others, label, program, stack_lines, started, things, waited,
};
use super::{Group, Snapshot, group_by::DIFFERS};
use crate::report::words;

impl Snapshot {
    /// Text for people in lines of at most `width` columns: a paragraph a group, and at the end
    /// a line for each group of the runtime's own.
    ///
    /// # Errors
    /// The output's.
    pub fn text(&self, output: &mut impl Write, width: usize) -> io::Result<()> {
        let shown = self.groups.iter().map(|group| group.count).sum();
        let of_all = if shown == self.goroutines {
            String::new()
        } else {
            format!(" of {}", words::number(self.goroutines, "goroutine"))
        };
        let head = if of_all.is_empty() {
            words::number(shown, "goroutine")
        } else {
            shown.to_string()
        };
        let groups = words::number(self.groups.len() as u64, "group");
        writeln!(output, "{head}{of_all} in {groups}, {}", self.taken_at)?;
        self.program(output, width)?;
        for (reason, count) in &self.defects {
            let defect = [format!("{count} not read"), format!("because {reason}")];
            writeln!(output, "{}", words::listed("", &defect, width))?;
        }
        let (system, own): (Vec<&Group>, Vec<&Group>) =
            self.groups.iter().partition(|group| group.system);
        for group in own {
            writeln!(output, "\n{}", words::listed("", &group.headline(), width))?;
            group.body(output, width)?;
        }
        if system.is_empty() {
            return Ok(());
        }
        let number = system.iter().map(|group| group.count).sum();
        let number = words::number(number, "goroutine");
        writeln!(output, "\n{number} of the runtime itself")?;
        for group in system {
            let start = words::harmless(&group.start.function);
            let line = format!("  {} {}: {start}", group.count, group.waits());
            writeln!(output, "{}", words::clipped(&line, width))?;
        }
        Ok(())
    }

    /// The line that names the process and what it runs.
    pub(super) fn program(&self, output: &mut impl Write, width: usize) -> io::Result<()> {
        writeln!(output, "{}", program(self.pid, &self.process, width))
    }
}

impl Group {
    /// What the runtime says they wait for, or their state.
    pub(super) fn waits(&self) -> &str {
        self.wait_reason.as_deref().unwrap_or(&self.state)
    }

    fn headline(&self) -> Vec<String> {
        let first = match &self.goids[..] {
            [goid] if self.count == 1 => format!("goroutine {goid}: {}", self.waits()),
            _ => format!("{} {}", self.count, self.waits()),
        };
        let mut headline = vec![first];
        headline.extend(self.ages());
        headline
    }

    /// How long they have waited, how old they are, what their stacks take.
    pub(super) fn ages(&self) -> Vec<String> {
        let alone = self.count == 1;
        let mut ages = Vec::new();
        if let Some(seconds) = self.oldest_seconds {
            ages.push(format!("for at least {}", words::seconds(seconds)));
        }
        if let Some(seconds) = self.age_seconds {
            let which = if alone { "" } else { "the oldest " };
            ages.push(format!("{which}about {} old", words::seconds(seconds)));
        }
        if !alone && self.stack_bytes > 0 {
            ages.push(format!("stacks {}", words::size(self.stack_bytes)));
        }
        match self.locked_to_thread {
            0 => {}
            1 if alone => ages.push(match self.locked_threads[..] {
                [thread] => format!("locked to thread {thread}"),
                _ => "locked to its thread".into(),
            }),
            1 => ages.push("1 locked to its thread".into()),
            locked => ages.push(format!("{locked} locked to their threads")),
        }
        ages
    }

    /// Everything below the headline.
    pub(super) fn body(&self, output: &mut impl Write, width: usize) -> io::Result<()> {
        let mut line = |text: &str| writeln!(output, "{text}");
        if self.count > 1 {
            line(&words::listed("  goroutines ", &self.ids(), width))?;
        }
        let others = Others {
            start: self.differs("start"),
            created_at: self.differs("created_at"),
        };
        for text in started(&self.start, self.created_at.as_ref(), others, width) {
            line(&text)?;
        }
        if let Some(parents) = self.parents() {
            let title = match &parents[..] {
                [_] => "  created by goroutine ",
                _ => "  created by goroutines ",
            };
            line(&words::listed(title, &parents, width))?;
        }
        if let Some(labels) = &self.labels {
            let labels: Vec<String> = labels.iter().map(label).collect();
            line(&words::listed("  labels ", &labels, width))?;
        }
        for text in things(&self.waits_on, self.count, width) {
            line(&text)?;
        }
        match &self.stack {
            Some(stack) => stack_lines(stack, width).iter().try_for_each(|l| line(l)),
            None if self.differs("stack") => line("    (at different places)"),
            None => Ok(()),
        }
    }

    /// Whether this field differs within a group that was merged.
    fn differs(&self, field: &str) -> bool {
        self.unknown
            .get(field)
            .is_some_and(|why| why.starts_with(DIFFERS))
    }

    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.goids.iter().map(u64::to_string).collect();
        if self.count > ids.len() as u64 {
            ids.push("…".into());
        }
        ids
    }

    /// Each parent once, as far as they are known.
    fn parents(&self) -> Option<Vec<String>> {
        let mut parents: Vec<u64> = self.parent_goids.clone();
        parents.retain(|parent| *parent != 0);
        parents.sort_unstable();
        parents.dedup();
        let mut parents: Vec<String> = parents.iter().map(u64::to_string).collect();
        if parents.is_empty() {
            return None;
        }
        if self.count > self.goids.len() as u64 {
            parents.push("…".into());
        }
        Some(parents)
    }
}
