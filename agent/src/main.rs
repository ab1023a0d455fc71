//! The `gostray` command.
fn main() {}
