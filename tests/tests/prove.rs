//! `gostray prove` on a program that knows of each of its goroutines whether anything can wake it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use gostray_tests::cells::{self, Differences};
use gostray_tests::go::{self, Mode};
use gostray_tests::need_root_and_releases;
use gostray_tests::prove::{Compared, Goids, Proofs};

/// How long the passes are apart here: nothing moves.
const PAUSE: [&str; 2] = ["--pause-between", "50ms"];

/// So often it is asked, where something was not proven that could have been.
const ATTEMPTS: u32 = 3;

/// Every scenario in these releases and modes: nothing that lives is proven; of what is leaked 99 of 100
/// are, also where something that is no reference looks like one in the newest release.
#[track_caller]
fn compare(toolchains: &[go::Toolchain], modes: &[Mode]) {
    let mut differences = Differences::default();
    for result in cells::for_all(toolchains, modes, |toolchain, mode| {
        let proofs = Proofs::new(toolchain, mode, "all")?;
        let mut left = ATTEMPTS;
        loop {
            let proof = proofs.prove(&PAUSE)?;
            let compared = Compared::new(&proof.leaked()?, &proofs.truth);
            eprintln!("{}: {}", proofs.name, compared.summary());
            // What lies dead on a stack that cannot be told apart keeps several at once, for a while.
            let is_unlucky = compared.wrong.is_empty() && compared.recall() < 0.99;
            left -= 1;
            if !is_unlucky || left == 0 {
                return Ok::<_, anyhow::Error>((proofs, proof, compared));
            }
        }
    }) {
        let (proofs, proof, compared) = result.unwrap();
        for wrong in &compared.wrong {
            let scenario = wrong.split_once(" of ").map_or("", |(_, name)| name);
            differences.add(&proofs.name, format!("proven, but alive: {scenario}"));
        }
        // What lies dead on the stack of one that runs may keep one or the other.
        let easy = compared.missed.keys();
        let easy: Vec<_> = easy.filter(|name| !proofs.truth.is_hard(name)).collect();
        if easy.len() * 100 > compared.found {
            for name in easy {
                differences.add(&proofs.name, format!("not proven: {name}"));
            }
        }
        if proofs.minor == 27 && compared.recall() < 0.99 {
            differences.add(&proofs.name, format!("only {:.3} found", compared.recall()));
        }
        // Whoever waits and is not proven is told, with the reason.
        let reachable = proof.unproven("reachable").unwrap();
        let alive = proofs
            .truth
            .alive()
            .filter(|(goid, _)| reachable.contains(goid));
        if alive.count() < 2000 {
            differences.add(&proofs.name, format!("{} are reachable", reachable.len()));
        }
    }
    differences.none();
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn what_is_leaked_is_proven_and_nothing_else() {
    compare(&need_root_and_releases!(), &[Mode::Plain, Mode::Stripped]);
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn so_it_is_with_c_and_plugins() {
    let toolchains = go::oldest_and_newest(need_root_and_releases!());
    compare(&toolchains, &[Mode::Pie, Mode::Cgo]);
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn the_same_as_the_detector_of_go() {
    let toolchains = need_root_and_releases!();
    for toolchain in toolchains.iter().filter(|t| t.minor() >= 27) {
        for mode in [Mode::Plain, Mode::Stripped] {
            let mut proofs = Proofs::new(toolchain, mode, "all").unwrap();
            // First: the detector leaves its marks, which gostray takes for proofs.
            let ours = proofs.prove(&PAUSE).unwrap().leaked().unwrap();
            let all_of_theirs = proofs.oracle().unwrap();
            // Whoever has a weak pointer could still wake these: the detector does not count that.
            let weak = proofs.truth.alive();
            let weak = weak.filter(|(_, name)| name.starts_with("weak/"));
            let weak: Goids = weak.map(|(goid, _)| goid).collect();
            let theirs: Goids = all_of_theirs.difference(&weak).copied().collect();
            let extra: Vec<_> = ours.difference(&theirs).collect();
            let found = ours.intersection(&theirs).count();
            let compared = Compared::new(&ours, &proofs.truth);
            eprintln!(
                "{}: {found} of {} found, {} more; {}",
                proofs.name,
                theirs.len(),
                extra.len(),
                compared.summary()
            );
            assert!(theirs.len() > 700, "the detector found {}", theirs.len());
            assert_eq!(extra, Vec::<&u64>::new(), "the detector says they live");
            assert!(found * 100 >= theirs.len() * 99, "{}", compared.summary());
            // Its marks are proofs.
            let marked = proofs.prove(&PAUSE).unwrap().leaked().unwrap();
            let missing: Vec<_> = all_of_theirs.difference(&marked).collect();
            assert_eq!(missing, Vec::<&u64>::new(), "marked, and not proven");
            let extra: Vec<_> = marked.difference(&all_of_theirs).collect();
            assert_eq!(extra, Vec::<&u64>::new(), "neither marked nor leaked");
        }
    }
}

/// The main goroutine in a select without cases is not told, but what only it holds is leaked.
#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn the_main_goroutine() {
    let toolchains = go::oldest_and_newest(need_root_and_releases!());
    for toolchain in &toolchains {
        for main in ["select", "done", "signal"] {
            let mut proofs =
                Proofs::with_main(toolchain, Mode::Stripped, "select-empty", &[main]).unwrap();
            let ours = proofs.prove(&PAUSE).unwrap().leaked().unwrap();
            let compared = Compared::new(&ours, &proofs.truth);
            let what = format!("{} {main}: {}", proofs.name, compared.summary());
            assert!(compared.wrong.is_empty(), "{what}");
            assert_eq!(compared.missed(), 0, "{what}");
            assert_eq!(ours.contains(&1), main == "done", "{what}");
            if proofs.minor >= 27 {
                assert_eq!(ours, proofs.oracle().unwrap(), "{what}");
            }
        }
    }
}
