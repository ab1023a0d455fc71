//! Random programs: what is proven is what is true, and what Go's own detector says.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use gostray_tests::go;
use gostray_tests::prove::{Compared, programs};
use gostray_tests::{need_releases, need_root_and_releases};

/// How many programs: `GOSTRAY_RANDOM_PROGRAMS`, or what a test has time for.
fn number() -> usize {
    let wanted = std::env::var("GOSTRAY_RANDOM_PROGRAMS").ok();
    wanted.map_or(60, |text| text.parse().unwrap())
}

/// The seed of all programs: `GOSTRAY_RANDOM_SEED`, or always the same.
fn seed() -> u64 {
    let wanted = std::env::var("GOSTRAY_RANDOM_SEED").ok();
    wanted.map_or(6, |text| text.parse().unwrap())
}

/// The graphs mean what is computed from them.
#[test]
#[ignore = "needs the Go releases in GOSTRAY_GO_ROOTS, and half a minute to build"]
fn the_detector_of_go_agrees_with_the_truth() {
    for toolchain in need_releases!().iter().filter(|t| t.minor() >= 27) {
        let mut leaked = 0;
        programs::each(toolchain, seed(), number(), |_, target, truth| {
            let compared = Compared::new(&programs::oracle(target)?, truth);
            leaked += compared.found;
            let what = compared.summary();
            anyhow::ensure!(compared.wrong.is_empty() && compared.missed() == 0, what);
            Ok(())
        })
        .unwrap();
        eprintln!("{leaked} leaked");
    }
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn random_programs_are_proven_as_they_are() {
    let toolchains = need_root_and_releases!();
    let newest = go::newest().unwrap();
    for toolchain in &toolchains {
        // The newest release has all; each of the others a part.
        let part = if *toolchain == newest { 1 } else { 6 };
        let score = programs::run(toolchain, seed(), number() / part).unwrap();
        eprintln!("{}: {score}", toolchain.version);
        assert!(score.wrong.is_empty(), "{}: {score}", toolchain.version);
        let wanted = if toolchain.minor() >= 27 { 0.99 } else { 0.9 };
        assert!(score.recall() >= wanted, "{}: {score}", toolchain.version);
    }
}
