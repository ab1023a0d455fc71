//! `gostray-eval [--releases all|newest|oldest+newest] [--minutes N] [--jobs N]
//! [--format text|markdown|json] [--keep DIRECTORY] [NAME…]`: how good the verdicts are. The exit
//! status is 1 when a target was missed.

use std::process::ExitCode;

use anyhow::Result;
use gostray_tests::eval::{self, options::Options};

fn main() -> Result<ExitCode> {
    let options = Options::parse(std::env::args().skip(1))?;
    Ok(if eval::run(&options)? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
