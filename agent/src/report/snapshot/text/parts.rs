//! Single lines of a group's paragraph.

use crate::report::{
    Place, ProcessInfo,
    snapshot::{Waited, WaitsOn},
    words,
};

/// Things waited on that are listed; the rest is for programs.
const THINGS: usize = 5;

/// What differs within a group that was merged, so that one stands for others.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::report) struct Others {
    /// The function they start.
    pub(in crate::report) start: bool,
    /// The `go` statement.
    pub(in crate::report) created_at: bool,
}

/// `name` between two texts, its end where it does not fit.
pub(super) fn fitted(before: &str, name: &str, behind: &str, width: usize) -> String {
    let room = width.saturating_sub(before.chars().count() + behind.chars().count());
    format!("{before}{}{behind}", words::shortened(name, room))
}

/// Go quotes all labels; here only those that would be mistaken for something else.
pub(in crate::report) fn label((key, value): (&String, &String)) -> String {
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
pub(in crate::report) fn stack_lines(stack: &[Place], width: usize) -> Vec<String> {
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

/// What goroutines start, and where.
pub(in crate::report) fn started(
    start: &Place,
    created_at: Option<&Place>,
    others: Others,
    width: usize,
) -> Vec<String> {
    let start = words::harmless(&start.function);
    let and = if others.start { " and others" } else { "" };
    let Some(place) = created_at else {
        let at = if others.created_at {
            ", created at different places"
        } else {
            ""
        };
        return vec![fitted("  ", &start, &format!("{and}{at}"), width)];
    };
    let at = words::harmless(&words::line(place)).into_owned();
    let within = words::harmless(&place.function);
    let whole = format!("  go {start}{and} at {at} in {within}");
    if whole.chars().count() <= width {
        return vec![whole];
    }
    let mut lines = vec![
        fitted("  go ", &start, and, width),
        fitted("    at ", &at, "", width),
    ];
    // A call site's place is its function's name where no file is known.
    if at != within {
        lines.push(fitted("    in ", &within, "", width));
    }
    lines
}

/// What `count` goroutines wait on.
pub(in crate::report) fn things(things: &[WaitsOn], count: u64, width: usize) -> Vec<String> {
    if let [thing] = things
        && thing.count == count
    {
        let verb = match (&thing.what, count) {
            (Waited::Timer { .. }, _) => "",
            (_, 1) => "waits on ",
            _ => "all wait on ",
        };
        return vec![words::clipped(
            &format!("  {verb}{}", waited(&thing.what)),
            width,
        )];
    }
    if count == 1 && !things.is_empty() {
        // A select: on all of them at once.
        let things: Vec<String> = things.iter().map(|thing| waited(&thing.what)).collect();
        return vec![words::listed("  waits on ", &things, width)];
    }
    let digits = things.iter().map(|thing| thing.count).max();
    let digits = digits.unwrap_or(0).to_string().len();
    let one = |(i, thing): (usize, &WaitsOn)| {
        let title = if i == 0 { "wait on" } else { "" };
        let timer = match thing.what {
            Waited::Timer { .. } => "timer, ",
            _ => "",
        };
        let what = waited(&thing.what);
        let line = format!("  {title:7} {:digits$} {timer}{what}", thing.count);
        words::clipped(&line, width)
    };
    let mut lines: Vec<String> = things.iter().take(THINGS).enumerate().map(one).collect();
    if things.len() > THINGS {
        lines.push(format!("  {:7} {:digits$} …", "", ""));
    }
    lines
}

/// The process and what it runs.
pub(in crate::report) fn program(pid: Option<i32>, process: &ProcessInfo, width: usize) -> String {
    let module = process.main_module.as_deref();
    let before = format!("{} ", words::pid(pid));
    let behind = format!(
        " ({}, {})",
        process.go_version,
        words::harmless(module.unwrap_or("module not recorded"))
    );
    let room = width.saturating_sub(before.chars().count() + behind.chars().count());
    let exe = words::shortened(&words::harmless(&process.exe), room.max(20));
    words::clipped(&format!("{before}{exe}{behind}"), width)
}
