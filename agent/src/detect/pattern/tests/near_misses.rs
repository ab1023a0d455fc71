use super::*;

#[track_caller]
fn none(waiting: &Waiting) -> String {
    recognise(waiting).expect_err("no pattern")
}

#[test]
fn what_waits_with_a_deadline_ends() {
    let read = [
        "internal/poll.runtime_pollWait",
        "internal/poll.(*FD).Read",
        "net.(*conn).Read",
    ];
    let reason = none(&waiting("IO wait", &read, &[network(None, Some(true))]));
    assert_eq!(
        reason,
        "they wait for the network or a pipe, and have a deadline"
    );
}

#[test]
fn what_is_not_known_is_said() {
    let mut unknown = waiting("select", &[], &[]);
    unknown.reason = None;
    assert_eq!(none(&unknown), "it is not known what they wait for");
    let reason = none(&waiting("GC worker (idle)", &[], &[]));
    assert!(reason.contains("GC worker (idle)"), "{reason}");
    // A semaphore of neither a lock nor a group.
    none(&waiting(
        "semacquire",
        &["internal/poll.runtime_Semacquire"],
        &[Thing::Semaphore],
    ));
}

#[test]
fn who_reads_ahead_is_not_the_one_that_is_lost() {
    let mut ahead = waiting(
        "IO wait",
        &[
            "internal/poll.(*FD).Read",
            "net/http.(*connReader).backgroundRead",
        ],
        &[],
    );
    ahead.start = call(
        "net/http.(*connReader).backgroundRead",
        "/usr/local/go/src/net/http/server.go",
        700,
    );
    assert!(none(&ahead).contains("handlers"));
}

#[test]
fn names_alone_do_not_make_a_library() {
    // The program's own types that are called as Go's are.
    for own in [
        "main.(*persistConn).readLoop",
        "main.(*WaitGroup).Wait",
        "main.(*Mutex).Lock",
    ] {
        let waiting = waiting("select", &[own], &[channel(0, 0, 8), channel(0, 0, 8)]);
        assert_eq!(
            pattern(&waiting),
            Some(Pattern::SelectWithoutWayOut),
            "{own}"
        );
    }
    // A group that is further out is not what is waited for.
    let outer = waiting(
        "chan receive",
        &["main.inner", "sync.(*WaitGroup).Go.func1"],
        &[channel(0, 0, 8)],
    );
    assert_eq!(pattern(&outer), Some(Pattern::ChannelReceive));
    let lock_outside = waiting(
        "sync.Cond.Wait",
        &[
            "sync.runtime_notifyListWait",
            "sync.(*Cond).Wait",
            "main.f",
            "sync.(*Mutex).Lock",
        ],
        &[],
    );
    assert_eq!(pattern(&lock_outside), Some(Pattern::Cond));
}

#[test]
fn a_channel_of_times_with_more_room_is_no_timers() {
    let waiting = waiting("chan receive", &[], &[channel(0, 2, 24)]);
    assert_eq!(pattern(&waiting), Some(Pattern::ChannelReceive));
}

#[test]
fn a_timer_beside_a_context_is_a_context_that_is_not_cancelled() {
    let waiting = waiting("select", &[], &[channel(0, 1, 24), done(true)]);
    assert_eq!(pattern(&waiting), Some(Pattern::ContextNeverCancelled));
}

#[test]
fn a_full_buffer_of_each_is_no_flood() {
    let mut each = waiting("chan send", &[], &[channel(1, 1, 8)]);
    each.facts = Facts {
        oldest_seconds: Some(10.0),
        ..stuck()
    };
    assert_eq!(pattern(&each), Some(Pattern::FullBuffer));
    // All on one, of which no more end than had room at first.
    each.facts = Facts {
        created: 600,
        ended: 16,
        ended_lately: Some(0.0),
        live: 584,
        sharing: 32,
        ..stuck()
    };
    assert_eq!(pattern(&each), Some(Pattern::FullBuffer));
    // A third of all ended, all of them as long as there was room.
    each.facts = Facts {
        created: 90,
        ended: 26,
        live: 64,
        watched_seconds: 20.0,
        ended_lately: Some(0.02),
        oldest_seconds: Some(13.0),
        looked_at: 32,
        sharing: 32,
    };
    assert_eq!(pattern(&each), Some(Pattern::FullBuffer));
    // Nobody knows how old the oldest is.
    each.facts = Facts {
        sharing: 32,
        oldest_seconds: None,
        ..stuck()
    };
    assert_eq!(pattern(&each), Some(Pattern::FullBuffer));
}

#[test]
fn a_lock_that_some_take_and_one_is_not_given_back_is_no_flood() {
    // Nine in ten of the site's goroutines take other locks, and end.
    let mut lost = waiting(
        "sync.Mutex.Lock",
        &["sync.(*Mutex).Lock"],
        &[Thing::Semaphore],
    );
    lost.facts = Facts {
        created: 6000,
        ended: 5400,
        live: 600,
        sharing: 32,
        ..stuck()
    };
    assert_eq!(pattern(&lost), Some(Pattern::Mutex));
}
