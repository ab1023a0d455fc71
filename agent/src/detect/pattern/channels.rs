//! Sends, receives and selects that nothing answers.

use super::{Pattern, Recognised, Thing, Waiting};

/// The least specific family: any wait on channels alone is one of these.
pub(super) fn recognise(waiting: &Waiting) -> Option<Recognised> {
    let only_nil = waiting.things == [Thing::NilChannel];
    match waiting.reason() {
        "chan send" => Some(match waiting.things.first() {
            Some(Thing::Channel { capacity, .. }) if *capacity > 0 => full(waiting, *capacity),
            _ => send(waiting),
        }),
        "chan receive" => Some(receive(waiting)),
        "chan send (nil chan)" => Some(nil(waiting, "sends on")),
        "chan receive (nil chan)" => Some(nil(waiting, "receives from")),
        "select (no cases)" => Some(select_without_cases(waiting)),
        "select" if only_nil => Some(nil(waiting, "selects among nothing but")),
        "select" if waiting.innermost().starts_with("io.(*pipe).") => Some(pipe(waiting)),
        "select" => Some(select(waiting)),
        _ => None,
    }
}

fn send(waiting: &Waiting) -> Recognised {
    let place = waiting.own_place();
    let has_no_buffer = matches!(waiting.things.first(), Some(Thing::Channel { .. }));
    let channel = if has_no_buffer {
        "a channel without buffer"
    } else {
        "a channel"
    };
    let signal = waiting.things.first().is_some_and(Thing::is_signal);
    let example = if signal {
        "close(done) // tells everybody who waits, and waits for nobody".to_owned()
    } else {
        format!(
            "// in {}; or, where it sends only once: make(chan T, 1)\n\
             select {{\n\
             case results <- value:\n\
             case <-ctx.Done(): // the receiver has gone\n\
             \treturn\n\
             }}",
            place.shown(),
        )
    };
    Recognised {
        pattern: Pattern::ChannelSend,
        place: place.clone(),
        because: format!("they wait to send on {channel}, and nobody receives"),
        advice: format!(
            "{} sends to a receiver that has gone or never came ({}). {}",
            place.shown(),
            waiting.started(),
            if signal {
                "What it sends is empty: close the channel instead, which waits for nobody."
            } else {
                "Make room for the value in the channel, or let the send end with the receiver's context."
            },
        ),
        example,
    }
}

fn full(waiting: &Waiting, capacity: u64) -> Recognised {
    let place = waiting.own_place();
    let all = if waiting.facts.share_one_thing() {
        "all wait for the same channel"
    } else {
        "each waits for a channel"
    };
    Recognised {
        pattern: Pattern::FullBuffer,
        place: place.clone(),
        because: format!("{all}, whose buffer of {capacity} is full"),
        advice: format!(
            "{} sends on a channel whose {capacity} places are taken and which nobody empties ({}). \
             Find out why its receiver stopped; and let the sender give up: a larger buffer only \
             puts it off.",
            place.shown(),
            waiting.started(),
        ),
        example: format!(
            "// in {}\n\
             select {{\n\
             case events <- event:\n\
             case <-ctx.Done(): // the receiver has gone\n\
             \treturn ctx.Err()\n\
             }}",
            place.shown(),
        ),
    }
}

fn receive(waiting: &Waiting) -> Recognised {
    let place = waiting.own_place();
    Recognised {
        pattern: Pattern::ChannelReceive,
        place: place.clone(),
        because:
            "they wait to receive from a channel on which nobody sends, and which nobody closes"
                .into(),
        advice: format!(
            "{} receives from a channel whose sender has ended, or never began ({}). Let the one \
             side that sends close the channel when it is done, on every way out of it.",
            place.shown(),
            waiting.started(),
        ),
        example: format!(
            "// in whoever sends to {}\n\
             defer close(values) // also when it returns early, with an error\n\
             for _, value := range all {{\n\
             \tvalues <- value\n\
             }}",
            place.function,
        ),
    }
}

fn nil(waiting: &Waiting, does: &str) -> Recognised {
    let place = waiting.own_place();
    Recognised {
        pattern: Pattern::NilChannel,
        place: place.clone(),
        because: "they wait on a nil channel, and that is for ever".into(),
        advice: format!(
            "{} {does} a channel that is nil ({}). Make the channel before the goroutine starts; \
             a variable or field that was declared and never made is nil.",
            place.shown(),
            waiting.started(),
        ),
        example: format!(
            "values := make(chan T) // before {} starts; `var values chan T` is nil\n\
             go func() {{ values <- value }}()",
            waiting.start.function,
        ),
    }
}

fn select_without_cases(waiting: &Waiting) -> Recognised {
    let place = waiting.own_place();
    Recognised {
        pattern: Pattern::SelectWithoutWayOut,
        place: place.clone(),
        because: "they wait in a select that has no cases, and that is for ever".into(),
        advice: format!(
            "{} waits in `select {{}}`, which never ends ({}). If it is to wait until something is \
             over, wait for that.",
            place.shown(),
            waiting.started(),
        ),
        example: format!(
            "<-ctx.Done() // instead of `select {{}}` in {}\n\
             return",
            place.function,
        ),
    }
}

fn pipe(waiting: &Waiting) -> Recognised {
    let place = waiting.own_place();
    let (does, other) = if waiting.innermost().starts_with("io.(*pipe).write") {
        ("writes to", "reads")
    } else {
        ("reads from", "writes")
    };
    Recognised {
        pattern: Pattern::SelectWithoutWayOut,
        place: place.clone(),
        because: format!("they wait in an io.Pipe whose other end nobody {other} or closes"),
        advice: format!(
            "{} {does} an io.Pipe whose other end was left open and nobody {other} ({}). Close that \
             end on every way out.",
            place.shown(),
            waiting.started(),
        ),
        example: format!(
            "reader, writer := io.Pipe()\n\
             defer reader.Close() // lets {} end with io.ErrClosedPipe\n\
             go func() {{ writer.CloseWithError(encode(writer)) }}()",
            place.function,
        ),
    }
}

fn select(waiting: &Waiting) -> Recognised {
    let place = waiting.own_place();
    let cases = match waiting.things.len() {
        0 | 1 => String::new(),
        cases => format!(" of {cases} channels"),
    };
    Recognised {
        pattern: Pattern::SelectWithoutWayOut,
        place: place.clone(),
        because: format!("they wait in a select{cases} of which none comes, and none is a way out"),
        advice: format!(
            "{} waits in a select without a case for the end ({}). Give it one, and make sure that \
             it comes.",
            place.shown(),
            waiting.started(),
        ),
        example: format!(
            "// in {}\n\
             select {{\n\
             case value := <-values:\n\
             \tuse(value)\n\
             case <-ctx.Done(): // the way out\n\
             \treturn\n\
             }}",
            place.shown(),
        ),
    }
}
