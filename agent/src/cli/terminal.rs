//! What is known of the terminal, if there is one.

use std::io;

/// Columns where the output is no terminal.
const DEFAULT_WIDTH: usize = 100;

/// Columns of the output.
pub(super) fn width() -> usize {
    terminal_size::terminal_size_of(io::stdout())
        .map_or(DEFAULT_WIDTH, |(width, _)| usize::from(width.0))
}
