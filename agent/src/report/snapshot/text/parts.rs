//! Single lines of a group's paragraph.

use crate::report::{Place, snapshot::Waited, words};

/// `name` between two texts, its end where it does not fit.
pub(super) fn fitted(before: &str, name: &str, behind: &str, width: usize) -> String {
    let room = width.saturating_sub(before.chars().count() + behind.chars().count());
    format!("{before}{}{behind}", words::shortened(name, room))
}

/// Go quotes all labels; here only those that would be mistaken for something else.
pub(super) fn label((key, value): (&String, &String)) -> String {
    let quoted = |text: &str| {
        if text.is_empty() || text.contains([' ', ',', '=', '"']) {
            format!("{text:?}")
        } else {
            words::harmless(text).into_owned()
        }
    };
    format!("{}={}", quoted(key), quoted(value))
}

pub(in crate::report) fn waited(what: &Waited) -> String {
    let text = match what {
        Waited::Channel {
            address,
            length,
            capacity,
        } => format!("channel {address} (len {length}, cap {capacity})"),
        Waited::NilChannel => "a nil channel, for ever".into(),
        Waited::Mutex { address } => format!("mutex {address}"),
        Waited::RwMutex { address } => format!("RW mutex {address}"),
        Waited::WaitGroup { address } => format!("wait group {address}"),
        Waited::Cond { address } => format!("cond {address}"),
        Waited::Semaphore { address } => format!("semaphore {address}"),
        Waited::Timer { wakes_in_seconds } if *wakes_in_seconds < 0.0 => {
            format!("was to wake {} ago", words::seconds(-wakes_in_seconds))
        }
        Waited::Timer { wakes_in_seconds } => {
            format!("wakes in {}", words::seconds(*wakes_in_seconds))
        }
        Waited::Network {
            fd,
            protocol,
            local,
            remote,
        } => {
            let to = remote.as_ref().map(|remote| format!("→ {remote}"));
            let parts = [protocol, local, &to];
            let parts: Vec<&str> = parts.into_iter().flatten().map(|part| &**part).collect();
            if parts.is_empty() {
                format!("fd {fd}")
            } else {
                format!("{} (fd {fd})", parts.join(" "))
            }
        }
    };
    words::harmless(&text).into_owned()
}

/// One line a frame where all of them fit, else two: names and places that are whole can be searched
/// for.
pub(super) fn stack_lines(stack: &[Place], width: usize) -> Vec<String> {
    let frame = |place: &Place| -> (String, String) {
        (
            words::harmless(&place.function).into_owned(),
            words::harmless(&words::line(place)).into_owned(),
        )
    };
    let frames: Vec<(String, String)> = stack.iter().map(frame).collect();
    let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
    let functions = longest(&mut frames.iter().map(|(function, _)| function.chars().count()));
    let places = longest(&mut frames.iter().map(|(_, place)| place.chars().count()));
    if 4 + functions + 2 + places <= width {
        let line =
            |(function, place): &(String, String)| format!("    {function:functions$}  {place}");
        return frames.iter().map(line).collect();
    }
    let lines = |(function, place): &(String, String)| {
        [
            fitted("    ", function, "", width),
            fitted("        ", place, "", width),
        ]
    };
    frames.iter().flat_map(lines).collect()
}
