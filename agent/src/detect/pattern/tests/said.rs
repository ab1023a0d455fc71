//! What people read.

use proptest::prelude::*;

use super::*;

fn said(waiting: &Waiting) -> String {
    let found = recognise(waiting).unwrap();
    format!("{}\n{}\n\n{}", found.because, found.advice, found.example)
}

#[test]
fn a_send() {
    insta::assert_snapshot!(said(&waiting("chan send", &[], &[channel(0, 0, 8)])), @r"
    they wait to send on a channel without buffer, and nobody receives
    main.work (work.go:12) sends to a receiver that has gone or never came (started by main.start at start.go:34). Make room for the value in the channel, or let the send end with the receiver's context.

    // in main.work (work.go:12); or, where it sends only once: make(chan T, 1)
    select {
    case results <- value:
    case <-ctx.Done(): // the receiver has gone
    	return
    }
    ");
}

#[test]
fn a_full_buffer() {
    let mut waiting = waiting("chan send", &[], &[channel(16, 16, 8)]);
    waiting.facts.sharing = 32;
    insta::assert_snapshot!(said(&waiting), @r"
    all wait for the same channel, whose buffer of 16 is full
    main.work (work.go:12) sends on a channel whose 16 places are taken and which nobody empties (started by main.start at start.go:34). Find out why its receiver stopped; and let the sender give up: a larger buffer only puts it off.

    // in main.work (work.go:12)
    select {
    case events <- event:
    case <-ctx.Done(): // the receiver has gone
    	return ctx.Err()
    }
    ");
}

#[test]
fn a_read() {
    let read = ["internal/poll.(*FD).Read", "net.(*conn).Read"];
    let thing = network(Some("10.0.0.7:5432"), Some(false));
    insta::assert_snapshot!(said(&waiting("IO wait", &read, &[thing])), @r"
    they wait for the peer 10.0.0.7:5432 to send something, and no deadline is set
    main.work (work.go:12) waits for the peer 10.0.0.7:5432, for as long as that likes (started by main.start at start.go:34). Set a deadline before each operation, and close the connection when its work is over.

    // in main.work (work.go:12), before it waits
    if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
    	return err
    }
    ");
}

#[test]
fn a_lock() {
    let calls = ["internal/sync.(*Mutex).Lock", "sync.(*Mutex).Lock"];
    insta::assert_snapshot!(said(&waiting("sync.Mutex.Lock", &calls, &[Thing::Semaphore])), @r"
    they wait for a mutex that nobody gives back
    main.work (work.go:12) waits for a mutex (started by main.start at start.go:34). Whoever locked it returned without Unlock, or is blocked: unlock on every way out, deferred at best, and do not send, receive or call out while holding it.

    mu.Lock() // everywhere this one is taken, as in main.work (work.go:12)
    defer mu.Unlock() // no return and no panic goes past it
    value := cache[key]
    ");
}

#[test]
fn a_select() {
    let things = [channel(0, 0, 8), done(false)];
    insta::assert_snapshot!(said(&waiting("select", &[], &things)), @r"
    they wait in a select for work or for a signal to stop, and neither comes
    main.work (work.go:12) ends only when it is told to, and nobody does (started by main.start at start.go:34). Call the cancel function where its work is over (close the channel, if it is no context), or give the context a limit.

    // in main.start
    ctx, cancel := context.WithTimeout(parent, 30*time.Second)
    defer cancel() // on every way out
    go work(ctx)
    ");
}

#[test]
fn a_condition() {
    let calls = ["sync.runtime_notifyListWait", "sync.(*Cond).Wait"];
    insta::assert_snapshot!(said(&waiting("sync.Cond.Wait", &calls, &[])), @r"
    they wait for a sync.Cond that nobody signals
    main.work (work.go:12) waits for a signal that came before it waited, or never comes (started by main.start at start.go:34). Signal behind every change of what is waited for, broadcast at the end, and ask for both in the loop.

    cond.L.Lock()
    for !ready && !closed { // in main.work (work.go:12)
    	cond.Wait()
    }
    // and where it ends:
    cond.L.Lock()
    closed = true
    cond.L.Unlock()
    cond.Broadcast()
    ");
}

const REASONS: [&str; 14] = [
    "chan send",
    "chan receive",
    "select",
    "select (no cases)",
    "chan receive (nil chan)",
    "chan send (nil chan)",
    "semacquire",
    "sync.Mutex.Lock",
    "sync.RWMutex.RLock",
    "sync.WaitGroup.Wait",
    "sync.Cond.Wait",
    "sleep",
    "IO wait",
    "something new",
];

const CALLS: [&str; 8] = [
    "sync.(*Mutex).Lock",
    "sync.(*WaitGroup).Wait",
    "sync.(*Cond).Wait",
    "internal/poll.(*FD).Read",
    "net/http.(*persistConn).readLoop",
    "golang.org/x/sync/errgroup.(*Group).Wait",
    "io.(*pipe).read",
    "context.propagateCancel.func1",
];

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![
        (
            0_u64..3,
            0_u64..3,
            prop_oneof![Just(0_u16), Just(8), Just(24)],
            any::<bool>()
        )
            .prop_map(
                |(length, capacity, element_size, is_context)| Thing::Channel {
                    length,
                    capacity,
                    element_size,
                    is_context
                }
            ),
        Just(Thing::NilChannel),
        Just(Thing::Semaphore),
        Just(Thing::Timer),
        any::<Option<bool>>().prop_map(|deadline| network(Some("10.0.0.7:5432"), deadline)),
    ]
}

proptest! {
    #[test]
    fn whatever_is_recognised_names_a_line(
        reason in prop::sample::select(&REASONS[..]),
        calls in prop::collection::vec(prop::sample::select(&CALLS[..]), 0..4),
        things in prop::collection::vec(thing(), 0..4),
        ended in 0_u64..600,
        sharing in 0_usize..33,
        is_own in any::<bool>(),
    ) {
        let mut waiting = waiting(reason, &calls, &things);
        waiting.facts = Facts { ended, sharing, oldest_seconds: Some(20.0), ..stuck() };
        if !is_own {
            waiting.stack.pop();
        }
        match recognise(&waiting) {
            Ok(found) => {
                let position = found.place.position().unwrap();
                prop_assert!(found.advice.contains(&found.place.function), "{}", found.advice);
                prop_assert!(found.advice.contains(&position), "{}", found.advice);
                prop_assert!(!found.place.is_library());
                prop_assert!(found.advice.ends_with('.'));
                prop_assert!(!found.because.ends_with('.'));
                prop_assert!(found.example.lines().count() <= 10 && !found.example.is_empty());
            }
            Err(reason) => prop_assert!(!reason.is_empty()),
        }
    }
}
