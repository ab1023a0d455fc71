//! A thousand times attached and detached, on a target that is busy with what the probes count.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use gostray::binary::BinaryCache;
use gostray::governor::Budget;
use gostray::probes::Limits;
use gostray::report::{DetachReason, EventKind};
use gostray::session::{Inspected, Options, Session};
use gostray_tests::go::{self, Mode};
use gostray_tests::target::Target;
use gostray_tests::{need, probes, skip};

const ROUNDS: usize = 1000;

/// Most of a round is the kernel waiting before it lets go of a probe. It does so mostly one after
/// the other: more lanes gain nothing.
const LANES: usize = 4;

/// One round, as `gostray attach` does it; returns whether the kernel let go in time.
fn round(pid: i32, options: Options, binaries: &BinaryCache) -> bool {
    let inspected = Inspected::new(pid, binaries).unwrap();
    let mut session = Session::attach(inspected, options).unwrap();
    session.observe().unwrap();
    session.status().unwrap();
    match session.detach(DetachReason::Duration).kind {
        EventKind::Detached(detached) => detached.clean,
        other => panic!("{other:?} instead of an end"),
    }
}

/// In this process, because starting a thousand agents would test the kernel's `execve`; that one
/// agent process leaves nothing behind is what the other tests look at.
#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_thousand_rounds_on_a_busy_target() {
    need!(skip::is_root(), "needs root");
    let mut target = Target::of("exits", &go::newest().unwrap(), Mode::Stripped).unwrap();
    let churned = |target: &mut Target| -> u64 { target.ask("churned").unwrap().parse().unwrap() };
    let before = churned(&mut target);
    let pid = i32::try_from(target.pid()).unwrap();
    let options = Options {
        // Room for all that lives in this program: more would be allocated and freed each time.
        limits: Limits {
            goroutines: 4096,
            ..Limits::default()
        },
        budget: Budget::UNLIMITED,
        ..Options::default()
    };
    let binaries = BinaryCache::new();
    let (started, late) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while started.fetch_add(1, Ordering::Relaxed) < ROUNDS {
                    if !round(pid, options.clone(), &binaries) {
                        late.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    eprintln!("{ROUNDS} rounds in {:.1?}", begin.elapsed());
    assert_eq!(late.into_inner(), 0, "rounds whose probes were still there");
    assert_eq!(
        probes::changed_bytes(target.pid()).unwrap(),
        Vec::<u64>::new()
    );
    assert!(churned(&mut target) > before, "the target works");
}
