//! Every supported release offers its probe sites, on both architectures, stripped too. Reads
//! files only.

use gostray::{
    binary::GoBinary,
    probes::{Plan, ProbeKind, SiteChoice},
};
use gostray_tests::go::{self, Mode};

const KINDS: [ProbeKind; 3] = [ProbeKind::Creation, ProbeKind::Exit, ProbeKind::Park];

#[test]
#[ignore = "needs the Go releases in GOSTRAY_GO_ROOTS, and minutes to build with them"]
fn every_release_has_its_sites() {
    let toolchains = go::toolchains().expect("Go releases");
    assert!(
        !toolchains.is_empty(),
        "GOSTRAY_GO_ROOTS names no Go release"
    );
    for toolchain in &toolchains {
        for arch in ["amd64", "arm64"] {
            let path = go::build_with("counters", toolchain, Mode::Stripped, &[("GOARCH", arch)])
                .expect("a program");
            let binary = GoBinary::open(&path).expect("a Go binary");
            let plan = Plan::new(&binary, &KINDS, SiteChoice::SingleTrap)
                .unwrap_or_else(|error| panic!("{} {arch}: {error}", toolchain.version));
            for probe in &plan.probes {
                let version = &toolchain.version;
                println!(
                    "{version} {arch}: {} in {}",
                    probe.kind.name(),
                    probe.function
                );
                // There it would count only after looking at the flags: it works, but no release
                // should need it.
                assert!(!probe.site.at_stack_check);
            }
        }
    }
}
