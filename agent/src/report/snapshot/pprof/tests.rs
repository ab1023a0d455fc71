use super::*;
use crate::report::{
    pprof::{Labels, messages::Profile, tests},
    snapshot::samples::{everything, labels, main, senders, snapshot},
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
