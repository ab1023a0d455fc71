//! The command line as people meet it: help, bad usage, and refusals that need no privileges.
//!
//! `TRYCMD=overwrite cargo test -p gostray --test cmd` writes the files anew.

#[test]
fn command_lines() {
    trycmd::TestCases::new()
        .env("COLUMNS", "100")
        .case("tests/cmd/*.trycmd");
}
