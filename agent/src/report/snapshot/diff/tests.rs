use serde_json::json;

use super::*;
use crate::report::snapshot::samples::{everything, force_gc, main, senders, snapshot, written};

/// The snapshot a quarter of an hour earlier, of these groups.
fn earlier(groups: Vec<Group>) -> Snapshot {
    Snapshot {
        taken_at: "2026-11-20T21:13:31.000Z".into(),
        goroutines: groups.iter().map(|group| group.count).sum(),
        groups,
        defects: Default::default(),
        ..snapshot()
    }
}

fn later(groups: Vec<Group>) -> Snapshot {
    Snapshot {
        taken_at: snapshot().taken_at,
        ..earlier(groups)
    }
}

fn diff(before: Snapshot, after: Snapshot) -> Diff {
    Diff::new(before, after, &Filter::default(), &GroupBy::Unlabelled).unwrap()
}

fn counted(count: u64, mut group: Group) -> Group {
    group.count = count;
    group
}

/// The same `go` statement, elsewhere.
fn receivers() -> Group {
    let mut group = senders();
    group.wait_reason = Some("chan receive".into());
    group.goids = vec![90];
    group
}

fn counts(changes: &[Change]) -> Vec<(u64, u64, i64)> {
    let counts = |change: &Change| (change.before, change.after, change.growth);
    changes.iter().map(counts).collect()
}

#[test]
fn what_is_new_stands_first_then_what_grew_most() {
    let more = |line| {
        let mut group = senders();
        group.created_at.as_mut().unwrap().line = Some(line);
        group
    };
    let diff = diff(
        earlier(vec![
            counted(10, senders()),
            counted(5, more(1)),
            counted(7, more(2)),
            counted(9, more(3)),
            force_gc(),
        ]),
        later(vec![
            counted(40, senders()),
            counted(105, more(1)),
            counted(3, more(2)),
            counted(2, receivers()),
            counted(1, main()),
            force_gc(),
        ]),
    );
    assert_eq!(
        counts(&diff.grew),
        [(0, 2, 2), (0, 1, 1), (5, 105, 100), (10, 40, 30)]
    );
    assert_eq!(counts(&diff.shrank), [(9, 0, -9), (7, 3, -4)]);
    assert_eq!(diff.seconds, 900.0);
    assert_eq!(diff.grew[3].growth_per_minute, Some(2.0));
    assert!(diff.notes.is_empty(), "{:?}", diff.notes);
}

#[test]
fn groups_are_compared_as_asked() {
    let before = earlier(vec![
        counted(10, senders()),
        counted(5, receivers()),
        main(),
    ]);
    let after = later(vec![
        counted(4, senders()),
        counted(12, receivers()),
        main(),
    ]);
    let by = |by: &str| {
        let by = by.parse().unwrap();
        Diff::new(before.clone(), after.clone(), &Filter::default(), &by).unwrap()
    };
    assert_eq!(counts(&by("site").grew), [(15, 16, 1)]);
    assert_eq!(counts(&by("site").shrank), []);
    assert_eq!(counts(&by("state").grew), [(5, 12, 7)]);
    assert_eq!(counts(&by("label:x").grew), [(16, 17, 1)]);
    // Several groups of one key, as a snapshot of single goroutines has them.
    let split = earlier(vec![
        counted(4, senders()),
        counted(6, senders()),
        counted(5, receivers()),
        main(),
    ]);
    let whole = Diff::new(
        split,
        after.clone(),
        &Filter::default(),
        &GroupBy::Unlabelled,
    )
    .unwrap();
    assert_eq!(counts(&whole.shrank), [(10, 4, -6)]);
}

#[test]
fn filters_hold_for_both_and_age_for_the_last() {
    let mut young = counted(10, senders());
    young.oldest_seconds = Some(1.0);
    let before = || earlier(vec![young.clone(), counted(5, receivers())]);
    let mut fresh = counted(9, receivers());
    fresh.oldest_seconds = None;
    let after = || later(vec![counted(14, senders()), fresh.clone()]);
    let by = |filter: Filter| Diff::new(before(), after(), &filter, &GroupBy::Unlabelled).unwrap();
    let wait = by(Filter {
        wait: Some("receive".into()),
        ..Filter::default()
    });
    assert_eq!(counts(&wait.grew), [(5, 9, 4)]);
    let old = by(Filter {
        min_age: Some(Duration::from_secs(60)),
        ..Filter::default()
    });
    // Not as new, though they were too young before.
    assert_eq!(counts(&old.grew), [(10, 14, 4)]);
    assert_eq!((old.before.goroutines, old.after.goroutines), (15, 23));
}

#[test]
fn the_older_one_comes_first() {
    let error = Diff::new(
        later(vec![]),
        earlier(vec![]),
        &Filter::default(),
        &GroupBy::Unlabelled,
    );
    assert!(matches!(error, Err(DiffError::WrongOrder { .. })));
    let odd = Snapshot {
        taken_at: "yesterday".into(),
        ..snapshot()
    };
    let error = Diff::new(odd, snapshot(), &Filter::default(), &GroupBy::Unlabelled);
    assert!(matches!(error, Err(DiffError::NoTime { .. })));
    let same = diff(later(vec![]), later(vec![main()]));
    assert_eq!(same.grew[0].growth_per_minute, None);
    assert!(same.grew[0].group.unknown.contains_key("growth_per_minute"));
}

#[test]
fn other_runs_and_builds_are_told_of() {
    let mut other = later(vec![]);
    other.pid = Some(4712);
    other.process.build_id = Some("99".into());
    assert_eq!(
        diff(earlier(vec![]), other).notes,
        [
            "different builds, in which a line that moved counts as another place: build id 8f2c01, now 99",
            "different processes: pid 4711, now pid 4712",
        ]
    );
    let mut other = later(vec![]);
    other.process.exe = "/srv/new".into();
    other.defects.insert("it moved".into(), 3);
    assert_eq!(
        diff(earlier(vec![]), other).notes,
        [
            "different executables: /srv/app/server, now /srv/new",
            "3 goroutines of the second snapshot could not be read",
        ]
    );
}

#[test]
fn as_json() {
    let diff = diff(
        earlier(vec![counted(8, senders()), main()]),
        later(vec![senders()]),
    );
    let json = serde_json::to_value(&diff).unwrap();
    assert_eq!(
        json["before"],
        json!({"pid": 4711, "exe": "/srv/app/server", "taken_at": "2026-11-20T21:13:31.000Z", "goroutines": 9})
    );
    assert_eq!(json["after"]["goroutines"], 53);
    assert_eq!(json["seconds"], 900.0);
    let grew = &json["grew"][0];
    assert_eq!((&grew["before"], &grew["after"]), (&json!(8), &json!(53)));
    assert_eq!(grew["growth"], 45);
    assert_eq!(grew["growth_per_minute"], 3.0);
    assert_eq!(grew["count"], 53);
    assert_eq!(grew["created_at"]["line"], 35);
    assert_eq!(grew["wait_reason"], "chan send");
    let shrank = &json["shrank"][0];
    assert_eq!(
        (&shrank["after"], &shrank["growth"]),
        (&json!(0), &json!(-1))
    );
    assert_eq!(shrank["count"], 0);
    assert_eq!(shrank["start"]["function"], "runtime.main");
}

#[test]
fn as_text() {
    let mut before = earlier(vec![counted(8, senders()), receivers(), main()]);
    before.process.build_id = None;
    let mut after = later(vec![senders()]);
    let mut new = everything().groups.swap_remove(3);
    new.count = 2;
    after.groups.push(new);
    let diff = diff(before, after);
    insta::assert_snapshot!(written(|output| diff.text(output, 100)), @r"
    pid 4711 /srv/app/server
    62 → 53 goroutines, -9 in 15 min, 2026-11-20T21:13:31.000Z to 2026-11-20T21:28:31.000Z
    different builds, in which a line that moved counts as another place: build id not known, now 8f2c01

    +2 sleep: 0 → 2, +0.1 a minute, new, the oldest about 3.1 h old, stacks 106 KiB,
    1 locked to its thread
      goroutines 77, …
      go main.search.func1 at /src/search.go:35 in main.search
      created by goroutines 18, …
      wait on 1 timer, wakes in 3.0 s
        main.send          /src/search.go:9
        main.search.func1  /src/search.go:36

    +45 chan send: 8 → 53, +3.0 a minute, for at least 2 min, stacks 106 KiB
      goroutines 18, 19, 24, …
      go main.search.func1 at /src/search.go:35 in main.search
      created by goroutines 1, …
        main.send          /src/search.go:9
        main.search.func1  /src/search.go:36

    shrank: 2 groups by 54 goroutines, 2 of them to nothing
    ");
}

#[test]
fn no_change_as_text() {
    let diff = diff(earlier(vec![main()]), later(vec![main()]));
    insta::assert_snapshot!(written(|output| diff.text(output, 100)), @r"
    pid 4711 /srv/app/server
    1 → 1 goroutines, +0 in 15 min, 2026-11-20T21:13:31.000Z to 2026-11-20T21:28:31.000Z

    nothing grew
    nothing shrank
    ");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let mut before = earlier(vec![]);
    before.process.exe = "/x".repeat(200);
    before.process.build_id = None;
    let mut after = everything();
    after.process.exe = "/y".repeat(200);
    let diff = diff(before, after);
    for width in [60, 80, 100, 173] {
        let text = written(|output| diff.text(output, width));
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}
