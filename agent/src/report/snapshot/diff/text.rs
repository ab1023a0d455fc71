//! A comparison as text for people.

use std::io::{self, Write};

use super::{Change, Diff};
use crate::report::words;

impl Diff {
    /// Text for people in lines of at most `width` columns: a paragraph for each group that grew,
    /// a line for all that shrank.
    ///
    /// # Errors
    /// The output's.
    pub fn text(&self, output: &mut impl Write, width: usize) -> io::Result<()> {
        let (before, after) = (&self.before, &self.after);
        let pid = format!("{} ", words::pid(after.pid));
        let room = width.saturating_sub(pid.chars().count());
        let exe = words::harmless(&after.exe);
        writeln!(output, "{pid}{}", words::shortened(&exe, room))?;
        let growth = i128::from(after.goroutines) - i128::from(before.goroutines);
        let head = [
            format!("{} → {} goroutines", before.goroutines, after.goroutines),
            format!("{growth:+} in {}", words::seconds(self.seconds)),
            format!("{} to {}", before.taken_at, after.taken_at),
        ];
        writeln!(output, "{}", words::listed("", &head, width))?;
        for note in &self.notes {
            writeln!(output, "{}", words::clipped(&words::harmless(note), width))?;
        }
        for change in &self.grew {
            writeln!(output, "\n{}", words::listed("", &change.headline(), width))?;
            change.group.body(output, width)?;
        }
        writeln!(output)?;
        if self.grew.is_empty() {
            writeln!(output, "nothing grew")?;
        }
        writeln!(output, "{}", words::clipped(&self.shrunken(), width))
    }

    fn shrunken(&self) -> String {
        if self.shrank.is_empty() {
            return "nothing shrank".into();
        }
        let lost: i64 = self.shrank.iter().map(|change| change.growth).sum();
        let vanished = self.shrank.iter().filter(|change| change.after == 0);
        format!(
            "shrank: {} by {}, {} of them to nothing",
            words::number(self.shrank.len() as u64, "group"),
            words::number(lost.unsigned_abs(), "goroutine"),
            vanished.count(),
        )
    }
}

impl Change {
    fn headline(&self) -> Vec<String> {
        let mut headline = vec![format!(
            "{:+} {}: {} → {}",
            self.growth,
            self.group.waits(),
            self.before,
            self.after
        )];
        if let Some(rate) = self.growth_per_minute {
            headline.push(format!("{rate:+.1} a minute"));
        }
        if self.before == 0 {
            headline.push("new".into());
        }
        if let ([goid], 1) = (&self.group.goids[..], self.after) {
            headline.push(format!("goroutine {goid}"));
        }
        headline.extend(self.group.ages());
        headline
    }
}
