use crate::report::{
    pprof::tests::decoded,
    proof::samples::{healthy, proof},
    snapshot::samples::{labels, written},
};

#[test]
fn is_gos_own_goroutineleak_profile() {
    let mut written = Vec::new();
    proof().pprof(&mut written).unwrap();
    let profile = decoded(&written);
    let [kind] = profile.sample_type[..] else {
        panic!("{profile:?}")
    };
    assert_eq!(profile.text(kind.r#type), "goroutineleak");
    assert_eq!(profile.text(kind.unit), "count");
    assert_eq!(profile.period_type, Some(kind));
    assert_eq!(profile.period, 1);
    assert_eq!(profile.time_nanos, 1_795_210_111_000_000_000);
    let samples: Vec<(i64, Vec<String>, _)> = profile
        .sample
        .iter()
        .map(|sample| {
            let labels = profile.labels_of(sample);
            (sample.value[0], profile.stack(sample), labels)
        })
        .collect();
    let stack = || {
        vec![
            "main.send /src/search.go:9".to_owned(),
            "main.search.func1 /src/search.go:36".to_owned(),
        ]
    };
    let start = vec!["main.search.func1 /src/search.go:35".to_owned()];
    assert_eq!(
        samples,
        [
            (
                5,
                stack(),
                labels(&[("endpoint", "/search"), ("tenant", "a, b")])
            ),
            (1, start, labels(&[])),
            (1, stack(), labels(&[])),
        ]
    );
}

#[test]
fn without_leaks_it_is_a_profile_without_samples() {
    let mut written = Vec::new();
    healthy().pprof(&mut written).unwrap();
    let profile = decoded(&written);
    assert!(profile.sample.is_empty());
    assert_eq!(profile.sample_type.len(), 1);
}

#[test]
fn text_is_that_of_go() {
    let mut proof = proof();
    for group in &mut proof.leaked {
        group.goids.truncate(2);
    }
    insta::assert_snapshot!(written(|output| proof.counted_text(output)), @r#"
    goroutineleak profile: total 7
    5 @ 0x1 0x2
    # labels: {"endpoint":"/search", "tenant":"a, b"}
    #	0x1	main.send	/src/search.go:9
    #	0x2	main.search.func1	/src/search.go:36

    1 @ 0x3
    #	0x3	main.search.func1	/src/search.go:35

    1 @ 0x1 0x2
    #	0x1	main.send	/src/search.go:9
    #	0x2	main.search.func1	/src/search.go:36
    "#);
    insta::assert_snapshot!(written(|output| proof.tracebacks(output)), @r#"
    goroutine 18 [chan send (leaked)]:
    main.send(...)
    	/src/search.go:9
    main.search.func1(...)
    	/src/search.go:36
    created by main.search
    	/src/search.go:35

    goroutine 19 [chan send (leaked)]:
    main.send(...)
    	/src/search.go:9
    main.search.func1(...)
    	/src/search.go:36
    created by main.search
    	/src/search.go:35

    goroutine 51 [chan receive (nil chan) (leaked)]:
    main.send(...)
    	/src/search.go:9
    main.search.func1(...)
    	/src/search.go:36
    created by main.search
    	/src/search.go:35

    goroutine 77 [sync.Mutex.Lock (leaked)]:
    	stack unavailable
    created by main.search
    	/src/search.go:35
    "#);
}
