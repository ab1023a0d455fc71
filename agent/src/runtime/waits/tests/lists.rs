//! Those that are found from the other side: semaphores and conditions.

use super::*;

/// A sudog in the tree of semaphores.
fn node(runtime: &Runtime, g: u64, semaphore: u64) -> u64 {
    let sudog = runtime.sudog(g, 0);
    runtime.field(sudog, "runtime.sudog", "elem", semaphore);
    sudog
}

/// A table of semaphores with these trees in it.
fn table(runtime: &Runtime, treaps: &[u64]) -> SemaphoreTable {
    let treap = runtime.layouts.offset("runtime.semaRoot", "treap");
    let treap = treap.expect("a field");
    let address = runtime.allocate(251 * 64);
    for (n, node) in (0..).zip(treaps) {
        runtime.set(address, 64 * (7 * n + 3) + treap, *node);
    }
    SemaphoreTable::at(RuntimeAddress(address), Architecture::X86_64, treap)
}

fn semaphore(address: u64) -> Wait {
    Wait::Semaphore {
        address: RuntimeAddress(address),
    }
}

#[test]
fn the_tables_trees_and_lists_lead_to_all_waiters_though_they_lead_back() {
    let runtime = Runtime::new(22);
    // Under one root a tree of three semaphores, and two more waiters on the first.
    let waiters = [0; 6].map(|_| runtime.parked("semacquire"));
    let semaphores = [0x9000, 0x9008, 0x9010, 0x9000, 0x9000, 0x9018];
    let nodes: Vec<u64> = waiters
        .iter()
        .zip(semaphores)
        .map(|(g, semaphore)| node(&runtime, *g, semaphore))
        .collect();
    let link = |from: usize, field, to: usize| {
        runtime.field(nodes[from], "runtime.sudog", field, nodes[to]);
    };
    link(0, "prev", 1);
    link(0, "next", 2);
    link(0, "waitlink", 3);
    link(3, "waitlink", 4);
    // Torn: to itself, to the first, to one of another tree.
    link(1, "prev", 1);
    link(2, "next", 0);
    link(4, "waitlink", 0);
    link(5, "next", 2);
    let table = table(&runtime, &[nodes[0], nodes[5], 0x5000, 1]);
    let (census, found) = runtime.census(Some(&table));
    assert!(census.defects.is_empty(), "{census:?}");
    for (goroutine, address) in found.values().zip(semaphores) {
        assert_eq!(goroutine.waits, [semaphore(address)], "{}", goroutine.goid);
    }
    assert_eq!(found.len(), 6);
}

#[test]
fn a_table_that_cannot_be_read_is_an_error() {
    let runtime = Runtime::new(22);
    let layout = WaitLayout::new(&runtime.layouts).expect("a layout");
    let nowhere = SemaphoreTable::at(RuntimeAddress(0x5000), Architecture::X86_64, 8);
    let waits = Waits::new(&runtime, layout, &reasons(), Some(&nowhere));
    assert!(waits.is_err());
}

#[test]
fn the_g_leads_to_its_semaphore_and_its_condition_from_1_26_on() {
    let runtime = Runtime::new(26);
    let (locking, waiting) = (
        runtime.parked("sync.Mutex.Lock"),
        runtime.parked("sync.Cond.Wait"),
    );
    for g in [locking, waiting] {
        runtime.waits_on(g, &[node(&runtime, g, 0x9000)]);
    }
    assert_eq!(waits_of(&runtime, locking), [semaphore(0x9000)]);
    assert_eq!(waits_of(&runtime, waiting), [condition(0x9000)]);
}

fn condition(address: u64) -> Wait {
    Wait::Condition {
        address: RuntimeAddress(address),
    }
}

/// A `sync.Cond` with a list of these sudogs, and where the list is.
fn cond(runtime: &Runtime, sudogs: &[u64]) -> (u64, u64) {
    let cond = runtime.object("sync.Cond");
    let list = cond + u64::from(runtime.layouts.offset("sync.Cond", "notify").expect("it"));
    let head = sudogs.first().copied().unwrap_or(0);
    runtime.field(list, "runtime.notifyList", "head", head);
    for pair in sudogs.windows(2) {
        runtime.field(pair[0], "runtime.sudog", "next", pair[1]);
    }
    (cond, list)
}

#[test]
fn before_that_a_condition_is_found_through_the_stack() {
    let runtime = Runtime::new(25);
    let [first, second, alone] = [0; 3].map(|_| runtime.parked("sync.Cond.Wait"));
    let idle = runtime.parked("GC worker (idle)");
    let sudogs = [first, second].map(|g| runtime.sudog(g, 0));
    let (both, list) = cond(&runtime, &sudogs);
    let (empty, _) = cond(&runtime, &[]);
    let (foreign, _) = cond(&runtime, &[runtime.sudog(idle, 0)]);
    runtime.stack(first, &[3, empty, foreign, both, 0]);
    // The second's stack says nothing: the list of the first does.
    assert_eq!(waits_of(&runtime, second), [condition(list)]);
    assert_eq!(waits_of(&runtime, first), [condition(list)]);
    // A condition on whose list it is not is not what it waits on.
    runtime.stack(alone, &[both]);
    assert_eq!(waits_of(&runtime, alone), []);
}

#[test]
fn rings_of_conditions_end() {
    for back_to in 0..3 {
        let runtime = Runtime::new(25);
        let gs = [0; 3].map(|_| runtime.parked("sync.Cond.Wait"));
        let sudogs = gs.map(|g| runtime.sudog(g, 0));
        let (ring, list) = cond(&runtime, &sudogs);
        runtime.field(sudogs[2], "runtime.sudog", "next", sudogs[back_to]);
        let other = runtime.parked("sync.Cond.Wait");
        for g in gs.into_iter().chain([other]) {
            runtime.stack(g, &[ring; 4]);
        }
        for g in gs {
            assert_eq!(waits_of(&runtime, g), [condition(list)], "{back_to}");
        }
        assert_eq!(waits_of(&runtime, other), [], "{back_to}");
    }
}
