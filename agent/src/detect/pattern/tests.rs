//! Plain structs in, patterns out: stacks as Go 1.18 to 1.27 have them, and near misses.

mod families;
mod near_misses;
mod said;

use super::{Call, Facts, Pattern, Recognised, Thing, Waiting, recognise};

pub(super) fn call(function: &str, file: &str, line: u32) -> Call {
    Call {
        function: function.into(),
        file: Some(file.into()),
        line: Some(line),
    }
}

/// Parked for `reason` in `calls` of Go's own, which `main.work` called, started in `main.start`.
pub(super) fn waiting(reason: &str, calls: &[&str], things: &[Thing]) -> Waiting {
    let mut stack: Vec<Call> = calls
        .iter()
        .map(|function| {
            let package = call(function, "", 0).package().to_owned();
            let file = if package.starts_with("golang.org") {
                "/m"
            } else {
                "/usr/local/go/src"
            };
            call(function, &format!("{file}/{package}/x.go"), 100)
        })
        .collect();
    stack.push(call("main.work", "/src/app/work.go", 12));
    Waiting {
        reason: Some(reason.into()),
        stack,
        created_at: call("main.start", "/src/app/start.go", 34),
        start: call("main.work", "/src/app/work.go", 10),
        created_by: vec![
            call("main.start", "/src/app/start.go", 34),
            call("main.main", "/src/app/main.go", 56),
        ],
        requested_by: None,
        readers_reason: None,
        things: things.to_vec(),
        main_module: Some("example.com/app".into()),
        facts: stuck(),
    }
}

/// Half of those created are lost, the first of them a minute ago.
pub(super) fn stuck() -> Facts {
    Facts {
        created: 600,
        ended: 300,
        live: 300,
        watched_seconds: 60.0,
        ended_lately: Some(0.5),
        oldest_seconds: Some(59.0),
        looked_at: 32,
        sharing: 1,
    }
}

pub(super) fn channel(length: u64, capacity: u64, element_size: u16) -> Thing {
    Thing::Channel {
        length,
        capacity,
        element_size,
        is_context: false,
    }
}

pub(super) fn done(is_context: bool) -> Thing {
    Thing::Channel {
        length: 0,
        capacity: 0,
        element_size: 0,
        is_context,
    }
}

pub(super) fn network(remote: Option<&str>, has_deadline: Option<bool>) -> Thing {
    Thing::Network {
        protocol: Some("tcp".into()),
        remote: remote.map(str::to_owned),
        has_deadline,
    }
}

pub(super) fn pattern(waiting: &Waiting) -> Option<Pattern> {
    recognise(waiting)
        .ok()
        .map(|found: Recognised| found.pattern)
}
