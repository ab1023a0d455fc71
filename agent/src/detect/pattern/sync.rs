//! Locks, wait groups and conditions of package `sync`.

use super::{Pattern, Recognised, Waiting};

/// By the method that waits: the runtime's word was `semacquire` for all of them until Go 1.20 (1.25
/// for wait groups), and in 1.24 mutexes moved to `internal/sync`.
pub(super) fn recognise(waiting: &Waiting) -> Option<Recognised> {
    let waits = matches!(
        waiting.reason(),
        "semacquire"
            | "sync.Mutex.Lock"
            | "sync.RWMutex.Lock"
            | "sync.RWMutex.RLock"
            | "sync.WaitGroup.Wait"
            | "sync.Cond.Wait"
    );
    if !waits {
        return None;
    }
    // Those of package sync that led to the park, and no others: a stack goes on behind them.
    let mut calls = waiting
        .stack
        .iter()
        .map(|call| call.function.as_str())
        .take_while(|call| call.starts_with("sync.") || call.starts_with("internal/sync."));
    let mut lock = None;
    let outermost = loop {
        match calls.next() {
            None => break lock,
            Some("sync.(*WaitGroup).Wait") => return Some(wait_group(waiting)),
            // Who was signalled waits for the lock next.
            Some("sync.(*Cond).Wait") if lock.is_none() => return Some(cond(waiting)),
            Some("sync.(*RWMutex).RLock") => break Some(Lock::Read),
            Some("sync.(*RWMutex).Lock") => break Some(Lock::Write),
            Some("sync.(*Once).Do" | "sync.(*Once).doSlow") => break Some(Lock::Once),
            Some(call) if call.contains("sync.(*Mutex).") => lock = Some(Lock::Plain),
            Some(_) => {}
        }
    };
    match (outermost, waiting.reason()) {
        (Some(lock), _) => Some(mutex(waiting, lock)),
        // Nothing but the reason, where the stack is not known.
        (None, "sync.Mutex.Lock") => Some(mutex(waiting, Lock::Plain)),
        (None, "sync.RWMutex.Lock") => Some(mutex(waiting, Lock::Write)),
        (None, "sync.RWMutex.RLock") => Some(mutex(waiting, Lock::Read)),
        (None, "sync.WaitGroup.Wait") => Some(wait_group(waiting)),
        (None, "sync.Cond.Wait") => Some(cond(waiting)),
        (None, _) => None,
    }
}

fn wait_group(waiting: &Waiting) -> Recognised {
    let place = waiting.own_place();
    Recognised {
        pattern: Pattern::WaitGroup,
        place: place.clone(),
        because: "they wait for a WaitGroup whose counter does not come down to zero".into(),
        advice: format!(
            "{} waits for a goroutine that never calls Done: it is blocked itself, returned on a way \
             without Done, or was counted with Add and not started ({}).",
            place.shown(),
            waiting.started(),
        ),
        example: format!(
            "wg.Add(1) // in {}, just before the `go` statement\n\
             go func() {{\n\
             \tdefer wg.Done() // first, so that no return and no panic goes past it\n\
             \twork(ctx)\n\
             }}()\n\
             wg.Wait()",
            place.function,
        ),
    }
}

fn cond(waiting: &Waiting) -> Recognised {
    let place = waiting.own_place();
    Recognised {
        pattern: Pattern::Cond,
        place: place.clone(),
        because: "they wait for a sync.Cond that nobody signals".into(),
        advice: format!(
            "{} waits for a signal that came before it waited, or never comes ({}). Signal behind \
             every change of what is waited for, broadcast at the end, and ask for both in the loop.",
            place.shown(),
            waiting.started(),
        ),
        example: format!(
            "cond.L.Lock()\n\
             for !ready && !closed {{ // in {}\n\
             \tcond.Wait()\n\
             }}\n\
             // and where it ends:\n\
             cond.L.Lock()\n\
             closed = true\n\
             cond.L.Unlock()\n\
             cond.Broadcast()",
            place.shown(),
        ),
    }
}

#[derive(Clone, Copy)]
enum Lock {
    Plain,
    Read,
    Write,
    Once,
}

fn mutex(waiting: &Waiting, lock: Lock) -> Recognised {
    let place = waiting.own_place();
    let (what, holder) = match lock {
        Lock::Plain => (
            "a mutex",
            "Whoever locked it returned without Unlock, or is blocked: ",
        ),
        Lock::Read => (
            "the read lock of an RWMutex",
            "A writer returned without Unlock, is blocked, or waits for a reader that is: ",
        ),
        Lock::Write => (
            "the write lock of an RWMutex",
            "A reader or writer returned without unlocking, or is blocked: ",
        ),
        Lock::Once => (
            "a sync.Once",
            "The first caller is still in the function and does not come back: give what can block \
             in there a limit.",
        ),
    };
    let unlocking = match lock {
        Lock::Once => "",
        _ => {
            "unlock on every way out, deferred at best, and do not send, receive or call out while \
             holding it."
        }
    };
    let shared = if waiting.facts.share_one_thing() {
        "all wait for one and the same: "
    } else {
        "they wait for "
    };
    let example = match lock {
        Lock::Once => format!(
            "once.Do(func() {{ // {} waits for it\n\
             \tctx, cancel := context.WithTimeout(ctx, 10*time.Second)\n\
             \tdefer cancel() // what can block in here ends\n\
             \tvalue, err = load(ctx)\n\
             }})",
            place.function,
        ),
        Lock::Read => unlock("mu.RLock()", "mu.RUnlock()", &place.shown()),
        _ => unlock("mu.Lock()", "mu.Unlock()", &place.shown()),
    };
    Recognised {
        pattern: Pattern::Mutex,
        place: place.clone(),
        because: format!("{shared}{what} that nobody gives back"),
        advice: format!(
            "{} waits for {what} ({}). {holder}{unlocking}",
            place.shown(),
            waiting.started(),
        ),
        example,
    }
}

fn unlock(lock: &str, unlock: &str, place: &str) -> String {
    format!(
        "{lock} // everywhere this one is taken, as in {place}\n\
         defer {unlock} // no return and no panic goes past it\n\
         value := cache[key]",
    )
}
