//! Random programs: what is proven is what is true, and what Go's own detector says.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use gostray_tests::go::{self, Toolchain};
use gostray_tests::prove::{Compared, Goids, Proof, Truth};
use gostray_tests::target::Target;
use gostray_tests::{need_releases, need_root_and_releases, random};

/// How many programs: `GOSTRAY_RANDOM_PROGRAMS`, or what a test has time for.
fn number(otherwise: usize) -> usize {
    let wanted = std::env::var("GOSTRAY_RANDOM_PROGRAMS").ok();
    wanted.map_or(otherwise, |text| text.parse().unwrap())
}

/// The seed of all programs: `GOSTRAY_RANDOM_SEED`, or always the same.
fn seed() -> u64 {
    let wanted = std::env::var("GOSTRAY_RANDOM_SEED").ok();
    wanted.map_or(6, |text| text.parse().unwrap())
}

/// Calls `f` with each program at rest and its truth.
fn each(toolchain: &Toolchain, number: usize, mut f: impl FnMut(usize, &mut Target, &Truth)) {
    let exe = random::build(seed(), number, toolchain).unwrap();
    for index in 0..number {
        let mut target = Target::start(&exe, &[&index.to_string()], &[]).unwrap();
        let truth = Truth::parse(&target.ask("truth").unwrap()).unwrap();
        f(index, &mut target, &truth);
    }
}

fn oracle(target: &mut Target) -> Goids {
    serde_json::from_str(&target.ask("oracle").unwrap()).unwrap()
}

/// The graphs mean what is computed from them.
#[test]
#[ignore = "needs the Go releases in GOSTRAY_GO_ROOTS, and half a minute to build"]
fn the_detector_of_go_agrees_with_the_truth() {
    for toolchain in need_releases!().iter().filter(|t| t.minor() >= 27) {
        let mut leaked = 0;
        each(toolchain, number(60), |index, target, truth| {
            let theirs = oracle(target);
            let compared = Compared::new(&theirs, truth);
            leaked += theirs.len();
            let what = format!(
                "program {index}: {} {:?}",
                compared.summary(),
                compared.missed
            );
            assert!(
                compared.wrong.is_empty() && compared.missed() == 0,
                "{what}"
            );
        });
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
        let number = match *toolchain == newest {
            true => number(60),
            false => number(60) / 6,
        };
        let (mut found, mut all, mut of_oracle) = (0, 0, 0);
        each(toolchain, number, |index, target, truth| {
            let what = format!("{} seed {} program {index}", toolchain.version, seed());
            let proof = Proof::of(target.pid(), &["--pause-between", "10ms"]).unwrap();
            let ours = proof.leaked().unwrap();
            let compared = Compared::new(&ours, truth);
            assert!(compared.wrong.is_empty(), "{what}: {}", compared.summary());
            if compared.missed() > 0 {
                eprintln!("{what}: missed {:?}", compared.missed.keys());
            }
            found += compared.found;
            all += compared.found + compared.missed();
            if toolchain.minor() >= 27 {
                let theirs = oracle(target);
                of_oracle += theirs.len();
                let extra: Vec<_> = ours.difference(&theirs).collect();
                assert!(extra.is_empty(), "{what}: the detector says {extra:?} live");
            }
        });
        eprintln!(
            "{}: {found} of {all} found in {number} programs; the detector finds {of_oracle}",
            toolchain.version
        );
        let wanted = if toolchain.minor() >= 27 { 99 } else { 90 };
        assert!(
            found * 100 >= all * wanted,
            "{}: {found} of {all}",
            toolchain.version
        );
    }
}
