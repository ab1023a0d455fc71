//! A snapshot for the renderers' tests.

use std::{collections::BTreeMap, io};

use super::{Group, Snapshot, Waited, WaitsOn};
use crate::report::{
    Unknown,
    samples::{self, place},
};

/// 53 goroutines blocked on a send.
pub(in crate::report) fn senders() -> Group {
    Group {
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
    }
}

/// The main goroutine.
pub(in crate::report) fn main() -> Group {
    Group {
        count: 1,
        state: "running".into(),
        wait_reason: None,
        created_at: None,
        start: place("runtime.main", "/src/search.go", 147),
        stack: None,
        oldest_seconds: None,
        stack_bytes: 8192,
        goids: vec![1],
        parent_goids: vec![0],
        ..senders()
    }
}

/// Of the runtime itself.
pub(in crate::report) fn force_gc() -> Group {
    let file = "/usr/local/go/src/runtime/proc.go";
    Group {
        wait_reason: Some("force gc (idle)".into()),
        state: "waiting".into(),
        created_at: Some(place("runtime.init.7", file, 370)),
        start: place("runtime.forcegchelper", file, 375),
        system: true,
        stack: Some(vec![place("runtime.forcegchelper", file, 387)]),
        goids: vec![2],
        ..main()
    }
}

/// 53 goroutines blocked on a send, and main.
pub(in crate::report) fn snapshot() -> Snapshot {
    Snapshot {
        process: samples::attached().process,
        pid: Some(4711),
        taken_at: "2026-11-20T21:28:31.000Z".into(),
        goroutines: 54,
        groups: vec![senders(), main()],
        defects: BTreeMap::from([("its memory is not mapped".into(), 2)]),
    }
}

/// Groups with all that can be known of goroutines, in long names too.
pub(in crate::report) fn everything() -> Snapshot {
    let module =
        "/home/builder/go/pkg/mod/github.com/very-long-organisation/storage-client@v1.22.333";
    let mut senders = senders();
    senders.age_seconds = Some(11_160.0);
    senders.labels = Some(labels(&[("endpoint", "/search"), ("tenant", "a, b")]));
    senders.goids = (1..=10).map(|n| n * 1_234_567_890).collect();
    senders.parent_goids = vec![1; 10];
    senders.waits_on = vec![channel(50, "0xc000123456"), channel(3, "0xc000123abc")];
    senders.locked_to_thread = 2;
    let reader = Group {
        count: 12,
        wait_reason: Some("IO wait".into()),
        created_at: Some(place(
            "github.com/very-long-organisation/storage-client/v2/internal/transport.(*connectionPool).dialWithRetries",
            &format!("{module}/internal/transport/connection_pool_of_a_very_long_name_linux.go"),
            1042,
        )),
        start: place(
            "github.com/very-long-organisation/storage-client/v2/internal/transport.(*connection).readLoop",
            &format!("{module}/internal/transport/connection.go"),
            88,
        ),
        stack: Some(vec![
            place(
                "internal/poll.(*FD).Read",
                "/usr/local/go/src/internal/poll/fd_unix.go",
                165,
            ),
            place(
                "github.com/very-long-organisation/storage-client/v2/internal/transport.(*connection).readFrameHeaderFromConnection",
                &format!(
                    "{module}/internal/transport/connection_pool_of_a_very_long_name_linux.go"
                ),
                1099,
            ),
        ]),
        waits_on: (1..=10).map(connection).collect(),
        goids: (30..40).collect(),
        parent_goids: vec![7, 7, 7, 7, 7, 9, 9, 9, 9, 0],
        ..senders.clone()
    };
    let sleeper = Group {
        count: 1,
        wait_reason: Some("sleep".into()),
        oldest_seconds: None,
        labels: None,
        locked_to_thread: 1,
        locked_threads: vec![4715],
        waits_on: vec![WaitsOn {
            count: 1,
            what: Waited::Timer {
                wakes_in_seconds: 3.0,
            },
        }],
        goids: vec![77],
        parent_goids: vec![18],
        ..senders.clone()
    };
    Snapshot {
        goroutines: 70,
        groups: vec![force_gc(), senders, reader, sleeper, main()],
        ..snapshot()
    }
}

pub(in crate::report) fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).into(), (*value).into());
    labels.iter().map(owned).collect()
}

pub(in crate::report) fn channel(count: u64, address: &str) -> WaitsOn {
    WaitsOn {
        count,
        what: Waited::Channel {
            address: address.into(),
            length: 0,
            capacity: 3,
        },
    }
}

fn connection(fd: u64) -> WaitsOn {
    WaitsOn {
        count: 1,
        what: Waited::Network {
            fd,
            protocol: Some("tcp".into()),
            local: Some("10.0.0.1:80".into()),
            remote: Some(format!("10.0.0.2:{}", 44_300 + fd)),
        },
    }
}

/// What a renderer writes.
pub(in crate::report) fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut output = Vec::new();
    write(&mut output).expect("writes to memory");
    String::from_utf8(output).expect("text")
}
