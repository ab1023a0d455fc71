use super::*;
use crate::report::{
    pprof::{Labels, messages::Profile, tests},
    snapshot::samples::{everything, labels, main, senders, snapshot, written},
};

fn decoded(snapshot: &Snapshot) -> Profile {
    let mut written = Vec::new();
    snapshot.pprof(&mut written).unwrap();
    tests::decoded(&written)
}

#[test]
fn reads_back() {
    let profile = decoded(&snapshot());
    let [kind] = profile.sample_type[..] else {
        panic!("{profile:?}")
    };
    assert_eq!(profile.string_table[0], "");
    assert_eq!(profile.text(kind.r#type), "goroutine");
    assert_eq!(profile.text(kind.unit), "count");
    assert_eq!(profile.period_type, Some(kind));
    assert_eq!(profile.period, 1);
    assert_eq!(profile.time_nanos, 1_795_210_111_000_000_000);
    assert_eq!(profile.text(profile.mapping[0].filename), "/srv/app/server");
    assert_eq!(profile.text(profile.mapping[0].build_id), "8f2c01");
    let samples: Vec<(i64, Vec<String>)> = profile
        .sample
        .iter()
        .map(|sample| (sample.value[0], profile.stack(sample)))
        .collect();
    assert_eq!(
        samples,
        [
            (
                53,
                vec![
                    "main.send /src/search.go:9".into(),
                    "main.search.func1 /src/search.go:36".into()
                ]
            ),
            (1, vec!["runtime.main /src/search.go:147".into()]),
        ]
    );
}

#[test]
fn samples_are_stacks_with_labels() {
    let mut elsewhere = senders();
    elsewhere.created_at = None;
    elsewhere.count = 4;
    let mut labelled = senders();
    labelled.count = 2;
    labelled.labels = Some(labels(&[("a", "1"), ("b", "2")]));
    let snapshot = Snapshot {
        groups: vec![elsewhere, labelled, senders(), main()],
        ..snapshot()
    };
    let profile = decoded(&snapshot);
    let counts: Vec<i64> = profile
        .sample
        .iter()
        .map(|sample| sample.value[0])
        .collect();
    assert_eq!(counts, [57, 2, 1]);
    assert_eq!(profile.labels_of(&profile.sample[0]), Labels::new());
    assert_eq!(
        profile.labels_of(&profile.sample[1]),
        labels(&[("a", "1"), ("b", "2")])
    );
    assert_eq!(profile.sample[0].location_id, profile.sample[1].location_id);
}

#[test]
fn each_place_and_function_is_there_once_and_the_runtime_is_not() {
    let profile = decoded(&everything());
    let mut strings = profile.string_table.clone();
    strings.sort();
    strings.dedup();
    assert_eq!(strings.len(), profile.string_table.len());
    assert_eq!(profile.location.len(), 5);
    assert_eq!(profile.function.len(), 5);
    let sum: i64 = profile.sample.iter().map(|sample| sample.value[0]).sum();
    assert_eq!(sum, 53 + 12 + 1 + 1);
    assert!(!strings.iter().any(|text| text == "runtime.forcegchelper"));
}

#[test]
fn counted_text_is_that_of_go() {
    let mut snapshot = everything();
    let labels = labels(&[("te\"nant", "a, \u{1b}b")]);
    let own = snapshot.groups.iter_mut().find(|group| group.count == 12);
    own.unwrap().labels = Some(labels);
    insta::assert_snapshot!(written(|output| snapshot.counted_text(output)), @r#"
    goroutine profile: total 67
    53 @ 0x1 0x2
    # labels: {"endpoint":"/search", "tenant":"a, b"}
    #	0x1	main.send	/src/search.go:9
    #	0x2	main.search.func1	/src/search.go:36

    12 @ 0x3 0x4
    # labels: {"te\"nant":"a, \u{1b}b"}
    #	0x3	internal/poll.(*FD).Read	/usr/local/go/src/internal/poll/fd_unix.go:165
    #	0x4	github.com/very-long-organisation/storage-client/v2/internal/transport.(*connection).readFrameHeaderFromConnection	/home/builder/go/pkg/mod/github.com/very-long-organisation/storage-client@v1.22.333/internal/transport/connection_pool_of_a_very_long_name_linux.go:1099

    1 @ 0x1 0x2
    #	0x1	main.send	/src/search.go:9
    #	0x2	main.search.func1	/src/search.go:36

    1 @ 0x5
    #	0x5	runtime.main	/src/search.go:147
    "#);
}

#[test]
fn tracebacks_are_those_of_go() {
    let mut snapshot = everything();
    for group in &mut snapshot.groups {
        group.goids.truncate(2);
    }
    insta::assert_snapshot!(written(|output| snapshot.tracebacks(output)), @r#"
    goroutine 1 [running]:
    	goroutine running on other thread; stack unavailable

    goroutine 30 [IO wait, 2 minutes, locked to thread]:
    internal/poll.(*FD).Read(...)
    	/usr/local/go/src/internal/poll/fd_unix.go:165
    github.com/very-long-organisation/storage-client/v2/internal/transport.(*connection).readFrameHeaderFromConnection(...)
    	/home/builder/go/pkg/mod/github.com/very-long-organisation/storage-client@v1.22.333/internal/transport/connection_pool_of_a_very_long_name_linux.go:1099
    created by github.com/very-long-organisation/storage-client/v2/internal/transport.(*connectionPool).dialWithRetries in goroutine 7
    	/home/builder/go/pkg/mod/github.com/very-long-organisation/storage-client@v1.22.333/internal/transport/connection_pool_of_a_very_long_name_linux.go:1042

    goroutine 31 [IO wait, 2 minutes, locked to thread]:
    internal/poll.(*FD).Read(...)
    	/usr/local/go/src/internal/poll/fd_unix.go:165
    github.com/very-long-organisation/storage-client/v2/internal/transport.(*connection).readFrameHeaderFromConnection(...)
    	/home/builder/go/pkg/mod/github.com/very-long-organisation/storage-client@v1.22.333/internal/transport/connection_pool_of_a_very_long_name_linux.go:1099
    created by github.com/very-long-organisation/storage-client/v2/internal/transport.(*connectionPool).dialWithRetries in goroutine 7
    	/home/builder/go/pkg/mod/github.com/very-long-organisation/storage-client@v1.22.333/internal/transport/connection_pool_of_a_very_long_name_linux.go:1042

    goroutine 77 [sleep, locked to thread]:
    main.send(...)
    	/src/search.go:9
    main.search.func1(...)
    	/src/search.go:36
    created by main.search in goroutine 18
    	/src/search.go:35

    goroutine 1234567890 [chan send, 2 minutes, locked to thread]:
    main.send(...)
    	/src/search.go:9
    main.search.func1(...)
    	/src/search.go:36
    created by main.search in goroutine 1
    	/src/search.go:35

    goroutine 2469135780 [chan send, 2 minutes, locked to thread]:
    main.send(...)
    	/src/search.go:9
    main.search.func1(...)
    	/src/search.go:36
    created by main.search in goroutine 1
    	/src/search.go:35
    "#);
}

/// What the program named itself neither begins a line nor gives a terminal orders.
#[test]
fn names_are_escaped_in_text() {
    let mut snapshot = everything();
    let evil = "a\u{1b}[2J\ngoroutine 7 [running]:".to_owned();
    for group in &mut snapshot.groups {
        group.wait_reason = Some(evil.clone());
        for place in group
            .stack
            .iter_mut()
            .flatten()
            .chain(&mut group.created_at)
        {
            place.function.clone_from(&evil);
            place.file = Some(evil.clone());
        }
    }
    for text in [
        written(|output| snapshot.counted_text(output)),
        written(|output| snapshot.tracebacks(output)),
    ] {
        assert!(
            !text.contains('\u{1b}') && !text.contains("\ngoroutine 7 "),
            "{text}"
        );
    }
}
