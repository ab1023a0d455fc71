//! Loops that live by the clock.

use super::{Pattern, Recognised, Thing, Waiting};

/// A sleep, or a wait on the channel of a timer.
pub(super) fn recognise(waiting: &Waiting) -> Option<Recognised> {
    let place = waiting.own_place();
    let has_timer = waiting
        .things
        .iter()
        .any(|t| t.is_timer_channel() || *t == Thing::Timer);
    let because = match waiting.reason() {
        "sleep" => "they sleep, and go on sleeping again and again",
        "chan receive" if has_timer => {
            "they wait for the next tick, and for nothing that ends them"
        }
        "select" if has_timer => "they wait for a timer in a select whose other cases do not come",
        _ => return None,
    };
    Some(Recognised {
        pattern: Pattern::TimerLoop,
        place: place.clone(),
        because: because.into(),
        advice: format!(
            "{} goes round by the clock and has no way out ({}). Stopping a ticker does not close its \
             channel: give the loop a context that is cancelled when its work is over.",
            place.shown(),
            waiting.started(),
        ),
        example: format!(
            "ticker := time.NewTicker(interval) // in {}\n\
             defer ticker.Stop()\n\
             for {{\n\
             \tselect {{\n\
             \tcase <-ticker.C:\n\
             \t\twork()\n\
             \tcase <-ctx.Done(): // the way out\n\
             \t\treturn\n\
             \t}}\n\
             }}",
            place.shown(),
        ),
    })
}
