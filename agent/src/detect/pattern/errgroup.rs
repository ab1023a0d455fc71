//! Groups of `golang.org/x/sync/errgroup`.

use super::{Pattern, Recognised, Waiting};

const GO: &str = "golang.org/x/sync/errgroup.(*Group).Go";
const TRY_GO: &str = "golang.org/x/sync/errgroup.(*Group).TryGo";
const WAIT: &str = "golang.org/x/sync/errgroup.(*Group).Wait";

/// Who waits for a group, for room in it, or in it for a channel.
pub(super) fn recognise(waiting: &Waiting) -> Option<Recognised> {
    let place = waiting.own_place();
    let in_group = [GO, TRY_GO].iter().any(|go| waiting.starts_in(go));
    let on_channels = matches!(waiting.reason(), "chan send" | "chan receive" | "select");
    let (because, does) = if waiting.calls(WAIT) {
        (
            "they wait for all of an errgroup to return, and one of it does not",
            "waits for a group of which one goroutine never returns",
        )
    } else if waiting.innermost() == GO {
        (
            "they wait for room in an errgroup, of which nobody returns",
            "waits until there is room in a group, and nobody in it returns",
        )
    } else if in_group && on_channels {
        (
            "they belong to an errgroup and wait on a channel that the rest of it has left",
            "belongs to an errgroup, and goes on waiting when another of the group has failed",
        )
    } else {
        return None;
    };
    let member = if in_group {
        place.shown()
    } else {
        "each member, wherever it waits".into()
    };
    Some(Recognised {
        pattern: Pattern::Errgroup,
        place: place.clone(),
        because: because.into(),
        advice: format!(
            "{} {does} ({}). Let all of the group end with its context: errgroup.WithContext \
             cancels that at the first error.",
            place.shown(),
            waiting.started(),
        ),
        example: format!(
            "group, ctx := errgroup.WithContext(ctx)\n\
             group.Go(func() error {{\n\
             \tselect {{ // in {member}\n\
             \tcase results <- value:\n\
             \t\treturn nil\n\
             \tcase <-ctx.Done(): // another one failed\n\
             \t\treturn ctx.Err()\n\
             \t}}\n\
             }})",
        ),
    })
}
