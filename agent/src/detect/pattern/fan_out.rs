//! Goroutines created faster than the one thing they all need lets them through.
//!
//! Each of them gets there in the end, later and later. What tells them from those that wait for a
//! lock that nobody gives back, is that their queue moves: goroutines of the site end, and the
//! oldest is no older than the queue is long. Channels, locks and semaphores let go whoever came
//! first, so where one waits longer, it is not in a queue that moves.

use super::{Facts, Pattern, Recognised, Thing, Waiting};

/// Fewer are no flood.
const MANY: u64 = 20;
/// The share of those created lately that has to end, or the queue does not move: what ended at first,
/// as long as there was room, does not count.
const MOVES: f64 = 0.15;
/// The oldest may be older than the queue is long by this factor: neither is known exactly, as
/// creations come in bursts.
const SLACK: f64 = 1.1;

/// A send on a semaphore made of a channel, a lock, a weighted semaphore.
pub(super) fn recognise(waiting: &Waiting) -> Option<Recognised> {
    if !queue_moves(&waiting.facts) {
        return None;
    }
    let shared = waiting.facts.share_one_thing();
    let (thing, example) = match waiting.reason() {
        "chan send" if shared => match waiting.things.first()? {
            Thing::Channel { capacity, .. } if *capacity > 0 => (
                format!("one of {capacity} places in a channel"),
                semaphore(waiting, *capacity),
            ),
            _ => return None,
        },
        "sync.Mutex.Lock" | "sync.RWMutex.Lock" | "sync.RWMutex.RLock" if shared => {
            ("one lock".to_owned(), semaphore(waiting, 16))
        }
        "semacquire" if shared && waiting.calls("sync.(*Mutex).Lock") => {
            ("one lock".to_owned(), semaphore(waiting, 16))
        }
        "select" if waiting.calls("golang.org/x/sync/semaphore.(*Weighted).Acquire") => {
            ("one semaphore".to_owned(), weighted(waiting))
        }
        _ => return None,
    };
    let place = waiting.own_creator();
    let Facts {
        created,
        ended,
        watched_seconds,
        ..
    } = waiting.facts;
    Some(Recognised {
        pattern: Pattern::UnboundedFanOut,
        place: place.clone(),
        because: format!(
            "all wait for {thing}, which lets them through too slowly: {created} were created and \
             {ended} ended in {watched_seconds:.0} s"
        ),
        advice: format!(
            "{} starts goroutines faster than they get through {}. Wait before the `go` statement, \
             not behind it: then whoever starts them is slowed down, and there are only as many as \
             can work.",
            place.shown(),
            waiting.own_place().shown(),
        ),
        example,
    })
}

fn queue_moves(facts: &Facts) -> bool {
    let Some(oldest) = facts.oldest_seconds else {
        return false;
    };
    let (created, live) = (facts.created as f64, facts.live as f64);
    let length_seconds = live / created.max(1.0) * facts.watched_seconds;
    facts.live >= MANY
        && facts.ended_lately.is_some_and(|share| share >= MOVES)
        && oldest <= length_seconds * SLACK
}

fn semaphore(waiting: &Waiting, limit: u64) -> String {
    format!(
        "slots := make(chan struct{{}}, {limit}) // once\n\
         \n\
         slots <- struct{{}}{{}} // in {}: waits here, before there is another goroutine\n\
         go func() {{\n\
         \tdefer func() {{ <-slots }}()\n\
         \twork()\n\
         }}()",
        waiting.own_creator().function,
    )
}

fn weighted(waiting: &Waiting) -> String {
    format!(
        "if err := semaphore.Acquire(ctx, 1); err != nil {{ // in {}, before the `go` statement\n\
         \treturn err\n\
         }}\n\
         go func() {{\n\
         \tdefer semaphore.Release(1)\n\
         \twork()\n\
         }}()",
        waiting.own_creator().function,
    )
}
