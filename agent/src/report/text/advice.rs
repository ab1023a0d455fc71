//! What is wrong with a leak's code, and what to change.

use std::io::{self, Write};

use super::{Leak, Text};
use crate::report::{
    snapshot,
    words::{harmless, wrapped},
};

impl<W: Write> Text<W> {
    /// What they wait on.
    pub(super) fn waits_on(&mut self, leak: &Leak) -> io::Result<()> {
        // One stands for all; the others are in the JSON.
        let Some((first, others)) = leak.waits_on.split_first() else {
            return Ok(());
        };
        let others = match others.len() {
            0 => String::new(),
            1 => " and another".into(),
            n => format!(" and {n} others"),
        };
        writeln!(
            self.output,
            "  on {}{others}",
            snapshot::waited(&first.what)
        )
    }

    /// The pattern, what to change, and the code.
    pub(super) fn advice(&mut self, leak: &Leak) -> io::Result<()> {
        let super::Style { bold, dim, off, .. } = self.style;
        let Some(pattern) = &leak.pattern else {
            return Ok(());
        };
        writeln!(self.output, "  pattern: {bold}{pattern}{off}")?;
        for line in leak
            .advice
            .iter()
            .flat_map(|text| wrapped(&harmless(text), self.width.saturating_sub(4).max(30)))
        {
            writeln!(self.output, "    {line}")?;
        }
        for line in leak.example.iter().flat_map(|code| code.lines()) {
            // Go indents by tabs, which the code keeps so that it can be copied.
            let line: Vec<_> = line.split('\t').map(harmless).collect();
            writeln!(self.output, "      {dim}{}{off}", line.join("\t"))?;
        }
        Ok(())
    }
}
