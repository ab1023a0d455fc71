use super::*;
use crate::runtime::fake::{RUNNING, Runtime, WAITING};

/// A running goroutine and the `m` that runs it.
fn running(runtime: &Runtime) -> (u64, u64) {
    let (g, m) = (runtime.goroutine(RUNNING), runtime.object("runtime.m"));
    runtime.set(g, runtime.g.m, m);
    runtime.field(m, "runtime.m", "curg", g);
    (g, m)
}

fn check(runtime: &Runtime) -> Result<(), SelfCheckError> {
    self_check(runtime, &runtime.layouts, &runtime.g, runtime.list())
}

/// What does not fit, of a runtime in which something does not.
fn misfit(runtime: &Runtime) -> String {
    match check(runtime) {
        Err(SelfCheckError::DoesNotFit { what }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sound_runtime_fits() {
    for minor in 18..=27 {
        let runtime = Runtime::new(minor);
        runtime.goroutine(WAITING);
        running(&runtime);
        // On its way: no thread yet.
        runtime.goroutine(RUNNING);
        assert!(check(&runtime).is_ok(), "1.{minor}");
    }
}

#[test]
fn the_first_has_the_number_one() {
    let runtime = Runtime::new(25);
    let g = runtime.goroutine(WAITING);
    runtime.set(g, runtime.g.goid, 17);
    assert_eq!(misfit(&runtime), "the first goroutine has the number 17");
}

#[test]
fn states_are_known() {
    let runtime = Runtime::new(25);
    runtime.goroutine(WAITING);
    let g = runtime.goroutine(0x77);
    let expected = format!("the g at {} has the status 119", RuntimeAddress(g));
    assert_eq!(misfit(&runtime), expected);
}

#[test]
fn a_thread_runs_the_goroutine_that_it_runs_on() {
    let runtime = Runtime::new(25);
    runtime.goroutine(WAITING);
    let (g, m) = running(&runtime);
    runtime.field(m, "runtime.m", "curg", 0x5000);
    assert!(misfit(&runtime).contains("runs another"));
    // Nor can it be nowhere.
    runtime.set(g, runtime.g.m, 0x5000);
    assert!(misfit(&runtime).contains("runs another"));
    runtime.set(g, runtime.g.m, u64::MAX);
    assert!(misfit(&runtime).contains("runs another"));
}

#[test]
fn one_that_moves_between_threads_is_looked_at_again() {
    let runtime = Runtime::new(25);
    runtime.goroutine(WAITING);
    let (g, m) = running(&runtime);
    runtime.field(m, "runtime.m", "curg", 0);
    let runtime = runtime.on_read(move |runtime, address, times| {
        if (address, times) == (g, 3) {
            runtime.field(m, "runtime.m", "curg", g);
        }
    });
    assert!(check(&runtime).is_ok());
}

#[test]
fn what_cannot_be_read_is_another_error() {
    let runtime = Runtime::new(25);
    let g = runtime.goroutine(WAITING);
    runtime.unmap(g);
    assert!(matches!(check(&runtime), Err(SelfCheckError::Memory(_))));
}
