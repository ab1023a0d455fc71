//! A snapshot as text for people.

mod parts;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

pub(in crate::report) use self::parts::waited;
use self::parts::{fitted, label, stack_lines};
use super::{Group, Snapshot, Waited, WaitsOn, group_by::DIFFERS};
use crate::report::words;

/// Things waited on that are listed; the rest is for programs.
const THINGS: usize = 5;

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
        let process = &self.process;
        let module = process.main_module.as_deref();
        let before = format!("{} ", words::pid(self.pid));
        let behind = format!(
            " ({}, {})",
            process.go_version,
            words::harmless(module.unwrap_or("module not recorded"))
        );
        let room = width.saturating_sub(before.chars().count() + behind.chars().count());
        let exe = words::shortened(&words::harmless(&process.exe), room.max(20));
        let line = format!("{before}{exe}{behind}");
        writeln!(output, "{}", words::clipped(&line, width))
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
        for text in self.started(width) {
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
        for text in self.things(width) {
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

    fn started(&self, width: usize) -> Vec<String> {
        let start = words::harmless(&self.start.function);
        let others = if self.differs("start") {
            " and others"
        } else {
            ""
        };
        let Some(place) = &self.created_at else {
            let at = if self.differs("created_at") {
                ", created at different places"
            } else {
                ""
            };
            return vec![fitted("  ", &start, &format!("{others}{at}"), width)];
        };
        let at = words::harmless(&words::line(place)).into_owned();
        let within = words::harmless(&place.function);
        let whole = format!("  go {start}{others} at {at} in {within}");
        if whole.chars().count() <= width {
            return vec![whole];
        }
        let mut lines = vec![
            fitted("  go ", &start, others, width),
            fitted("    at ", &at, "", width),
        ];
        // A call site's place is its function's name where no file is known.
        if at != within {
            lines.push(fitted("    in ", &within, "", width));
        }
        lines
    }

    fn things(&self, width: usize) -> Vec<String> {
        let things = &self.waits_on;
        if let [thing] = &things[..]
            && thing.count == self.count
        {
            let verb = match (&thing.what, self.count) {
                (Waited::Timer { .. }, _) => "",
                (_, 1) => "waits on ",
                _ => "all wait on ",
            };
            return vec![words::clipped(
                &format!("  {verb}{}", waited(&thing.what)),
                width,
            )];
        }
        if self.count == 1 && !things.is_empty() {
            // A select: on all of them at once.
            let things: Vec<String> = things.iter().map(|thing| waited(&thing.what)).collect();
            return vec![words::listed("  waits on ", &things, width)];
        }
        let digits = things.iter().map(|thing| thing.count).max();
        let digits = digits.unwrap_or(0).to_string().len();
        let one = |(i, thing): (usize, &WaitsOn)| {
            let title = if i == 0 { "wait on" } else { "" };
            let timer = match thing.what {
                Waited::Timer { .. } => "timer, ",
                _ => "",
            };
            let what = waited(&thing.what);
            let line = format!("  {title:7} {:digits$} {timer}{what}", thing.count);
            words::clipped(&line, width)
        };
        let mut lines: Vec<String> = things.iter().take(THINGS).enumerate().map(one).collect();
        if things.len() > THINGS {
            lines.push(format!("  {:7} {:digits$} …", "", ""));
        }
        lines
    }
}
