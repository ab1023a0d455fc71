//! The table of the Go runtime's struct layouts.

use anyhow::{Result, bail};
use std::path::PathBuf;

/// Writes the table from the given Go releases, or compares it with them.
pub(crate) fn run(_goroots: &[(String, PathBuf)], _check: bool) -> Result<()> {
    bail!("not written yet")
}
