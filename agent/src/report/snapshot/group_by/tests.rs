use crate::report::snapshot::samples::{channel, labels, main, senders, snapshot};

use super::*;

fn grouped(groups: Vec<Group>, by: &str) -> Vec<Group> {
    let mut snapshot = Snapshot {
        groups,
        ..snapshot()
    };
    snapshot.group_by(&by.parse().unwrap());
    // What is grouped stays grouped: a diff compares the keys of what was merged.
    let keys = |snapshot: &Snapshot| -> Vec<Key> {
        let by: GroupBy = by.parse().unwrap();
        snapshot.groups.iter().map(|group| by.key(group)).collect()
    };
    let mut again = snapshot.clone();
    again.group_by(&by.parse().unwrap());
    assert_eq!(keys(&again), keys(&snapshot));
    assert_eq!(again.groups.len(), snapshot.groups.len());
    snapshot.groups
}

/// The same `go` statement, elsewhere.
fn receivers() -> Group {
    let mut group = senders();
    group.count = 60;
    group.wait_reason = Some("chan receive".into());
    group.stack.as_mut().unwrap().remove(0);
    group.oldest_seconds = Some(3.0);
    group.age_seconds = Some(10.0);
    group.goids = vec![17, 20];
    group.parent_goids = vec![5, 6];
    group.locked_to_thread = 2;
    group.locked_threads = vec![4711, 4713];
    group
}

#[test]
fn words_for_it() {
    assert_eq!("site".parse(), Ok(GroupBy::Site));
    assert_eq!("label:a:b".parse(), Ok(GroupBy::Label("a:b".into())));
    for bad in ["", "label", "label:", "sites", "site:x", "state:x"] {
        assert!(bad.parse::<GroupBy>().is_err(), "{bad}");
    }
}

#[test]
fn by_site() {
    let groups = grouped(vec![senders(), receivers(), main()], "site");
    let [both, one] = &groups[..] else {
        panic!("{groups:?}")
    };
    assert_eq!(one.start.function, "runtime.main");
    assert_eq!(both.count, 113);
    assert_eq!(both.stack_bytes, 2 * senders().stack_bytes);
    assert_eq!(both.locked_to_thread, 2);
    assert_eq!(both.locked_threads, [4711, 4713]);
    assert_eq!(both.created_at, senders().created_at);
    assert_eq!(both.start, senders().start);
    assert_eq!(both.state, "waiting");
    assert_eq!((&both.wait_reason, &both.stack), (&None, &None));
    assert_eq!(both.oldest_seconds, Some(130.0));
    assert_eq!(both.age_seconds, Some(10.0));
    assert_eq!(both.goids, [17, 18, 19, 20, 24]);
    assert_eq!(both.parent_goids, [5, 1, 1, 6, 1]);
    let unknown: Vec<&str> = both.unknown.keys().copied().collect();
    assert_eq!(unknown, ["stack", "wait_reason"]);
}

#[test]
fn by_stack() {
    let mut elsewhere = senders();
    elsewhere.created_at = None;
    elsewhere.start.function = "main.other".into();
    elsewhere.count = 2;
    let groups = grouped(vec![elsewhere, senders(), receivers(), main()], "stack");
    let counts: Vec<u64> = groups.iter().map(|group| group.count).collect();
    assert_eq!(counts, [60, 55, 1]);
    assert_eq!(groups[1].stack, senders().stack);
    assert_eq!(groups[1].created_at, None);
    // That of the most.
    assert_eq!(groups[1].start, senders().start);
    let unknown: Vec<&str> = groups[1].unknown.keys().copied().collect();
    assert_eq!(unknown, ["created_at", "start"]);
}

#[test]
fn by_state() {
    let mut more = senders();
    more.created_at = None;
    let mut syscall = main();
    syscall.state = "syscall".into();
    let groups = grouped(vec![senders(), receivers(), more, main(), syscall], "state");
    let shown: Vec<(u64, &str)> = groups.iter().map(|g| (g.count, g.waits())).collect();
    assert_eq!(
        shown,
        [
            (106, "chan send"),
            (60, "chan receive"),
            (1, "running"),
            (1, "syscall")
        ]
    );
}

#[test]
fn by_label() {
    let with = |count, pairs: &[(&str, &str)]| Group {
        count,
        labels: Some(labels(pairs)),
        ..senders()
    };
    let mut running = main();
    running.labels = Some(labels(&[("endpoint", "/a")]));
    let groups = grouped(
        vec![
            with(5, &[("endpoint", "/a"), ("tenant", "1")]),
            with(6, &[("endpoint", "/a"), ("tenant", "2")]),
            with(7, &[("endpoint", "/b"), ("tenant", "1")]),
            with(8, &[("tenant", "1")]),
            with(9, &[("tenant", "2")]),
            receivers(),
            running,
        ],
        "label:endpoint",
    );
    let shown: Vec<_> = groups.iter().map(|g| (g.count, g.labels.clone())).collect();
    assert_eq!(
        shown,
        [
            (77, None),
            (12, Some(labels(&[("endpoint", "/a")]))),
            (7, Some(labels(&[("endpoint", "/b"), ("tenant", "1")]))),
        ]
    );
    assert_eq!(groups[1].state, "mixed");
    assert!(groups[1].unknown["labels"].starts_with(DIFFERS));
    assert!(!groups[2].unknown.contains_key("labels"));
}

#[test]
fn the_same_in_everything_but_what_is_no_key() {
    // As `--full` lists them.
    let alone = |goid| Group {
        count: 1,
        goids: vec![goid],
        parent_goids: Vec::new(),
        ..senders()
    };
    let groups = (1..=20).rev().map(alone).collect();
    let mut snapshot = Snapshot {
        groups,
        ..snapshot()
    };
    snapshot.group_by(&GroupBy::All);
    let [group] = &snapshot.groups[..] else {
        panic!("{snapshot:?}")
    };
    assert_eq!(group.count, 20);
    assert_eq!(group.goids, (1..=10).collect::<Vec<u64>>());
    assert_eq!(group.parent_goids, [0; 10]);
    assert!(group.unknown.is_empty());
}

#[test]
fn labels_count_only_where_asked() {
    let with = |tenant| Group {
        labels: Some(labels(&[("endpoint", "/a"), ("tenant", tenant)])),
        ..senders()
    };
    let grouped = |by| {
        let mut snapshot = Snapshot {
            groups: vec![with("1"), with("2"), with("1")],
            ..snapshot()
        };
        snapshot.group_by(&by);
        let group = |group: Group| (group.count, group.labels);
        snapshot.groups.into_iter().map(group).collect::<Vec<_>>()
    };
    assert_eq!(
        grouped(GroupBy::All),
        [(106, with("1").labels), (53, with("2").labels)]
    );
    assert_eq!(
        grouped(GroupBy::Unlabelled),
        [(159, Some(labels(&[("endpoint", "/a")])))]
    );
}

#[test]
fn things_waited_on_are_added_up() {
    let timer = |wakes_in_seconds| WaitsOn {
        count: 2,
        what: Waited::Timer { wakes_in_seconds },
    };
    let mut first = senders();
    first.waits_on = vec![channel(50, "0x1"), channel(3, "0x2"), timer(7.0)];
    let mut second = receivers();
    second.waits_on = (2..=20).map(|n| channel(49, &format!("{n:#x}"))).collect();
    second.waits_on.push(timer(-1.0));
    let groups = grouped(vec![first, second], "site");
    let things = &groups[0].waits_on;
    assert_eq!(things.len(), 10);
    assert_eq!(things[0], channel(52, "0x2"));
    assert_eq!(things[1], channel(50, "0x1"));
    assert_eq!(
        summed(vec![timer(7.0), timer(-1.0)])[0].what,
        timer(-1.0).what
    );
    assert_eq!(summed(vec![timer(7.0), timer(-1.0)])[0].count, 4);
}
