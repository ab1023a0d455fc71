//! One JSON object a line.

#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, Write};

use super::{Event, Renderer};

/// Bytes written at once.
const BUFFER: usize = 64 << 10;

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
        // A status of ten thousand sites is a million small writes otherwise, and stdout looks for the
        // end of a line in each.
        let mut output = BufWriter::with_capacity(BUFFER, &mut self.output);
        serde_json::to_writer(&mut output, event)?;
        output.write_all(b"\n")?;
        output.flush()
    }
}
