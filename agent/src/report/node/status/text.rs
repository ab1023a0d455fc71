//! A node's status for people: the agent in some lines, then tables.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::SystemTime,
};

use super::{NodeStatus, TargetStatus};
use crate::report::{
    node::SinkSample,
    words::{clipped, harmless, line, number, place, seconds, size},
};

/// Open leaks of a process that are shown; JSON has all.
const LEAKS: usize = 3;

impl NodeStatus<'_> {
    /// Writes it in lines of at most `width` columns, where names allow it.
    ///
    /// # Errors
    /// The output's.
    pub fn text(&self, output: &mut impl Write, width: usize) -> io::Result<()> {
        self.agent(output, width)?;
        self.sinks(output, width)?;
        counts(output, "errors", &self.agent.errors, width)?;
        counts(output, "lost", &self.agent.drops, width)?;
        self.failures(output, width)?;
        self.processes(output, width)
    }

    fn failures(&self, output: &mut impl Write, width: usize) -> io::Result<()> {
        let failures = &self.agent.failures;
        if failures.is_empty() {
            return Ok(());
        }
        writeln!(output, "\ncannot be watched:")?;
        for failure in failures {
            let text = format!("  {}: {}", failure.pid, harmless(&failure.error));
            writeln!(output, "{}", clipped(&text, width))?;
        }
        Ok(())
    }

    fn agent(&self, output: &mut impl Write, width: usize) -> io::Result<()> {
        let agent = self.agent;
        let up = between(agent.started, agent.taken);
        let reloads = match agent.reloads {
            0 => String::new(),
            times => format!(", configuration read again {}", number(times, "time")),
        };
        let head = format!("gostray {}, up {up}{reloads}", harmless(agent.version));
        writeln!(output, "{}", clipped(&head, width))?;
        let spent = agent.spent_ratio.map_or("not known yet".into(), per_cent);
        let budget = agent.budget_ratio.map_or(", no budget".into(), |budget| {
            format!(" of {}", per_cent(budget))
        });
        let profiles = match agent.profiles_seconds {
            few if few < 0.05 => String::new(),
            seconds => format!(", {seconds:.1} s profiles"),
        };
        let memory = agent.memory_bytes.map_or("not known".into(), size);
        writeln!(
            output,
            "  processors {spent}{budget}; {:.1} s in all, of these {:.1} s probes{profiles}",
            agent.cpu_seconds + agent.probes_seconds,
            agent.probes_seconds,
        )?;
        writeln!(
            output,
            "  memory {memory} of {}",
            size(agent.memory_budget_bytes)
        )?;
        let processes = &agent.processes;
        let modes = agent.modes.iter().filter(|(_, count)| **count > 0);
        let modes: Vec<_> = modes
            .map(|(mode, count)| format!("{count} {mode}"))
            .collect();
        let modes = match &modes[..] {
            [] => String::new(),
            modes => format!(" ({})", modes.join(", ")),
        };
        let text = format!(
            "  {} watched{modes}, {} left alone, {} cannot be watched",
            match processes.watched {
                1 => "1 process".into(),
                watched => format!("{watched} processes"),
            },
            processes.left_alone,
            processes.failed,
        );
        writeln!(output, "{}", clipped(&text, width))
    }

    fn sinks(&self, output: &mut impl Write, width: usize) -> io::Result<()> {
        if self.agent.sinks.is_empty() {
            return Ok(());
        }
        writeln!(output)?;
        let head = ["SINK", "QUEUED", "SENT", "DROPPED", "FAILED"].map(String::from);
        let rows = self.agent.sinks.iter().map(|sink| {
            [
                clipped(&harmless(&sink.name), 30),
                format!("{}/{}", sink.queued, sink.capacity),
                sink.sent.to_string(),
                sink.dropped.to_string(),
                sink.errors.values().sum::<u64>().to_string(),
            ]
        });
        let rows: Vec<_> = rows.collect();
        let table = aligned(&head, &rows);
        writeln!(output, "{}", clipped(&table[0], width))?;
        for (sink, row) in self.agent.sinks.iter().zip(&table[1..]) {
            writeln!(output, "{}", clipped(row, width))?;
            if let Some(why) = last_error(sink) {
                writeln!(output, "{}", clipped(&format!("  {why}"), width))?;
            }
        }
        Ok(())
    }

    fn processes(&self, output: &mut impl Write, width: usize) -> io::Result<()> {
        writeln!(output)?;
        if self.targets.is_empty() {
            return writeln!(output, "no process is watched");
        }
        let head = ["PID", "MODE", "GOROUTINES", "LEAKS", "COST", "FOR", "NAME"].map(String::from);
        let rows: Vec<_> = self.targets.iter().map(TargetStatus::row).collect();
        let table = aligned(&head, &rows);
        writeln!(output, "{}", clipped(&table[0], width))?;
        for (target, row) in self.targets.iter().zip(&table[1..]) {
            writeln!(output, "{}", clipped(row, width))?;
            target.leaks(output, width)?;
        }
        Ok(())
    }
}

impl TargetStatus<'_> {
    fn row(&self) -> [String; 7] {
        let cost = self.overhead.total_ratio;
        [
            self.identity.pid.to_string(),
            self.mode.into(),
            self.goroutines
                .map_or("-".into(), |count| count.to_string()),
            self.leaks.len().to_string(),
            cost.map_or("-".into(), per_cent),
            between(self.began, self.taken),
            self.name(),
        ]
    }

    /// What people know it by, and where it runs.
    fn name(&self) -> String {
        let identity = self.identity;
        let mut name = harmless(&identity.name).into_owned();
        if let Some(service) = &identity.service.name {
            name.push_str(&format!(" ({})", harmless(service)));
        }
        let pod = identity.pod.as_ref().and_then(|pod| {
            let name = pod.name.as_ref()?;
            let namespace = pod.namespace.as_deref().unwrap_or("?");
            Some(format!(" pod {}/{}", harmless(namespace), harmless(name)))
        });
        let container = identity.container.as_ref().map(|container| {
            let id: String = container.id.chars().take(12).collect();
            let name = container.name.as_ref().unwrap_or(&id);
            format!(" container {}", harmless(name))
        });
        name.extend(pod.or(container));
        name
    }

    fn leaks(&self, output: &mut impl Write, width: usize) -> io::Result<()> {
        for open in self.leaks.iter().take(LEAKS) {
            let growth = open.leak.impact.goroutines_per_hour;
            let growth = growth.map_or(String::new(), |rate| {
                format!(", {:+.1} a minute", rate / 60.0)
            });
            let head = format!("  {} leak{growth}: ", open.leak.verdict.as_str());
            let at = &open.site.created_at;
            let room = width.saturating_sub(head.chars().count()).max(20);
            let at = if at.file.is_some() {
                place(at, room)
            } else {
                line(at)
            };
            writeln!(output, "{head}{}", clipped(&harmless(&at), room))?;
        }
        match self.leaks.len().saturating_sub(LEAKS) {
            0 => Ok(()),
            more => writeln!(output, "  and {} more", number(more as u64, "leak")),
        }
    }
}

/// What went wrong with a sink last.
fn last_error(sink: &SinkSample) -> Option<String> {
    let error = sink.last_error.as_ref()?;
    Some(format!("last error: {}", harmless(error)))
}

/// Counts that are not zero.
fn counts(
    output: &mut impl Write,
    title: &str,
    counts: &BTreeMap<&'static str, u64>,
    width: usize,
) -> io::Result<()> {
    let some = counts.iter().filter(|(_, count)| **count > 0);
    let some: Vec<_> = some
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    if some.is_empty() {
        return Ok(());
    }
    let text = format!("\n{title}: {}", some.join(", "));
    writeln!(output, "{}", clipped(&text, width))
}

/// A line for the head and one for each row: numbers to the right, the first and last column to the left.
fn aligned<const N: usize>(head: &[String; N], rows: &[[String; N]]) -> Vec<String> {
    let all = || std::iter::once(head).chain(rows);
    let width = |column: usize| all().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let cell = match column {
                0 => format!("{cell:<width$}"),
                last if last == N - 1 && N > 5 => format!("  {cell}"),
                _ => format!("  {cell:>width$}"),
            };
            line.push_str(&cell);
        }
        line.trim_end().to_owned()
    };
    all().map(line).collect()
}

/// A share of a processor.
fn per_cent(ratio: f64) -> String {
    format!("{:.2} %", ratio * 100.0)
}

fn between(from: SystemTime, to: SystemTime) -> String {
    to.duration_since(from)
        .map_or_else(|_| "0 s".into(), |time| seconds(time.as_secs_f64()))
}
