//! Goroutines that wait for a signal to stop: a context's `Done`, or a channel like it.

use super::{Pattern, Recognised, Thing, Waiting};

/// A receive from a context's `Done`, or a select with a signal to stop among its cases.
pub(super) fn recognise(waiting: &Waiting) -> Option<Recognised> {
    let has_context = waiting.things.iter().any(Thing::is_context);
    let has_timer = waiting
        .things
        .iter()
        .any(|t| t.is_timer_channel() || *t == Thing::Timer);
    if let Some(user) = library(waiting) {
        return Some(user);
    }
    match waiting.reason() {
        // The context package's own goroutine, for a parent that is none of its own contexts:
        // `propagateCancel.func1` before Go 1.21, `(*cancelCtx).propagateCancel.func2` since.
        "select" if is_propagation(waiting) => Some(propagation(waiting)),
        "chan receive" | "select" if has_context => Some(never_cancelled(waiting, "a context")),
        // Without a timer it waits for work or for the signal, and the signal is what is missing.
        // A receive from such a channel alone may wait for an answer just as well.
        "select" if !has_timer && waiting.things.len() > 1 && has_signal(waiting) => {
            Some(never_cancelled(waiting, "a signal to stop"))
        }
        _ => None,
    }
}

/// Nothing is ever sent on one of the channels, while something is on another.
fn has_signal(waiting: &Waiting) -> bool {
    waiting.things.iter().any(Thing::is_signal)
        && waiting.own_wait().is_some()
        && !waiting.innermost().starts_with("io.(*pipe).")
}

fn is_propagation(waiting: &Waiting) -> bool {
    let innermost = waiting.innermost();
    innermost.starts_with("context.") && innermost.contains("propagateCancel.func")
}

fn propagation(waiting: &Waiting) -> Recognised {
    let place = waiting.own_creator();
    Recognised {
        pattern: Pattern::ContextNeverCancelled,
        place: place.clone(),
        because: "package context waits for the end of a context, and of its parent, which is of \
                  another type; neither comes"
            .into(),
        advice: format!(
            "{} makes a context and does not call its cancel function. Call it on every way out, \
             deferred at best.",
            place.shown(),
        ),
        example: cancel(place.function.as_str()),
    }
}

fn never_cancelled(waiting: &Waiting, what: &str) -> Recognised {
    let place = waiting.own_place();
    let because = if waiting.reason() == "select" {
        format!("they wait in a select for work or for the end of {what}, and neither comes")
    } else {
        format!("they wait for the end of {what}, and it does not come")
    };
    let because = because.replace("the end of a signal", "a signal");
    Recognised {
        pattern: Pattern::ContextNeverCancelled,
        place: place.clone(),
        because,
        advice: format!(
            "{} ends only when it is told to, and nobody does ({}). Call the cancel function where \
             its work is over (close the channel, if it is no context), or give the context a limit.",
            place.shown(),
            waiting.started(),
        ),
        example: cancel(waiting.own_creator().function.as_str()),
    }
}

fn cancel(function: &str) -> String {
    format!(
        "// in {function}\n\
         ctx, cancel := context.WithTimeout(parent, 30*time.Second)\n\
         defer cancel() // on every way out\n\
         go work(ctx)",
    )
}

/// Goroutines of `database/sql` that end with what they belong to.
fn library(waiting: &Waiting) -> Option<Recognised> {
    if !matches!(waiting.reason(), "select" | "chan receive") {
        return None;
    }
    const KNOWN: [(&str, &str, &str); 3] = [
        (
            "database/sql.(*Rows).awaitDone",
            "rows",
            "defer rows.Close()",
        ),
        (
            "database/sql.(*Tx).awaitDone",
            "a transaction",
            "defer tx.Rollback() // after Commit it does nothing",
        ),
        (
            "database/sql.(*DB).connectionOpener",
            "a database",
            "defer db.Close() // or open it once, for the whole program",
        ),
    ];
    let (_, what, close) = KNOWN
        .into_iter()
        .find(|(function, ..)| waiting.calls(function))?;
    let place = waiting.own_creator();
    Some(Recognised {
        pattern: Pattern::ContextNeverCancelled,
        place: place.clone(),
        because: format!(
            "package database/sql waits until {what} or its context ends, and neither does"
        ),
        advice: format!(
            "{} opens {what} and does not close it on every way out.",
            place.shown()
        ),
        example: format!("// in {}\n{close}", place.function),
    })
}
