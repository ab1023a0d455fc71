//! A test that cannot run here says why, and is never mistaken for one that passed: with
//! `GOSTRAY_NO_SKIP=1`, as CI sets it, it fails instead.

/// Prints why a test did not run.
///
/// # Panics
/// Where `GOSTRAY_NO_SKIP` says that everything needed is there.
pub fn report(test: &str, why: &str) {
    assert!(
        std::env::var_os("GOSTRAY_NO_SKIP").is_none(),
        "{test} could not run: {why}"
    );
    // `cargo xtask test` reads this line and counts the test as skipped.
    println!("skipped: {why}");
}

/// Whether this process may attach probes at all.
#[must_use]
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Leaves the calling test with a reason unless the condition holds.
#[macro_export]
macro_rules! need {
    ($condition:expr, $why:expr) => {
        if !$condition {
            $crate::skip::report(module_path!(), &$why.to_string());
            return;
        }
    };
}

/// The Go releases; leaves the calling test with a reason where there are none.
#[macro_export]
macro_rules! need_releases {
    () => {{
        let releases = $crate::go::toolchains().unwrap();
        $crate::need!(!releases.is_empty(), "GOSTRAY_GO_ROOTS names no Go release");
        releases
    }};
}

/// As [`need_releases`], for a test that needs root too.
#[macro_export]
macro_rules! need_root_and_releases {
    () => {{
        $crate::need!($crate::skip::is_root(), "needs root");
        $crate::need_releases!()
    }};
}
