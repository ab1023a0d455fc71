//! A snapshot for the renderers' tests.

use std::{collections::BTreeMap, io};

use super::{Group, Snapshot};
use crate::report::{
    Unknown,
    samples::{self, place},
};

/// 53 goroutines blocked on a send, and main.
pub(in crate::report) fn snapshot() -> Snapshot {
    let waiting = Group {
        count: 53,
        state: "waiting".into(),
        wait_reason: Some("chan send".into()),
        created_at: Some(place("main.search", "/src/search.go", 35)),
        start: place("main.search.func1", "/src/search.go", 35),
        system: false,
        stack: Some(vec![
            place("main.send", "/src/search.go", 9),
            place("main.search.func1", "/src/search.go", 36),
        ]),
        oldest_seconds: Some(130.0),
        stack_bytes: 2048 * 53,
        age_seconds: None,
        labels: None,
        waits_on: Vec::new(),
        locked_to_thread: 0,
        locked_threads: Vec::new(),
        goids: vec![18, 19, 24],
        parent_goids: vec![1, 1, 1],
        unknown: Unknown::new(),
    };
    let main = Group {
        count: 1,
        state: "running".into(),
        wait_reason: None,
        created_at: None,
        start: place("runtime.main", "/src/search.go", 147),
        stack: None,
        oldest_seconds: None,
        goids: vec![1],
        parent_goids: vec![0],
        ..waiting.clone()
    };
    Snapshot {
        process: samples::attached().process,
        pid: Some(4711),
        taken_at: "2026-11-20T21:28:31.000Z".into(),
        goroutines: 54,
        groups: vec![waiting, main],
        defects: BTreeMap::from([("its memory is not mapped".into(), 2)]),
    }
}

/// What a renderer writes.
pub(in crate::report) fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut output = Vec::new();
    write(&mut output).expect("writes to memory");
    String::from_utf8(output).expect("text")
}
