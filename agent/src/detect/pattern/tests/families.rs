use super::*;

#[track_caller]
fn is(expected: Pattern, reason: &str, calls: &[&str], things: &[Thing]) {
    let waiting = waiting(reason, calls, things);
    assert_eq!(
        pattern(&waiting),
        Some(expected),
        "{reason} {calls:?} {things:?}"
    );
}

#[test]
fn channels() {
    is(Pattern::ChannelSend, "chan send", &[], &[channel(0, 0, 8)]);
    is(
        Pattern::ChannelSend,
        "chan send (durable)",
        &[],
        &[channel(0, 0, 8)],
    );
    is(Pattern::ChannelSend, "chan send", &[], &[]);
    is(Pattern::FullBuffer, "chan send", &[], &[channel(16, 16, 8)]);
    is(
        Pattern::ChannelReceive,
        "chan receive",
        &[],
        &[channel(0, 0, 8)],
    );
    is(
        Pattern::ChannelReceive,
        "chan receive",
        &[],
        &[channel(0, 100, 8)],
    );
    // An answer that carries nothing may be awaited as well as an end.
    is(Pattern::ChannelReceive, "chan receive", &[], &[done(false)]);
    is(
        Pattern::NilChannel,
        "chan receive (nil chan)",
        &[],
        &[Thing::NilChannel],
    );
    is(Pattern::NilChannel, "chan send (nil chan)", &[], &[]);
    is(Pattern::NilChannel, "select", &[], &[Thing::NilChannel]);
}

#[test]
fn selects() {
    let values = channel(0, 0, 8);
    is(Pattern::SelectWithoutWayOut, "select (no cases)", &[], &[]);
    is(
        Pattern::SelectWithoutWayOut,
        "select",
        &[],
        &[values.clone(), channel(3, 3, 16)],
    );
    is(
        Pattern::SelectWithoutWayOut,
        "select",
        &["io.(*pipe).write", "io.(*PipeWriter).Write"],
        &[values.clone(), done(false)],
    );
    is(
        Pattern::ContextNeverCancelled,
        "select",
        &[],
        &[values.clone(), done(false)],
    );
    is(
        Pattern::ContextNeverCancelled,
        "select",
        &[],
        &[values, done(true)],
    );
    is(
        Pattern::ContextNeverCancelled,
        "chan receive",
        &[],
        &[done(true)],
    );
}

#[test]
fn contexts_of_others() {
    for innermost in [
        "context.propagateCancel.func1",
        "context.(*cancelCtx).propagateCancel.func2",
    ] {
        let mut waiting = waiting("select", &[innermost], &[done(false), done(false)]);
        waiting.stack.pop();
        assert_eq!(pattern(&waiting), Some(Pattern::ContextNeverCancelled));
        let found = recognise(&waiting).unwrap();
        assert_eq!(found.place.function, "main.start");
    }
    is(
        Pattern::ContextNeverCancelled,
        "select",
        &["database/sql.(*Tx).awaitDone"],
        &[done(true)],
    );
    is(
        Pattern::ContextNeverCancelled,
        "chan receive",
        &["database/sql.(*Tx).awaitDone"],
        &[],
    );
}

#[test]
fn locks_in_every_release() {
    for (reason, calls) in [
        (
            "semacquire",
            &[
                "sync.runtime_SemacquireMutex",
                "sync.(*Mutex).lockSlow",
                "sync.(*Mutex).Lock",
            ][..],
        ),
        (
            "sync.Mutex.Lock",
            &[
                "sync.runtime_SemacquireMutex",
                "sync.(*Mutex).lockSlow",
                "sync.(*Mutex).Lock",
            ],
        ),
        (
            "sync.Mutex.Lock",
            &[
                "internal/sync.runtime_SemacquireMutex",
                "internal/sync.(*Mutex).lockSlow",
                "internal/sync.(*Mutex).Lock",
                "sync.(*Mutex).Lock",
            ],
        ),
        (
            "semacquire",
            &["sync.runtime_SemacquireMutex", "sync.(*RWMutex).RLock"],
        ),
        (
            "sync.RWMutex.RLock",
            &["sync.runtime_SemacquireRWMutexR", "sync.(*RWMutex).RLock"],
        ),
        (
            "sync.RWMutex.Lock",
            &["sync.runtime_SemacquireRWMutex", "sync.(*RWMutex).Lock"],
        ),
        (
            "sync.Mutex.Lock",
            &[
                "internal/sync.(*Mutex).lockSlow",
                "internal/sync.(*Mutex).Lock",
                "sync.(*Mutex).Lock",
                "sync.(*Once).doSlow",
                "sync.(*Once).Do",
            ],
        ),
        // Woken, and then waiting for the lock that belongs to the condition.
        (
            "sync.Mutex.Lock",
            &[
                "sync.(*Mutex).lockSlow",
                "sync.(*Mutex).Lock",
                "sync.(*Cond).Wait",
            ],
        ),
        // Without a stack.
        ("sync.Mutex.Lock", &[]),
    ] {
        is(Pattern::Mutex, reason, calls, &[Thing::Semaphore]);
    }
}

#[test]
fn groups_and_conditions_in_every_release() {
    for reason in ["semacquire", "sync.WaitGroup.Wait"] {
        let calls = ["sync.runtime_Semacquire", "sync.(*WaitGroup).Wait"];
        is(Pattern::WaitGroup, reason, &calls, &[Thing::Semaphore]);
        let calls = ["sync.runtime_SemacquireWaitGroup", "sync.(*WaitGroup).Wait"];
        is(Pattern::WaitGroup, reason, &calls, &[Thing::Semaphore]);
        let calls = [
            "sync.runtime_Semacquire",
            "sync.(*WaitGroup).Wait",
            "golang.org/x/sync/errgroup.(*Group).Wait",
        ];
        is(Pattern::Errgroup, reason, &calls, &[Thing::Semaphore]);
    }
    let calls = ["sync.runtime_notifyListWait", "sync.(*Cond).Wait"];
    is(Pattern::Cond, "sync.Cond.Wait", &calls, &[Thing::Condition]);
}

#[test]
fn members_of_an_errgroup() {
    let mut member = waiting("chan send", &[], &[channel(0, 0, 8)]);
    member.stack.push(call(
        "golang.org/x/sync/errgroup.(*Group).Go.func1",
        "/m/errgroup.go",
        75,
    ));
    member.start = call(
        "golang.org/x/sync/errgroup.(*Group).Go.func1",
        "/m/errgroup.go",
        70,
    );
    member.created_at = call(
        "golang.org/x/sync/errgroup.(*Group).Go",
        "/m/errgroup.go",
        72,
    );
    member.created_by.insert(0, member.created_at.clone());
    let found = recognise(&member).unwrap();
    assert_eq!(found.pattern, Pattern::Errgroup);
    assert_eq!(found.place.function, "main.work");
    assert!(
        found
            .advice
            .contains("started by main.start at start.go:34"),
        "{}",
        found.advice
    );
    let room = ["golang.org/x/sync/errgroup.(*Group).Go"];
    is(Pattern::Errgroup, "chan send", &room, &[channel(2, 2, 0)]);
}

#[test]
fn the_network() {
    let read = [
        "internal/poll.runtime_pollWait",
        "internal/poll.(*pollDesc).wait",
        "internal/poll.(*FD).Read",
        "net.(*netFD).Read",
        "net.(*conn).Read",
    ];
    for deadline in [None, Some(false)] {
        let thing = network(Some("10.0.0.7:5432"), deadline);
        is(Pattern::NetworkWithoutDeadline, "IO wait", &read, &[thing]);
    }
    is(Pattern::NetworkWithoutDeadline, "IO wait", &read, &[]);
    let request = [
        "net/http.(*persistConn).roundTrip",
        "net/http.(*Transport).roundTrip",
        "net/http.send",
        "net/http.Get",
    ];
    is(
        Pattern::NetworkWithoutDeadline,
        "select",
        &request,
        &[channel(0, 0, 16), done(false)],
    );
}

#[test]
fn connections_of_a_client() {
    for function in [
        "net/http.(*persistConn).readLoop",
        "net/http.(*persistConn).writeLoop",
    ] {
        let mut connection = waiting("select", &[function], &[channel(0, 2, 1), done(false)]);
        connection.stack.pop();
        connection.start = call(function, "/usr/local/go/src/net/http/transport.go", 2000);
        connection.created_at = call(
            "net/http.(*Transport).dialConn",
            "/usr/local/go/src/net/http/transport.go",
            1800,
        );
        connection.created_by = vec![connection.created_at.clone()];
        let found = recognise(&connection).unwrap();
        assert_eq!(found.pattern, Pattern::HttpBodyNotClosed);
        assert_eq!(found.place.function, "net/http.(*Transport).dialConn");
        // Where what is read from the connection is awaited, there is no body that was not read.
        connection.readers_reason = Some("IO wait".into());
        assert_eq!(pattern(&connection), Some(Pattern::NetworkWithoutDeadline));
        connection.readers_reason = Some("select".into());
        connection.requested_by = Some(call("main.fetch", "/src/app/fetch.go", 9));
        let found = recognise(&connection).unwrap();
        assert_eq!(found.place.function, "main.fetch");
    }
}

#[test]
fn timers() {
    let timer = channel(0, 1, 24);
    is(
        Pattern::TimerLoop,
        "sleep",
        &["time.Sleep"],
        &[Thing::Timer],
    );
    is(
        Pattern::TimerLoop,
        "chan receive",
        &[],
        std::slice::from_ref(&timer),
    );
    is(
        Pattern::TimerLoop,
        "chan receive",
        &[],
        &[channel(0, 1, 24), Thing::Timer],
    );
    is(
        Pattern::TimerLoop,
        "select",
        &[],
        &[timer, done(false), Thing::Timer],
    );
}

#[test]
fn a_flood_moves() {
    let moving = Facts {
        created: 600,
        ended: 400,
        live: 200,
        watched_seconds: 60.0,
        ended_lately: Some(0.6),
        // A third of all live: who is next was created a third of the time ago.
        oldest_seconds: Some(20.5),
        looked_at: 32,
        sharing: 32,
    };
    for (reason, calls, things) in [
        ("chan send", &[][..], channel(4, 4, 0)),
        (
            "sync.Mutex.Lock",
            &["sync.(*Mutex).lockSlow", "sync.(*Mutex).Lock"],
            Thing::Semaphore,
        ),
        (
            "semacquire",
            &[
                "sync.runtime_SemacquireMutex",
                "sync.(*Mutex).lockSlow",
                "sync.(*Mutex).Lock",
            ],
            Thing::Semaphore,
        ),
        (
            "select",
            &["golang.org/x/sync/semaphore.(*Weighted).Acquire"],
            done(false),
        ),
    ] {
        let mut flood = waiting(reason, calls, &[thing_of(&things)]);
        flood.facts = moving;
        let found = recognise(&flood).unwrap();
        assert_eq!(found.pattern, Pattern::UnboundedFanOut, "{reason}");
        assert_eq!(found.place.function, "main.start");
        assert!(found.advice.contains("main.start (start.go:34)"));
        // The same of which none gets through.
        flood.facts = Facts {
            sharing: 32,
            ..stuck()
        };
        assert_ne!(pattern(&flood), Some(Pattern::UnboundedFanOut), "{reason}");
    }
}

fn thing_of(thing: &Thing) -> Thing {
    thing.clone()
}
