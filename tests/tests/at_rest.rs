//! A program at rest: the snapshot equals the program's own dump and what the program knows besides,
//! in every release and link mode. Each topic is a test of its own over the same snapshots.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use gostray_tests::cells::{self, Differences};
use gostray_tests::go::{self, Mode};
use gostray_tests::rest::{self, Entry, Rest};
use gostray_tests::{need_root_and_releases, waits};

/// Looked at once, by whichever test comes first.
static ALL: LazyLock<Vec<Rest>> = LazyLock::new(|| {
    let toolchains = go::toolchains().unwrap();
    cells::for_all(&toolchains, &Mode::FOR_SNAPSHOTS, |toolchain, mode| {
        Rest::new(toolchain, mode, &["start"])
            .unwrap_or_else(|e| panic!("{} {mode:?}: {e:#}", toolchain.version))
    })
});

/// Runs one topic over all releases and modes.
#[track_caller]
fn compare(topic: impl Fn(&Rest, &mut dyn FnMut(String))) {
    need_root_and_releases!();
    let mut differences = Differences::default();
    for rest in ALL.iter() {
        topic(rest, &mut |difference| {
            differences.add(&rest.name, difference)
        });
    }
    differences.none();
}

#[test]
#[ignore = "needs root"]
fn the_same_goroutines() {
    compare(|rest, differ| {
        if rest.snapshot["defects"]
            .as_object()
            .is_none_or(|d| !d.is_empty())
        {
            differ(format!("defects: {}", rest.snapshot["defects"]));
        }
        for goid in rest
            .dump
            .keys()
            .filter(|goid| !rest.seen.contains_key(goid))
        {
            differ(format!("not in the snapshot: {}", rest.call(*goid)));
        }
        for (goid, seen) in &rest.seen {
            let shown = rest.dump.contains_key(goid) || *goid == rest.main;
            if shown == (seen["system"] == true) {
                let (name, system) = (rest.call(*goid), &seen["system"]);
                differ(format!("{name}: system is {system}, in the dump: {shown}"));
            }
        }
        for entry in &rest.entries {
            if !rest.dump.contains_key(&entry.goid) {
                differ(format!("the dump lacks {}", entry.name));
            }
        }
    });
}

#[test]
#[ignore = "needs root"]
fn the_same_states() {
    compare(|rest, differ| {
        for (name, dumped, seen) in rest.pairs() {
            let state = match seen["state"].as_str() {
                Some("waiting") => seen["wait_reason"].as_str(),
                state => state,
            };
            if state != Some(&dumped.state) {
                differ(format!(
                    "{name}: {state:?}, the dump says {:?}",
                    dumped.state
                ));
            }
            if seen["locked_to_thread"] != u64::from(dumped.locked) {
                let locked = &seen["locked_to_thread"];
                differ(format!(
                    "{name}: locked is {locked}, the dump says {}",
                    dumped.locked
                ));
            }
        }
    });
}

#[test]
#[ignore = "needs root"]
fn the_same_frames() {
    compare(|rest, differ| {
        for (name, dumped, seen) in rest.pairs() {
            let stack = rest::stack(seen).unwrap_or_default();
            if !dumped.has_stack(&stack) {
                let own = dumped.stack.as_deref().unwrap_or_default();
                differ(format!(
                    "{name}: other frames\n      {}{}\n      the dump has {}, left out {:?}{}",
                    stack.len(),
                    rest::show(&stack),
                    own.len(),
                    dumped.elided,
                    rest::show(own)
                ));
            }
        }
    });
}

#[test]
#[ignore = "needs root"]
fn the_same_creators() {
    compare(|rest, differ| {
        for (name, dumped, seen) in rest.pairs() {
            let place = dumped.created_by.as_ref().map(|(place, _)| place.clone());
            let seen_at = &seen["created_at"];
            let seen_place = seen_at.is_object().then(|| rest::place(seen_at));
            if place != seen_place {
                differ(format!(
                    "{name}: created at {seen_place:?}, the dump says {place:?}"
                ));
            }
            let parent = dumped.created_by.as_ref().and_then(|(_, parent)| *parent);
            let seen_parent = seen["parent_goids"][0].as_u64();
            if seen_parent != Some(parent.unwrap_or(0)) {
                differ(format!("{name}: wrong parent in parent_goids"));
            }
        }
    });
}

/// What a goroutine started with is the outermost frame, wrappers aside.
#[test]
#[ignore = "needs root"]
fn the_outermost_frame_is_the_start() {
    compare(|rest, differ| {
        for (name, dumped, seen) in rest.pairs() {
            let cut = dumped.elided.is_some() && rest.minor < 21;
            let outermost = dumped.stack.as_deref().and_then(<[_]>::last);
            let start = rest::place(&seen["start"]).function;
            // What a function value or an interface leads to is not in the compiler's wrapper, which
            // is all that is known then; a coroutine starts in the runtime.
            if ["started method value", "started through an interface"].contains(&name.as_str()) {
                let creator = dumped.created_by.as_ref().map(|(place, _)| &place.function);
                let wraps = creator.is_some_and(|creator| start.starts_with(creator.as_str()));
                if wraps {
                    continue;
                }
            }
            if name == "coroutine" && start == "runtime.corostart" {
                continue;
            }
            if !cut && dumped.created_by.is_some() && outermost.map(|f| &f.function) != Some(&start)
            {
                differ(format!(
                    "{name}: another start\n      {start}, the outermost frame is {outermost:?}"
                ));
            }
        }
    });
}

#[test]
#[ignore = "needs root"]
fn the_main_goroutine() {
    compare(|rest, differ| {
        let seen = &rest.seen[&rest.main];
        let stack = rest::stack(seen).unwrap_or_default();
        if stack.last().is_none_or(|f| f.function != "main.main")
            || !seen["created_at"].is_null()
            || seen["state"] != "syscall"
        {
            let state = &seen["state"];
            differ(format!(
                "the main goroutine reads a pipe, but is {state} in {stack:?}"
            ));
        }
    });
}

#[test]
#[ignore = "needs root"]
fn what_they_wait_on() {
    compare(|rest, differ| {
        for ((entry, seen), later) in rest.known().zip(&rest.later) {
            let later = later.waits.as_deref().unwrap_or_default();
            if let Some(difference) = waits::difference(entry, later, &seen["waits_on"]) {
                differ(format!("{}: {difference}", entry.name));
            }
        }
    });
}

#[test]
#[ignore = "needs root"]
fn their_labels() {
    compare(|rest, differ| {
        let own = |entry: &Entry| entry.labels.clone().unwrap_or_default();
        assert!(rest.entries.iter().any(|entry| own(entry).len() == 20));
        for (entry, seen) in rest.known() {
            let labels: Option<BTreeMap<String, String>> =
                serde_json::from_value(seen["labels"].clone()).unwrap();
            // Null is what has none.
            let wanted = Some(own(entry)).filter(|labels| !labels.is_empty());
            if labels != wanted {
                differ(format!("{}: {labels:?} instead of {wanted:?}", entry.name));
            }
        }
    });
}

#[test]
#[ignore = "needs root"]
fn their_parents() {
    compare(|rest, differ| {
        for (entry, seen) in rest.known() {
            // The runtime keeps it from Go 1.21 on.
            let wanted = if rest.minor < 21 { 0 } else { entry.parent };
            if seen["parent_goids"] != serde_json::json!([wanted]) {
                differ(format!("{}: not the parent the program knows", entry.name));
            }
        }
    });
}

#[test]
#[ignore = "needs root"]
fn their_threads() {
    compare(|rest, differ| {
        assert!(rest.entries.iter().any(|entry| entry.thread != 0));
        for (entry, seen) in rest.known() {
            let wanted = u64::from(entry.thread != 0);
            let threads: Vec<u64> = Some(entry.thread)
                .filter(|id| *id != 0)
                .into_iter()
                .collect();
            let same = seen["locked_threads"] == serde_json::json!(threads);
            if seen["locked_to_thread"] != wanted || !same {
                let (locked, ids) = (&seen["locked_to_thread"], &seen["locked_threads"]);
                differ(format!(
                    "{}: locked is {locked} instead of {wanted}, the right thread: {same}\n      {ids}",
                    entry.name
                ));
            }
        }
    });
}
