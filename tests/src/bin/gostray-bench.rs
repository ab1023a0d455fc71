//! `gostray-bench NAME`: the figures gostray promises, as ratios within one run.

use anyhow::{Result, bail};
use gostray_tests::bench;

fn main() -> Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    match name.as_str() {
        "probes" => bench::probes::run(),
        "attach" => bench::attach::run(),
        "idle" => bench::idle::run(),
        "census" => bench::census::run(),
        "stall" => bench::stall::run(),
        "node" => bench::node::run(&std::env::args().skip(2).collect::<Vec<_>>()),
        "overhead" => bench::overhead::run(&std::env::args().nth(2).unwrap_or_default()),
        "prove" => bench::prove::run(&std::env::args().skip(2).collect::<Vec<_>>()),
        "watchdog" => bench::watchdog::run(),
        _ => bail!(
            "usage: gostray-bench probes|attach|idle|census|stall|overhead|prove|watchdog|node; overhead \
             takes a load's name, prove `--fire SECONDS` or `--random PROGRAMS`, node `--chaos SECONDS`"
        ),
    }
}
