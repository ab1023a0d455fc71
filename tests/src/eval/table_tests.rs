use super::*;
use crate::eval::judging::Wrong;
use crate::eval::recording::Place;
use crate::eval::score::Score;

fn evaluated() -> Evaluated {
    let programs = vec![
        Judged {
            name: "send".to_owned(),
            leaks: vec![Found {
                marker: "send".to_owned(),
                due: Verdict::Likely,
                verdict: Some(Verdict::Likely),
                suspect_seconds: Some(12.2),
                likely_seconds: Some(31.0),
                within_seconds: 60.0,
                in_time: true,
                pattern: Some("channel_send".to_owned()),
                expected_pattern: "channel_send".to_owned(),
                advised: true,
            }],
            elsewhere: Vec::new(),
            watched_seconds: 51.0,
            trouble: None,
            misses: Vec::new(),
        },
        Judged {
            name: "bursts".to_owned(),
            leaks: Vec::new(),
            elsewhere: vec![Wrong {
                place: Place {
                    function: "main.bursts".to_owned(),
                    file: Some("/src/zoo/load.go".to_owned()),
                    line: Some(20),
                },
                verdict: Verdict::Likely,
                after_seconds: 44.0,
            }],
            watched_seconds: 300.0,
            trouble: None,
            misses: vec!["likely after 44 s at load.go:20, which does not leak".to_owned()],
        },
    ];
    Evaluated {
        release: "go1.27.4".to_owned(),
        score: Score::of(&programs),
        programs,
        jobs: 2,
        busy: Some(0.25),
        cores: Some(0.5),
    }
}

#[test]
fn columns_stand_below_each_other_and_misses_are_listed() {
    let text = whole(&evaluated(), Format::Text);
    let expected = "\
go1.27.4

program  expected  verdict  suspect, s  likely, s  line   pattern       elsewhere            missed
send     likely    likely   12          31         right  channel_send  –
bursts   healthy   likely   44          44         –      –             likely load.go:20    MISSED

likely: precision 50.0 % (1 right, 1 wrong), recall 100.0 % (1 of 1 in time), median 31 s, worst 31 s
suspect: precision 50.0 % (1 right, 1 wrong), recall 100.0 % (1 of 1 in time), median 12 s, worst 12 s
pattern recognised: 1 of 1 leaks; advice given: 1
2 programs at a time, which with their agents took 0.50 cores; the machine was 25.0 % busy
1 missed:
    bursts: likely after 44 s at load.go:20, which does not leak

";
    // However wide a column becomes.
    let squeeze = |text: &str| {
        text.lines()
            .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(squeeze(&text), squeeze(expected));
    let widths: Vec<_> = text
        .lines()
        .skip(2)
        .take(3)
        .map(|l| l.find("li").or(l.find("hea")))
        .collect();
    assert!(widths.iter().all(Option::is_some));
}

#[test]
fn markdown_has_a_ruler() {
    let text = whole(&evaluated(), Format::Markdown);
    assert!(text.starts_with("### go1.27.4\n\n| program | expected |"));
    assert!(text.contains("\n|---|---|---|---|---|---|---|---|---|\n| send | likely |"));
    assert!(text.contains("\n- likely: precision 50.0 %"));
}
