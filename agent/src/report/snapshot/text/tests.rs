//! What people see, as they see it.

use crate::report::{
    GroupBy,
    snapshot::samples::{channel, everything, snapshot, written},
};

#[test]
fn a_small_program() {
    insta::assert_snapshot!(written(|output| snapshot().text(output, 100)), @r"
    54 goroutines in 2 groups, 2026-11-20T21:28:31.000Z
    pid 4711 /srv/app/server (go1.27.4, example.com/app)
    2 not read, because its memory is not mapped

    53 chan send, for at least 2 min, stacks 106 KiB
      goroutines 18, 19, 24, …
      go main.search.func1 at /src/search.go:35 in main.search
      created by goroutines 1, …
        main.send          /src/search.go:9
        main.search.func1  /src/search.go:36

    goroutine 1: running
      runtime.main
    ");
}

/// The last groups of `everything()`, which look the same in a narrow terminal.
const SHORT_GROUPS: &str = "\
goroutine 77: sleep, about 3.1 h old, locked to thread 4715
  go main.search.func1 at /src/search.go:35 in main.search
  created by goroutine 18
  wakes in 3.0 s
    main.send          /src/search.go:9
    main.search.func1  /src/search.go:36

goroutine 1: running
  runtime.main

1 goroutine of the runtime itself
  1 force gc (idle): runtime.forcegchelper
";

fn text_of_everything(width: usize) -> String {
    let text = written(|output| everything().text(output, width));
    text.replace(SHORT_GROUPS, "(the short groups)\n")
}

#[test]
fn all_that_can_be_known() {
    insta::assert_snapshot!(text_of_everything(100), @r#"
    68 of 70 goroutines in 5 groups, 2026-11-20T21:28:31.000Z
    pid 4711 /srv/app/server (go1.27.4, example.com/app)
    2 not read, because its memory is not mapped

    53 chan send, for at least 2 min, the oldest about 3.1 h old, stacks 106 KiB,
    2 locked to their threads
      goroutines 1234567890, 2469135780, 3703703670, 4938271560, 6172839450, 7407407340, 8641975230,
                 9876543120, 11111111010, 12345678900, …
      go main.search.func1 at /src/search.go:35 in main.search
      created by goroutines 1, …
      labels endpoint=/search, tenant="a, b"
      wait on 50 channel 0xc000123456 (len 0, cap 3)
               3 channel 0xc000123abc (len 0, cap 3)
        main.send          /src/search.go:9
        main.search.func1  /src/search.go:36

    12 IO wait, for at least 2 min, the oldest about 3.1 h old, stacks 106 KiB,
    2 locked to their threads
      goroutines 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, …
      go github.com/very-long-organisation/storage-client/v2/internal/transport.(*connection).readLoop
        at …/internal/transport/connection_pool_of_a_very_long_name_linux.go:1042
        in …/storage-client/v2/internal/transport.(*connectionPool).dialWithRetries
      created by goroutines 7, 9, …
      labels endpoint=/search, tenant="a, b"
      wait on 1 tcp 10.0.0.1:80 → 10.0.0.2:44301 (fd 1)
              1 tcp 10.0.0.1:80 → 10.0.0.2:44302 (fd 2)
              1 tcp 10.0.0.1:80 → 10.0.0.2:44303 (fd 3)
              1 tcp 10.0.0.1:80 → 10.0.0.2:44304 (fd 4)
              1 tcp 10.0.0.1:80 → 10.0.0.2:44305 (fd 5)
                …
        internal/poll.(*FD).Read
            /usr/local/go/src/internal/poll/fd_unix.go:165
        …/storage-client/v2/internal/transport.(*connection).readFrameHeaderFromConnection
            …/internal/transport/connection_pool_of_a_very_long_name_linux.go:1099

    (the short groups)
    "#);
}

#[test]
fn a_narrow_terminal() {
    insta::assert_snapshot!(text_of_everything(60), @r#"
    68 of 70 goroutines in 5 groups, 2026-11-20T21:28:31.000Z
    pid 4711 /srv/app/server (go1.27.4, example.com/app)
    2 not read, because its memory is not mapped

    53 chan send, for at least 2 min,
    the oldest about 3.1 h old, stacks 106 KiB,
    2 locked to their threads
      goroutines 1234567890, 2469135780, 3703703670, 4938271560,
                 6172839450, 7407407340, 8641975230, 9876543120,
                 11111111010, 12345678900, …
      go main.search.func1 at /src/search.go:35 in main.search
      created by goroutines 1, …
      labels endpoint=/search, tenant="a, b"
      wait on 50 channel 0xc000123456 (len 0, cap 3)
               3 channel 0xc000123abc (len 0, cap 3)
        main.send          /src/search.go:9
        main.search.func1  /src/search.go:36

    12 IO wait, for at least 2 min, the oldest about 3.1 h old,
    stacks 106 KiB, 2 locked to their threads
      goroutines 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, …
      go …/v2/internal/transport.(*connection).readLoop
        at …/connection_pool_of_a_very_long_name_linux.go:1042
        in …/transport.(*connectionPool).dialWithRetries
      created by goroutines 7, 9, …
      labels endpoint=/search, tenant="a, b"
      wait on 1 tcp 10.0.0.1:80 → 10.0.0.2:44301 (fd 1)
              1 tcp 10.0.0.1:80 → 10.0.0.2:44302 (fd 2)
              1 tcp 10.0.0.1:80 → 10.0.0.2:44303 (fd 3)
              1 tcp 10.0.0.1:80 → 10.0.0.2:44304 (fd 4)
              1 tcp 10.0.0.1:80 → 10.0.0.2:44305 (fd 5)
                …
        internal/poll.(*FD).Read
            /usr/local/go/src/internal/poll/fd_unix.go:165
        …/transport.(*connection).readFrameHeaderFromConnection
            …/connection_pool_of_a_very_long_name_linux.go:1099

    (the short groups)
    "#);
}

#[test]
fn merged_groups() {
    let mut snapshot = everything();
    snapshot.group_by(&"label:endpoint".parse::<GroupBy>().unwrap());
    insta::assert_snapshot!(written(|output| snapshot.text(output, 100)), @r#"
    68 of 70 goroutines in 2 groups, 2026-11-20T21:28:31.000Z
    pid 4711 /srv/app/server (go1.27.4, example.com/app)
    2 not read, because its memory is not mapped

    65 waiting, for at least 2 min, the oldest about 3.1 h old, stacks 212 KiB,
    4 locked to their threads
      goroutines 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, …
      main.search.func1 and others, created at different places
      created by goroutines 7, 9, …
      labels endpoint=/search, tenant="a, b"
      wait on 50 channel 0xc000123456 (len 0, cap 3)
               3 channel 0xc000123abc (len 0, cap 3)
               1 tcp 10.0.0.1:80 → 10.0.0.2:44301 (fd 1)
               1 tcp 10.0.0.1:80 → 10.0.0.2:44302 (fd 2)
               1 tcp 10.0.0.1:80 → 10.0.0.2:44303 (fd 3)
                 …
        (at different places)

    3 mixed, the oldest about 3.1 h old, stacks 122 KiB, 1 locked to its thread
      goroutines 1, 2, 77
      runtime.main and others, created at different places
      created by goroutine 18
      wait on 1 timer, wakes in 3.0 s
        (at different places)
    "#);
}

#[test]
fn a_single_select() {
    let mut snapshot = snapshot();
    snapshot.groups.truncate(1);
    let group = &mut snapshot.groups[0];
    group.count = 1;
    group.goids.truncate(1);
    group.waits_on = (1..=4).map(|n| channel(1, &format!("{n:#x}"))).collect();
    let text = written(|output| snapshot.text(output, 90));
    insta::assert_snapshot!(text, @r"
    1 of 54 goroutines in 1 group, 2026-11-20T21:28:31.000Z
    pid 4711 /srv/app/server (go1.27.4, example.com/app)
    2 not read, because its memory is not mapped

    goroutine 18: chan send, for at least 2 min
      go main.search.func1 at /src/search.go:35 in main.search
      created by goroutine 1
      waits on channel 0x1 (len 0, cap 3), channel 0x2 (len 0, cap 3),
               channel 0x3 (len 0, cap 3), channel 0x4 (len 0, cap 3)
        main.send          /src/search.go:9
        main.search.func1  /src/search.go:36
    ");
}

#[test]
fn a_part_of_them() {
    let mut snapshot = snapshot();
    snapshot.groups.truncate(1);
    let text = written(|output| snapshot.text(output, 100));
    assert!(
        text.starts_with("53 of 54 goroutines in 1 group, "),
        "{text}"
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let mut hostile = everything();
    for group in &mut hostile.groups {
        group.start.function = "x".repeat(500);
        for place in group.stack.iter_mut().flatten() {
            place.file = Some("/y".repeat(300));
        }
        if let Some(labels) = &mut group.labels {
            labels.insert("k".repeat(200), "\u{1b}[31m".repeat(99));
        }
    }
    hostile.process.exe = "/z".repeat(200);
    for snapshot in [everything(), hostile, snapshot()] {
        for width in [60, 80, 100, 173] {
            let text = written(|output| snapshot.text(output, width));
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
                assert!(!line.contains('\u{1b}'), "{line}");
            }
        }
    }
}
