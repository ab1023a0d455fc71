//! One JSON object a line.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use super::{Event, Renderer};

/// Writes JSON lines, each flushed.
#[derive(Debug)]
pub struct JsonLines<W> {
    output: W,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `output`.
    pub fn new(output: W) -> Self {
        Self { output }
    }
}

impl<W: Write> Renderer for JsonLines<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        serde_json::to_writer(&mut self.output, event)?;
        self.output.write_all(b"\n")?;
        self.output.flush()
    }
}
