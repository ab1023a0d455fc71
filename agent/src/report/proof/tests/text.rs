use crate::report::{
    Ground, Proof,
    proof::samples::{healthy, proof, senders},
    snapshot::samples::written,
};

fn sorted(mut proof: Proof) -> Proof {
    proof.sort();
    proof
}

fn text(proof: Proof, width: usize) -> String {
    written(|output| sorted(proof).text(output, width))
}

#[test]
fn some_leak() {
    insta::assert_snapshot!(text(proof(), 100), @r#"
    7 of 20 waiting goroutines are proven leaked; 3 passes agreed; 1.3 MiB retained,
    2026-11-20T21:28:31.000Z
    pid 4711 /srv/app/server (go1.27.4, example.com/app)
    looked through 412.0 MiB of heap (3204117 objects, 52736 spans) for 25 goroutines

    5 chan send, for at least 2 min, retain 1.0 MiB, 200 KiB with others, stacks 10 KiB
      goroutines 18, 19, 24, 31, 35
      go main.search.func1 at /src/search.go:35 in main.search
      labels endpoint=/search, tenant="a, b"
      wait on 3 channel 0xc000123456 (len 0, cap 3)
              2 channel 0xc000123abc (len 0, cap 3)
      - 3 passes over the heap found no way from anything that lives to the channels they wait on
      - only they lead to 1.0 MiB of heap memory in 3102 objects
        main.send          /src/search.go:9
        main.search.func1  /src/search.go:36

    goroutine 77: sync.Mutex.Lock, retains 64 KiB, 200 KiB with others, stack 2 KiB
      go main.search.func1 at /src/search.go:35 in main.search
      waits on mutex 0xc000200008
      - the program's own runtime has found that nothing can wake them (_Gleaked)
      - only it leads to 64 KiB of heap memory in 1 object
      stack unknown: its stack is not readable

    goroutine 51: chan receive (nil chan), retains nothing, stack 2 KiB
      go main.search.func1 at /src/search.go:35 in main.search
      waits on a nil channel, for ever
      - it waits on a nil channel, or in a select without cases: that never ends
        main.send          /src/search.go:9
        main.search.func1  /src/search.go:36

    shared by 2 groups: 200 KiB in 310 objects, counted for none of them

    13 goroutines not proven
      12 chan receive at /src/main.go:42, for at least 3 min, goroutines 60 61 62 63 64 65 66 67 68 69 …
        something that lives leads to the channel they wait on
      goroutine 90: chan receive at /src/main.go:20
        it ran between two passes
      what keeps one alive: gostray prove 4711 --why 60

    2 not read, because its memory is not mapped
    looked through word by word, which can only lose proofs: frames without a stack map: 1, running
    goroutines: 3
    took 4.1 s, 1.9 s of processor time
    "#);
}

#[test]
fn in_a_narrow_terminal_lines_are_broken() {
    let text = text(proof(), 60);
    for line in text.lines() {
        assert!(line.chars().count() <= 60, "{line}");
    }
    insta::assert_snapshot!(text.lines().take(16).collect::<Vec<_>>().join("\n"), @r#"
    7 of 20 waiting goroutines are proven leaked; 3 passes
    agreed; 1.3 MiB retained, 2026-11-20T21:28:31.000Z
    pid 4711 /srv/app/server (go1.27.4, example.com/app)
    looked through 412.0 MiB of heap (3204117 objects, 52736
    spans) for 25 goroutines

    5 chan send, for at least 2 min, retain 1.0 MiB,
    200 KiB with others, stacks 10 KiB
      goroutines 18, 19, 24, 31, 35
      go main.search.func1 at /src/search.go:35 in main.search
      labels endpoint=/search, tenant="a, b"
      wait on 3 channel 0xc000123456 (len 0, cap 3)
              2 channel 0xc000123abc (len 0, cap 3)
      - 3 passes over the heap found no way from anything that
        lives to the channels they wait on
      - only they lead to 1.0 MiB of heap memory in 3102 objects
    "#);
}

#[test]
fn none_leaks() {
    insta::assert_snapshot!(text(healthy(), 100), @r"
    none of 12 waiting goroutines is proven leaked; 3 passes agreed, 2026-11-20T21:28:31.000Z
    pid 4711 /srv/app/server (go1.27.4, example.com/app)
    looked through 412.0 MiB of heap (3204117 objects, 52736 spans) for 25 goroutines; each of those
    that wait could still be woken, as far as can be seen from outside. They may leak all the same, held
    by something that nobody uses any more: `gostray attach` tells by how they pile up

    12 goroutines not proven
      12 chan receive at /src/main.go:42, for at least 3 min, goroutines 60 61 62 63 64 65 66 67 68 69 …
        something that lives leads to the channel they wait on
      what keeps one alive: gostray prove 4711 --why 60

    took 4.1 s, 1.9 s of processor time
    ");
}

#[test]
fn nothing_waits_for_another() {
    let idle = Proof {
        candidates: 0,
        unproven: Vec::new(),
        ..healthy()
    };
    insta::assert_snapshot!(text(idle, 100), @r"
    nothing to prove: no goroutine waits for another, 2026-11-20T21:28:31.000Z
    pid 4711 /srv/app/server (go1.27.4, example.com/app)
    looked through 412.0 MiB of heap (3204117 objects, 52736 spans) for 25 goroutines; they run, or wait
    for the clock, the network or the system, none of which can be proven to be for ever

    took 4.1 s, 1.9 s of processor time
    ");
}

#[test]
fn what_is_not_known_is_said() {
    let mut proof = proof();
    proof.leaked = vec![senders()];
    proof.unproven.clear();
    let group = &mut proof.leaked[0];
    group.retained_bytes = None;
    group.retained_objects = None;
    group.shared_bytes = None;
    group.labels = None;
    proof.agent_cpu_seconds = None;
    proof.shared.bytes = 0;
    insta::assert_snapshot!(text(proof, 100), @r"
    5 of 20 waiting goroutines are proven leaked; 3 passes agreed; what they retain is not known,
    2026-11-20T21:28:31.000Z
    pid 4711 /srv/app/server (go1.27.4, example.com/app)
    looked through 412.0 MiB of heap (3204117 objects, 52736 spans) for 25 goroutines

    5 chan send, for at least 2 min, what they retain is not known, stacks 10 KiB
      goroutines 18, 19, 24, 31, 35
      go main.search.func1 at /src/search.go:35 in main.search
      wait on 3 channel 0xc000123456 (len 0, cap 3)
              2 channel 0xc000123abc (len 0, cap 3)
      - 3 passes over the heap found no way from anything that lives to the channels they wait on
        main.send          /src/search.go:9
        main.search.func1  /src/search.go:36

    2 not read, because its memory is not mapped
    looked through word by word, which can only lose proofs: frames without a stack map: 1, running
    goroutines: 3
    took 4.1 s
    ");
}

#[test]
fn many_groups_without_a_proof_are_cut() {
    let mut proof = healthy();
    let one = proof.unproven[0].clone();
    proof.unproven = (0..25)
        .map(|n| {
            let mut group = one.clone();
            group.goids = vec![100 + n];
            group.count = 1;
            group
        })
        .collect();
    let text = text(proof, 100);
    assert!(text.contains("25 goroutines not proven"), "{text}");
    assert!(
        text.contains("and 5 more groups: --format json has all"),
        "{text}"
    );
    assert!(text.contains("gostray prove 4711 --why 100"), "{text}");
    assert!(!text.contains("goroutine 120:"), "{text}");
}

#[test]
fn names_of_the_target_give_no_orders() {
    let mut proof = proof();
    let evil = "\u{1b}]0;owned\u{7}";
    let group = &mut proof.leaked[0];
    group.start.function = evil.into();
    group.wait_reason = Some(evil.into());
    group.blocked_at = None;
    if let Some(place) = group.stack.iter_mut().flatten().next() {
        place.file = Some(evil.into());
    }
    proof.process.exe = evil.into();
    proof.unproven[0].sentence = evil.into();
    proof.unproven[0].wait_reason = Some(evil.into());
    proof.defects.insert(evil.into(), 1);
    proof.precision.conservative.insert(evil.into(), 1);
    let text = text(proof, 100);
    assert!(
        !text.chars().any(|c| c.is_control() && c != '\n'),
        "{text:?}"
    );
}

#[test]
fn what_takes_most_memory_comes_first() {
    let proof = sorted(proof());
    let goids: Vec<u64> = proof.leaked.iter().map(|group| group.goids[0]).collect();
    assert_eq!(goids, [18, 77, 51]);
    let unproven: Vec<u64> = proof.unproven.iter().map(|group| group.count).collect();
    assert_eq!(unproven, [12, 1]);
    assert_eq!(proof.retained_bytes(), Some(1_048_576 + 65_536 + 204_800));
    assert_eq!((proof.proven(), proof.not_proven()), (7, 13));
}

#[test]
fn evidence_for_events() {
    let said = |proof, count| {
        let group = crate::report::LeakedGroup {
            proof,
            count,
            ..senders()
        };
        group.evidence(3)
    };
    assert_eq!(
        said(Ground::Unreachable, 5),
        [
            "3 passes over the heap found no way from anything that lives to the channels they wait on",
            "only they lead to 1.0 MiB of heap memory in 3102 objects",
        ]
    );
    assert_eq!(
        said(Ground::NilChannel, 1)[0],
        "it waits on a nil channel, or in a select without cases: that never ends"
    );
    assert_eq!(
        said(Ground::Runtime, 5)[0],
        "the program's own runtime has found that nothing can wake them (_Gleaked)"
    );
}
