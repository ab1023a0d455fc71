//! The programs the other tests rely on keep their promises, whatever builds them.

use anyhow::{Result, ensure};
use gostray_tests::go::{self, Mode, Toolchain};
use gostray_tests::target::Target;
use gostray_tests::{cells, counts, need_releases};

fn check(toolchain: &Toolchain, mode: Mode) -> Result<()> {
    let exe = go::build("counters", toolchain, mode)?;
    let mut target = Target::start(&exe, &[], &[("GOMAXPROCS", "2")])?;
    target.ask("short 20000")?;
    target.ask("leak 1000")?;
    let sites = counts::parse(&target.ask("counts")?)?;
    let created: u64 = sites.iter().map(|s| s.created).sum();
    ensure!((21_000..21_002).contains(&created), "{created} created");
    let live: u64 = sites.iter().map(|s| s.live).sum();
    ensure!(live == 1000, "{live} live");
    // One more is the main goroutine: the runtime agrees with the counters.
    ensure!(
        target.ask("goroutines")? == "1001",
        "the runtime counts other goroutines"
    );
    ensure!(
        counts::own(&sites).len() == sites.len(),
        "two sites on one line"
    );
    for site in &sites {
        ensure!(
            !site.file.is_empty() && site.line > 0 && !site.start.is_empty(),
            "{site:?}"
        );
    }
    ensure!(
        sites.iter().any(|s| s.name == "iter.Pull") == (toolchain.minor() >= 23),
        "iter.Pull"
    );
    ensure!(
        sites.iter().any(|s| s.name == "callback from C") == (mode == Mode::Cgo),
        "the C callback"
    );
    target.ask("release")?;
    ensure!(
        target.ask("goroutines")? == "201",
        "release leaves the two kinds that nothing can end"
    );
    Ok(())
}

#[test]
#[ignore = "needs the Go releases in GOSTRAY_GO_ROOTS, and minutes to build with them"]
fn counters_count_right() {
    let toolchains = need_releases!();
    let failures: Vec<_> = cells::for_all(&toolchains, &Mode::ALL, |toolchain, mode| {
        let error = check(toolchain, mode).err()?;
        Some(format!("{} {mode:?}: {error:#}", toolchain.version))
    })
    .into_iter()
    .flatten()
    .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
