//! Calm text for a terminal: a line a status with the sites that grow, a paragraph a leak.

mod impact;
mod advice;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use super::words::{clock, coverage, line, number, place, seconds, size};
use super::{
    Attached, DetachReason, Detached, Disagreement, Event, EventKind, Leak, ModeChange, Overhead,
    Place, Renderer, Resolved, SiteCounts, Status,
};

/// Rows of the table.
const ROWS: usize = 10;

/// Looking at all goroutines takes longer than the budget has for it once a second, if this many
/// seconds pass in between.
const SELDOM: f64 = 2.5;

/// Unknown fields of a leak that are worth a line.
const ABOUT_THE_TARGET: [&str; 5] = [
    "wait_reason",
    "blocked_at",
    "stack",
    "created_by",
    "pattern",
];

/// Writes text; with colours if asked.
#[derive(Debug)]
pub struct Text<W> {
    output: W,
    style: Style,
    width: usize,
}

#[derive(Clone, Copy, Debug)]
struct Style {
    bold: &'static str,
    dim: &'static str,
    alert: &'static str,
    good: &'static str,
    off: &'static str,
}

const PLAIN: Style = Style {
    bold: "",
    dim: "",
    alert: "",
    good: "",
    off: "",
};

const COLOURED: Style = Style {
    bold: "\x1b[1m",
    dim: "\x1b[2m",
    alert: "\x1b[1;31m",
    good: "\x1b[32m",
    off: "\x1b[0m",
};

impl<W: Write> Text<W> {
    /// Writes to `output`, in lines of at most `width` columns where names allow it.
    pub fn new(output: W, colours: bool, width: usize) -> Self {
        Self {
            output,
            style: if colours { COLOURED } else { PLAIN },
            width,
        }
    }

    fn attached(&mut self, pid: i32, attached: &Attached) -> io::Result<()> {
        let Style { bold, dim, off, .. } = self.style;
        let process = &attached.process;
        writeln!(
            self.output,
            "{bold}watching {pid}{off} {} {dim}({}, {}){off}",
            process.exe,
            process.go_version,
            process
                .main_module
                .as_deref()
                .unwrap_or("module not recorded"),
        )?;
        writeln!(
            self.output,
            "{dim}mode {}: {}{off}",
            attached.mode, attached.mode_reason
        )?;
        if let Some(cost) = &attached.cost_of_hits {
            writeln!(
                self.output,
                "{dim}a probe's hit costs {:.2} µs here, a stepped one {:.2} µs{off}",
                cost.emulated_seconds * 1e6,
                cost.stepped_seconds * 1e6,
            )?;
        }
        if attached.probes.is_empty() {
            return writeln!(
                self.output,
                "{dim}no probes: what lives and dies between two censuses is not seen; Ctrl-C ends it{off}",
            );
        }
        writeln!(
            self.output,
            "{dim}{} probes: {}; Ctrl-C ends it{off}",
            attached.probes.len(),
            attached.probes.join(", "),
        )
    }

    fn mode(&mut self, time: &str, change: &ModeChange) -> io::Result<()> {
        let Style { bold, dim, off, .. } = self.style;
        writeln!(
            self.output,
            "\n{dim}{}{off} {bold}MODE{off} {} → {bold}{}{off}{}",
            clock(time),
            change.previous,
            change.mode,
            coverage(change.coverage),
        )?;
        writeln!(self.output, "  - {}", change.reason)
    }

    fn status(&mut self, time: &str, status: &Status) -> io::Result<()> {
        let Style { bold, dim, off, .. } = self.style;
        let (live, created, exited) = status.sites.iter().fold((0, 0, 0), |sum, site| {
            (sum.0 + site.live, sum.1 + site.created, sum.2 + site.exited)
        });
        let goroutines = status.goroutines.map_or(String::new(), |number| {
            format!("{number} goroutines; since attaching ")
        });
        writeln!(
            self.output,
            "\n{dim}{}{off} {goroutines}{live} alive of {created} created, {exited} ended{}",
            clock(time),
            coverage(status.coverage),
        )?;
        let seldom = match status.observed_every_seconds {
            Some(period) if period > SELDOM => {
                format!("; goroutines are looked at every {}", seconds(period))
            }
            _ => String::new(),
        };
        writeln!(
            self.output,
            "  {dim}{}{seldom}{off}",
            costs(status.mode, &status.overhead)
        )?;
        if let Some(text) = impact::process(&status.process) {
            writeln!(self.output, "  {dim}{text}{off}")?;
        }
        if let Some(Disagreement {
            goroutines,
            repaired: repaired @ 1..,
        }) = status.disagreement
        {
            writeln!(
                self.output,
                "  counts put right by {repaired} goroutines; {goroutines} apart from the census now"
            )?;
        }
        for (what, count) in status.drops.iter().filter(|(_, count)| **count > 0) {
            writeln!(self.output, "  lost: {what} {count}")?;
        }
        if let Some(text) = impact::open_leaks(&status.leaks) {
            writeln!(self.output, "  leaks by impact: {text}")?;
        }
        let growing: Vec<&SiteCounts> = status.sites.iter().filter(|site| site.growing).collect();
        if growing.is_empty() {
            return writeln!(self.output, "  {dim}no site grows{off}");
        }
        writeln!(
            self.output,
            "  {bold}{:>9} {:>9} {:>9}  {:>8}  created at{off}",
            "live", "created", "ended", "oldest"
        )?;
        for site in growing.iter().take(ROWS) {
            // Number columns and gaps take 44.
            let room = self.width.saturating_sub(44).max(30);
            writeln!(
                self.output,
                "  {:>9} {:>9} {:>9}  {:>8}  {}",
                site.live,
                site.created,
                site.exited,
                site.oldest_seconds.map_or("-".into(), seconds),
                place(&site.site.created_at, room),
            )?;
        }
        if growing.len() > ROWS {
            writeln!(self.output, "  {dim}and {} more{off}", growing.len() - ROWS)?;
        }
        Ok(())
    }

    fn leak(&mut self, time: &str, leak: &Leak) -> io::Result<()> {
        let Style {
            bold,
            dim,
            alert,
            off,
            ..
        } = self.style;
        let at = &leak.site.created_at;
        if let Some(reason) = &leak.suppressed {
            return writeln!(
                self.output,
                "\n{dim}{} suppressed ({}) {}: {reason}{off}",
                clock(time),
                leak.verdict.as_str(),
                line(at),
            );
        }
        writeln!(
            self.output,
            "\n{dim}{}{off} {alert}LEAK ({}){off} {bold}{}{off}",
            clock(time),
            leak.verdict.as_str(),
            line(at),
        )?;
        writeln!(
            self.output,
            "  go {} in {}: {} alive{}, {:+.0} a minute, oldest {}",
            leak.site.start.function,
            at.function,
            leak.live,
            match leak.older {
                None | Some(0) => String::new(),
                Some(older) => format!(", and {older} older than gostray"),
            },
            leak.growth_per_minute,
            leak.oldest_seconds.map_or("unknown".into(), seconds),
        )?;
        match (&leak.wait_reason, &leak.blocked_at) {
            (Some(reason), Some(place)) => writeln!(
                self.output,
                "  they wait for: {bold}{reason}{off} at {}",
                line(place)
            )?,
            (Some(reason), None) => {
                writeln!(self.output, "  they wait for: {bold}{reason}{off}")?;
            }
            (None, _) => {}
        }
        self.waits_on(leak)?;
        if let Some(bytes) = leak.stack_bytes {
            writeln!(self.output, "  stacks: about {}", size(bytes))?;
        }
        if let Some(bytes) = leak.retained_bytes {
            let objects = leak.retained_objects.map_or_else(String::new, |objects| {
                format!(" in {}", number(objects, "object"))
            });
            writeln!(
                self.output,
                "  retained: {} of heap{objects}, which only they lead to",
                size(bytes)
            )?;
        }
        if let Some(text) = impact::impact(&leak.impact) {
            writeln!(self.output, "  impact: {text}")?;
        }
        for sentence in &leak.evidence {
            writeln!(self.output, "  - {sentence}")?;
        }
        self.advice(leak)?;
        self.stack("parked at", leak.stack.as_deref())?;
        self.stack("created by", leak.created_by.as_deref())?;
        // What no target could tell yet is for programs to know, not for people to read each time.
        for (field, reason) in leak
            .unknown
            .iter()
            .filter(|(field, _)| ABOUT_THE_TARGET.contains(field))
        {
            writeln!(self.output, "  {dim}{field} unknown: {reason}{off}")?;
        }
        Ok(())
    }

    fn stack(&mut self, title: &str, stack: Option<&[Place]>) -> io::Result<()> {
        let Style { dim, off, .. } = self.style;
        let Some(stack) = stack.filter(|stack| !stack.is_empty()) else {
            return Ok(());
        };
        writeln!(self.output, "  {title}")?;
        for place in stack {
            writeln!(self.output, "    {}", place.function)?;
            writeln!(self.output, "        {dim}{}{off}", line(place))?;
        }
        Ok(())
    }

    fn resolved(&mut self, time: &str, resolved: &Resolved) -> io::Result<()> {
        let Style { dim, good, off, .. } = self.style;
        writeln!(
            self.output,
            "\n{dim}{}{off} {good}{}{off} {}: {} alive",
            clock(time),
            match resolved.state {
                "verified" => "FIX VERIFIED",
                _ => "RESOLVED",
            },
            line(&resolved.site.created_at),
            resolved.live,
        )?;
        for sentence in &resolved.evidence {
            writeln!(self.output, "  - {sentence}")?;
        }
        Ok(())
    }

    fn detached(&mut self, detached: &Detached) -> io::Result<()> {
        let reason = match detached.reason {
            DetachReason::Interrupted => "interrupted",
            DetachReason::Duration => "the time is over",
            DetachReason::Exited => "the process ended",
            DetachReason::Exec => "the process became another program (execve)",
            DetachReason::OutputClosed => "nobody reads any more",
            DetachReason::StopFile => "the stop file is there",
        };
        writeln!(
            self.output,
            "\ndetached: {reason}, after {}; {} reported{}{}",
            seconds(detached.watched_seconds),
            match detached.leaks {
                0 => "no leak".into(),
                1 => "1 leak".into(),
                n => format!("{n} leaks"),
            },
            match detached.suppressed {
                0 => String::new(),
                n => format!(", {n} of them suppressed"),
            },
            if detached.clean {
                ""
            } else {
                "; the kernel is still removing probes"
            },
        )
    }
}

/// The mode, and what it costs.
fn costs(mode: &str, overhead: &Overhead) -> String {
    let percent = |cores: f64| cores * 100.0;
    let budget = match overhead.budget_ratio {
        Some(budget) => format!("; the budget is {} %", percent(budget)),
        None => "; no budget".into(),
    };
    let refused = match overhead.refused_hits {
        0 => String::new(),
        hits => format!("; {hits} hits turned away"),
    };
    match (overhead.agent_cpu_ratio, overhead.target_cpu_ratio) {
        (Some(agent), Some(target)) => format!(
            "{mode}: {:.2} % of a core (agent {:.2}, probes {:.2}){budget}{refused}",
            percent(agent + target),
            percent(agent),
            percent(target),
        ),
        _ => format!("{mode}{budget}{refused}"),
    }
}

impl<W: Write> Renderer for Text<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &event.kind {
            EventKind::Attached(attached) => self.attached(event.pid, attached),
            EventKind::Mode(change) => self.mode(&event.time, change),
            EventKind::Status(status) => self.status(&event.time, status),
            EventKind::Leak(leak) => self.leak(&event.time, leak),
            EventKind::Resolved(resolved) => self.resolved(&event.time, resolved),
            EventKind::Detached(detached) => self.detached(detached),
        }?;
        self.output.flush()
    }
}
