use crate::report::{
    Why, WhyVerdict,
    proof::samples::{beginnings, why},
    snapshot::samples::written,
};

fn text(why: &Why, width: usize) -> String {
    written(|output| why.text(output, width))
}

#[test]
fn a_way_from_a_global() {
    insta::assert_snapshot!(text(&why(), 100), @r"
    goroutine 60: chan receive, for at least 3 min
    pid 4711 /srv/app/server (go1.27.4, example.com/app)
      go main.worker at /src/main.go:20 in main.main
        main.worker  /src/main.go:42

    not proven, reachable: something that lives leads to the channel it waits on
      kept alive by global main.registry (bss), at 0x5a2c40
        → object of 64 bytes (main.session) at 0xc000040000, word 3
        → object of 1024 bytes at 0xc000042000, byte 20
        → channel 0xc000123abc (len 0, cap 3)
        → wakes goroutine 34 (waiting) in main.(*session).loop (/src/session.go:88), stack at
          0xc00005ff48
        → channel 0xc000123456 (len 0, cap 3)
    ");
}

#[test]
fn long_steps_are_broken() {
    let text = text(&why(), 60);
    for line in text.lines() {
        assert!(line.chars().count() <= 60, "{line}");
    }
}

#[test]
fn other_beginnings() {
    let why = Why {
        path: beginnings(),
        ..why()
    };
    let text = text(&why, 100);
    let steps: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.contains("kept"))
        .collect();
    insta::assert_snapshot!(steps.join("\n"), @r"
    kept alive by a global variable (data of /srv/app/plugin.so), at 0x7f1200004010
      → wakes goroutine 7 (running), stack at 0xc000080010
      → a timer, at 0xc000080010
      → a finalizer of the object at 0xc000080010
      → a defer record, at 0xc000080010
      → object of 96 bytes at 0xc000080010
    ");
}

#[test]
fn without_a_way() {
    let why = Why {
        goid: 3,
        state: "running".into(),
        wait_reason: None,
        stack: None,
        oldest_seconds: None,
        verdict: WhyVerdict::NotWaiting,
        sentence: "it runs".into(),
        path: Vec::new(),
        ..why()
    };
    insta::assert_snapshot!(text(&why, 100), @r"
    goroutine 3: running
    pid 4711 /srv/app/server (go1.27.4, example.com/app)
      go main.worker at /src/main.go:20 in main.main

    not waiting: it runs
    ");
}

#[test]
fn names_of_the_target_give_no_orders() {
    let mut why = why();
    let evil = "\u{1b}[2J";
    why.sentence = evil.into();
    why.state = evil.into();
    why.wait_reason = None;
    if let crate::report::Step::Global { name, section, .. } = &mut why.path[0] {
        *name = Some(evil.into());
        *section = evil.into();
    }
    let text = text(&why, 100);
    assert!(
        !text.chars().any(|c| c.is_control() && c != '\n'),
        "{text:?}"
    );
}
