//! What goroutines wait on: the snapshot's word against the program's.

use serde_json::Value;

use crate::rest::{Entry, Wait};

/// The list names at most so many things.
const MOST: usize = 10;

/// Compares the snapshot's list with what the program knows; `later` is what it knew after the
/// snapshot, when timers had come nearer.
#[must_use]
pub fn difference(entry: &Entry, later: &[Wait], seen: &Value) -> Option<String> {
    let own = entry.waits.as_deref().unwrap_or_default();
    let seen = seen.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut missing: Vec<(&Wait, &Wait)> = own.iter().zip(later).collect();
    let mut extra = Vec::new();
    for one in seen {
        let found = missing
            .iter()
            .position(|(wait, later)| is(wait, later, one));
        match found {
            Some(at) => drop(missing.swap_remove(at)),
            None => extra.push(one),
        }
    }
    let left_out = own.len().saturating_sub(MOST);
    (missing.len() != left_out || !extra.is_empty()).then(|| {
        format!(
            "not seen {:?}; seen, but not so {:?}",
            missing
                .iter()
                .map(|(wait, _)| describe(wait))
                .collect::<Vec<_>>(),
            extra.into_iter().map(without_numbers).collect::<Vec<_>>()
        )
    })
}

/// Whether what the snapshot says is what the program waits on. Timers come nearer: `later` is the
/// same after the snapshot.
fn is(wait: &Wait, later: &Wait, seen: &Value) -> bool {
    let text = |key: &str| seen[key].as_str();
    let kind = text("kind").unwrap_or_default();
    if seen["count"] != 1 || !wait.kinds.iter().any(|k| k == kind) {
        return false;
    }
    match kind {
        "channel" => {
            text("address") == wait.address.as_deref()
                && seen["length"] == wait.length
                && seen["capacity"] == wait.capacity
        }
        "timer" => {
            let seconds = seen["wakes_in_seconds"].as_f64().unwrap_or(f64::NAN);
            // The program notes the time, and then has the goroutine start the timer.
            let latest = wait.wakes_in_seconds + 30.0;
            (later.wakes_in_seconds..=latest).contains(&seconds)
        }
        "network" => {
            // What is no socket has no addresses; of its protocol nothing is asked.
            let is_socket = wait.protocol.is_some();
            seen["fd"] == wait.fd
                && (!is_socket || text("protocol") == wait.protocol.as_deref())
                && text("local") == wait.local.as_deref()
                && text("remote") == wait.remote.as_deref()
        }
        // The program cannot tell where the semaphore in a descriptor of package net is.
        "semaphore" => text("address").is_some_and(|address| address != "0x0"),
        _ => text("address") == wait.address.as_deref(),
    }
}

fn describe(wait: &Wait) -> String {
    let Wait {
        length, capacity, ..
    } = wait;
    match wait.kinds[0].as_str() {
        "channel" => format!("channel {length}/{capacity}"),
        "network" => format!("network {:?}", wait.protocol),
        other => other.to_owned(),
    }
}

/// So that the same difference reads the same in all releases.
fn without_numbers(seen: &Value) -> String {
    let kind = seen["kind"].as_str().unwrap_or_default();
    match kind {
        "channel" => format!("channel {}/{}", seen["length"], seen["capacity"]),
        "network" => format!(
            "network {} {} {}",
            seen["protocol"],
            if seen["local"].is_null() {
                "nowhere"
            } else {
                "local"
            },
            if seen["remote"].is_null() {
                "nowhere"
            } else {
                "remote"
            }
        ),
        other => format!("{other}, count {}", seen["count"]),
    }
}
