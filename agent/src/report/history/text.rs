//! Calm text: a paragraph an incident, a line a build.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use super::{History, HistoryBuild, HistoryIncident};
use crate::report::words::{clipped, harmless, line, number, seconds, shortened};

/// Builds of an incident that are shown: the first, and the last of them.
const BUILDS: usize = 6;

impl History {
    /// Writes it in lines of at most `width` columns, where names allow it.
    ///
    /// # Errors
    /// The output's.
    pub fn text(&self, mut output: impl Write, width: usize) -> io::Result<()> {
        let hidden = match self.hidden as u64 {
            0 => String::new(),
            hidden => format!(
                "{} resolved or verified; --all shows {}",
                match self.incidents.len() {
                    0 => number(hidden, "leak"),
                    _ => format!("{hidden} more"),
                },
                if hidden == 1 { "it" } else { "them" },
            ),
        };
        if self.incidents.is_empty() {
            return match self.hidden {
                0 => writeln!(output, "no leaks remembered in {}", self.file),
                _ => writeln!(output, "no open leaks in {}; {hidden}", self.file),
            };
        }
        for incident in &self.incidents {
            incident.text(&mut output, width)?;
            writeln!(output)?;
        }
        let found = number(self.incidents.len() as u64, "leak");
        match self.hidden {
            0 => writeln!(output, "{found} in {}", self.file),
            _ => writeln!(output, "{found} in {}; {hidden}", self.file),
        }
    }
}

impl HistoryIncident {
    fn text(&self, output: &mut impl Write, width: usize) -> io::Result<()> {
        let state = self.state.to_uppercase();
        let head = format!("{state} ({}) ", self.verdict);
        let place = harmless(&line(&self.created_at)).into_owned();
        let room = width.saturating_sub(head.len()).max(20);
        writeln!(output, "{head}{}", shortened(&place, room))?;
        let started = match self.ordinal {
            0 => format!("go {} in {}", self.start, self.created_at.function),
            n => format!(
                "go {} in {}, statement {} of these",
                self.start,
                self.created_at.function,
                n + 1
            ),
        };
        let room = width.saturating_sub(2);
        writeln!(output, "  {}", clipped(&harmless(&started), room))?;
        let program = harmless(&self.program);
        writeln!(
            output,
            "  of {}",
            shortened(&program, room.saturating_sub(3))
        )?;
        writeln!(
            output,
            "  first seen {}, last {}; {} since {}",
            minute(&self.first_seen),
            minute(&self.last_seen),
            self.state,
            minute(&self.state_since),
        )?;
        let waits = self.wait_reason.as_deref();
        writeln!(
            output,
            "  {:+.1} a minute, {} at the peak{}; {} of {}",
            self.growth_per_minute,
            self.peak,
            waits.map_or(String::new(), |waits| format!(", {}", harmless(waits))),
            number(self.runs, "run"),
            number(self.builds.len() as u64, "build"),
        )?;
        let skipped = self.builds.len().saturating_sub(BUILDS);
        for (n, build) in self.builds.iter().enumerate() {
            if skipped > 0 && n == 1 {
                writeln!(output, "    … {skipped} more …")?;
            }
            if n == 0 || n > skipped {
                build.text(output, width)?;
            }
        }
        Ok(())
    }
}

impl HistoryBuild {
    fn text(&self, output: &mut impl Write, width: usize) -> io::Result<()> {
        let name = self.vcs_revision.as_ref().unwrap_or(&self.build_id);
        let fate = match self.fate {
            "leaks" => "leaks",
            "verified" => "fix verified",
            "not_seen_yet" => "not seen again yet",
            _ => "not known",
        };
        let text = format!(
            "{:<12} {}  {:<18} {:>8} a minute, {} lost of {} in {}",
            clipped(&harmless(name), 12),
            self.first_seen.get(..10).unwrap_or("unknown"),
            fate,
            self.growth_per_minute
                .map_or("-".into(), |rate| format!("{rate:+.1}")),
            self.lost,
            self.created,
            seconds(self.watched_seconds),
        );
        writeln!(output, "    {}", clipped(&text, width.saturating_sub(4)))?;
        if self.fate == "leaks" {
            return Ok(());
        }
        writeln!(
            output,
            "                 {}",
            clipped(&self.reason, width.saturating_sub(17))
        )
    }
}

/// Date and time to the minute of an RFC 3339 time.
fn minute(time: &str) -> String {
    time.get(..16)
        .map_or_else(|| time.to_owned(), |time| time.replace('T', " "))
}
