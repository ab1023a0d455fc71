use crate::{
    detect::{BuildRecord, State, Taken, Verdict},
    report::{History, Place},
    store::{Incident, IncidentBuild, SiteIdentity},
};

/// 2026-11-16 09:00 UTC.
const MONDAY: i64 = 1_794_819_600;

fn build(id: &str, day: i64, record: BuildRecord) -> IncidentBuild {
    IncidentBuild {
        build_id: id.into(),
        vcs_revision: None,
        go_version: "go1.27.4".into(),
        first_seen: MONDAY + day * 86_400,
        last_seen: MONDAY + day * 86_400 + 3600,
        runs: 2,
        record,
    }
}

fn leaky() -> BuildRecord {
    BuildRecord {
        watched_seconds: 3600.0,
        created: 36_000,
        lost: 3600,
        found_after: Some(Taken {
            seconds: 15.0,
            created: 150,
        }),
    }
}

fn clean(seconds: f64, created: u64) -> BuildRecord {
    BuildRecord {
        watched_seconds: seconds,
        created,
        lost: 0,
        found_after: None,
    }
}

fn incident(state: State, builds: Vec<IncidentBuild>) -> Incident {
    Incident {
        program: "example.com/app/cmd/search".into(),
        site: SiteIdentity {
            function: "main.search".into(),
            started: "main.search.func1".into(),
            ordinal: 0,
        },
        created_at: Place {
            function: "main.search".into(),
            file: Some("/src/app/search.go".into()),
            line: Some(31),
        },
        verdict: Verdict::Likely,
        state,
        state_since: MONDAY + 90_000,
        first_seen: MONDAY,
        last_seen: MONDAY + 3600,
        peak: 3600,
        growth_per_minute: 60.0,
        pattern: Some("channel_send".into()),
        wait_reason: Some("chan send".into()),
        builds,
    }
}

fn text(incidents: Vec<Incident>, all: bool) -> String {
    let mut output = Vec::new();
    let history = History::new("/var/lib/gostray/history.db".into(), incidents, all);
    history.text(&mut output, 100).unwrap();
    let text = String::from_utf8(output).unwrap();
    let longest = text.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(100), "{text}");
    text
}

fn mended() -> Incident {
    incident(
        State::Verified,
        vec![
            build("8f2c01aa77", 0, leaky()),
            build("77b0e1", 1, clean(8.0, 80)),
            build("a09c4d41c0ffee", 2, clean(3600.0, 36_000)),
        ],
    )
}

#[test]
fn an_open_and_a_mended_one() {
    let mut other = incident(
        State::Returned,
        (0..9)
            .map(|n| build(&format!("{n}{n}{n}{n}{n}{n}"), n, leaky()))
            .collect(),
    );
    other.site.ordinal = 2;
    other.wait_reason = None;
    other.program = "a/very/long/".repeat(12);
    insta::assert_snapshot!(text(vec![mended(), other.clone()], true), @r"
    VERIFIED (likely) /src/app/search.go:31
      go main.search.func1 in main.search
      of example.com/app/cmd/search
      first seen 2026-11-16 09:00, last 2026-11-16 10:00; verified since 2026-11-17 10:00
      +60.0 a minute, 3600 at the peak, chan send; 6 runs of 3 builds
        8f2c01aa77   2026-11-16  leaks                 +60.0 a minute, 3600 lost of 36000 in 60 min
        77b0e1       2026-11-17  not seen again yet     +0.0 a minute, 0 lost of 80 in 8.0 s
                     22 s more have to be watched, and 220 more created, before that means anything
        a09c4d41c0f… 2026-11-18  fix verified           +0.0 a minute, 0 lost of 36000 in 60 min
                     about 3600 would have been lost at the rate of before

    RETURNED (likely) /src/app/search.go:31
      go main.search.func1 in main.search, statement 3 of these
      of …/long/a/very/long/a/very/long/a/very/long/a/very/long/a/very/long/a/very/long/a/very/long/
      first seen 2026-11-16 09:00, last 2026-11-16 10:00; returned since 2026-11-17 10:00
      +60.0 a minute, 3600 at the peak; 18 runs of 9 builds
        000000       2026-11-16  leaks                 +60.0 a minute, 3600 lost of 36000 in 60 min
        … 3 more …
        444444       2026-11-20  leaks                 +60.0 a minute, 3600 lost of 36000 in 60 min
        555555       2026-11-21  leaks                 +60.0 a minute, 3600 lost of 36000 in 60 min
        666666       2026-11-22  leaks                 +60.0 a minute, 3600 lost of 36000 in 60 min
        777777       2026-11-23  leaks                 +60.0 a minute, 3600 lost of 36000 in 60 min
        888888       2026-11-24  leaks                 +60.0 a minute, 3600 lost of 36000 in 60 min

    2 leaks in /var/lib/gostray/history.db
    ");
    insta::assert_snapshot!(text(vec![mended(), other], false).lines().last().unwrap(), @"1 leak in /var/lib/gostray/history.db; 1 more resolved or verified; --all shows it");
}

#[test]
fn nothing_to_tell() {
    insta::assert_snapshot!(text(Vec::new(), false), @"no leaks remembered in /var/lib/gostray/history.db");
    insta::assert_snapshot!(text(vec![mended()], false), @"no open leaks in /var/lib/gostray/history.db; 1 leak resolved or verified; --all shows it");
}

#[test]
fn json_has_names_that_stay() {
    let history = History::new("h.db".into(), vec![mended()], true);
    let json = serde_json::to_value(history).unwrap();
    let incident = &json["incidents"][0];
    for name in [
        "program",
        "created_at",
        "start",
        "ordinal",
        "verdict",
        "state",
        "state_since",
        "first_seen",
        "last_seen",
        "growth_per_minute",
        "peak",
        "runs",
        "pattern",
        "wait_reason",
    ] {
        assert!(!incident[name].is_null(), "{name}");
    }
    let fates: Vec<_> = (0..3)
        .map(|n| incident["builds"][n]["fate"].as_str().unwrap())
        .collect();
    assert_eq!(fates, ["leaks", "not_seen_yet", "verified"]);
    assert_eq!(incident["builds"][0]["growth_per_minute"], 60.0);
    assert_eq!(incident["first_seen"], "2026-11-16T09:00:00.000Z");
}
