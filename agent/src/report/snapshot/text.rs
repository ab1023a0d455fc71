//! A snapshot as text for people.

use std::io::{self, Write};

use super::{Group, Snapshot};
use crate::report::words;

impl Snapshot {
    /// Text for people, a paragraph a group.
    ///
    /// # Errors
    /// The output's.
    pub fn text(&self, output: &mut impl Write) -> io::Result<()> {
        writeln!(
            output,
            "{} goroutines in {} groups: {} {} ({})",
            self.goroutines,
            self.groups.len(),
            self.pid
                .map_or_else(|| "unknown pid".into(), |pid| format!("pid {pid}")),
            self.process.exe,
            self.process.go_version,
        )?;
        for (reason, count) in &self.defects {
            writeln!(output, "not read: {count}, because {reason}")?;
        }
        self.groups.iter().try_for_each(|group| group.text(output))
    }
}

impl Group {
    fn text(&self, output: &mut impl Write) -> io::Result<()> {
        write!(
            output,
            "\n{} {}",
            self.count,
            self.wait_reason.as_deref().unwrap_or(&self.state)
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
}

#[cfg(test)]
mod tests {
    use crate::report::snapshot::samples::{snapshot, written};

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
}
