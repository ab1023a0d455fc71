//! `cargo xtask`: set-up, demo, tests, lint and benches, one command each.
fn main() {}
