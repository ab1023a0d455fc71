//! What a leak does and what the process uses, in a line each.

use std::fmt::Write as _;

use crate::report::{
    Impact, OpenLeak, ProcessUse,
    words::{line, size},
};

/// RSS is said to follow from here on.
const FOLLOWS: f64 = 0.8;
/// Less than a goroutine in a day is no growth.
const LEAST: f64 = 1.0 / 24.0;
/// A time to a limit beyond ten years is none that matters.
const FOREVER: f64 = 10.0 * 365.0 * 86_400.0;
/// Open leaks that a status names.
const NAMED: usize = 3;

/// `3,600 goroutines and 7.2 MiB of stacks an hour; …`; `None` where no rate is known.
pub(super) fn impact(impact: &Impact) -> Option<String> {
    let mut text = match impact.goroutines_per_hour? {
        goroutines if goroutines.abs() < LEAST => "no growth at present".to_owned(),
        goroutines => {
            let stacks = impact.stack_bytes_per_hour.filter(|bytes| *bytes >= 1.0);
            let stacks = stacks.map(|bytes| format!(" and {} of stacks", whole(bytes)));
            format!(
                "{} goroutines{} an hour",
                rate(goroutines),
                stacks.unwrap_or_default()
            )
        }
    };
    match impact.rss_correlation {
        Some(r) if r > FOLLOWS => {
            let _ = write!(text, "; RSS follows (r = {r:.2})");
            if let Some(bytes) = impact.bytes_per_goroutine {
                let _ = write!(text, ", {} each", whole(bytes));
            }
        }
        Some(r) => {
            let _ = write!(text, "; RSS does not follow (r = {r:.2})");
        }
        None => {}
    }
    if let (Some(seconds), Some(bytes)) = (impact.seconds_to_limit, impact.limit_bytes)
        && seconds < FOREVER
    {
        let whose = match impact.limit_kind {
            Some("host") => "the machine's",
            _ => "the cgroup's",
        };
        let basis = match impact.bytes_from {
            Some("stacks") => "by stacks alone ",
            _ => "",
        };
        let _ = write!(
            text,
            "; {basis}{whose} {} are full in {}",
            size(bytes),
            span(seconds)
        );
    }
    if let (Some(rank), 2..) = (impact.rank, impact.of_leaks) {
        let _ = write!(text, "; rank {rank} of {} leaks", impact.of_leaks);
    }
    Some(text)
}

/// `RSS 120 MiB, Go heap 80 MiB, …`; `None` where nothing is known.
pub(super) fn process(process: &ProcessUse) -> Option<String> {
    let mut parts = Vec::new();
    let mut part = |what: Option<String>| parts.extend(what);
    part(
        process
            .rss_bytes
            .map(|bytes| format!("RSS {}", size(bytes))),
    );
    part(
        process
            .heap_bytes
            .map(|bytes| format!("Go heap {}", size(bytes))),
    );
    part(process.cpu_ratio.map(|cores| format!("{cores:.2} cores")));
    part(
        process
            .created_per_second
            .map(|created| format!("{} goroutines created a second", rate(created))),
    );
    let limit = process.memory_limit_bytes.zip(process.memory_used_bytes);
    part(limit.map(|(limit, used)| {
        let whose = match process.memory_limit_kind {
            Some("host") => "the machine",
            _ => "its cgroup",
        };
        format!("{whose} uses {} of {}", size(used), size(limit))
    }));
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The first of the open leaks; `None` where there are none.
pub(super) fn open_leaks(leaks: &[OpenLeak]) -> Option<String> {
    let named = leaks.iter().take(NAMED).map(|leak| {
        let at = line(&leak.site.created_at);
        match leak.impact.goroutines_per_hour {
            Some(goroutines) => format!("{at} ({} an hour)", rate(goroutines)),
            None => at,
        }
    });
    let mut text = named.collect::<Vec<_>>().join(", ");
    if leaks.len() > NAMED {
        let _ = write!(text, " and {} more", leaks.len() - NAMED);
    }
    (!leaks.is_empty()).then_some(text)
}

/// Whole numbers with commas; below ten with a digit behind the point.
fn rate(rate: f64) -> String {
    if rate.abs() < 9.95 && (rate - rate.round()).abs() >= 0.05 {
        return format!("{rate:.1}");
    }
    let digits = format!("{:.0}", rate.abs());
    let mut text = if rate <= -0.5 {
        "-".to_owned()
    } else {
        String::new()
    };
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size that was computed. What is larger than can be is the largest there is.
fn whole(bytes: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates"
    )]
    let whole = bytes.round() as u64;
    size(whole)
}

/// `2 h 10 min`: what is far off need not be exact.
fn span(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 60.0 * MINUTE;
    const DAY: f64 = 24.0 * HOUR;
    let parts = |large: f64, large_name: &str, small: f64, small_name: &str| {
        let smalls = (seconds / small).round();
        let each = large / small;
        let (large, rest) = ((smalls / each).floor(), smalls % each);
        match rest {
            0.0 => format!("{large:.0} {large_name}"),
            _ => format!("{large:.0} {large_name} {rest:.0} {small_name}"),
        }
    };
    match seconds {
        s if s < 2.0 * MINUTE => format!("{s:.0} s"),
        s if s < HOUR - MINUTE / 2.0 => format!("{:.0} min", s / MINUTE),
        s if s < 2.0 * DAY => parts(HOUR, "h", MINUTE, "min"),
        s if s < 14.0 * DAY => parts(DAY, "days", HOUR, "h"),
        s => format!("{:.0} days", s / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        detect::Verdict,
        report::samples::{leak, site_counts},
    };

    fn full() -> Impact {
        Impact {
            rank: Some(1),
            of_leaks: 1,
            goroutines_per_hour: Some(3600.0),
            stack_bytes_per_hour: Some(3600.0 * 2048.0),
            bytes_per_goroutine: Some(67_000.0),
            rss_correlation: Some(0.971),
            heap_correlation: Some(0.99),
            points: 40,
            bytes_per_hour: Some(240e6),
            bytes_from: Some("rss"),
            limit_bytes: Some(512 << 20),
            limit_kind: Some("cgroup_v2"),
            limit_path: Some("/pods/app".into()),
            used_bytes: Some(100 << 20),
            seconds_to_limit: Some(7810.0),
            unknown: crate::report::Unknown::new(),
        }
    }

    fn said(impact: &Impact) -> String {
        super::impact(impact).unwrap_or_default()
    }

    #[test]
    fn the_impact_of_a_leak() {
        insta::assert_snapshot!(said(&full()), @"3,600 goroutines and 7.0 MiB of stacks an hour; RSS follows (r = 0.97), 65 KiB each; the cgroup's 512.0 MiB are full in 2 h 10 min");
        let several = Impact {
            rank: Some(2),
            of_leaks: 3,
            bytes_per_goroutine: None,
            bytes_from: Some("stacks"),
            limit_kind: Some("host"),
            ..full()
        };
        insta::assert_snapshot!(said(&several), @"3,600 goroutines and 7.0 MiB of stacks an hour; RSS follows (r = 0.97); by stacks alone the machine's 512.0 MiB are full in 2 h 10 min; rank 2 of 3 leaks");
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let slow = Impact {
            goroutines_per_hour: Some(4.2),
            stack_bytes_per_hour: None,
            rss_correlation: Some(-0.2),
            seconds_to_limit: Some(1e12),
            ..full()
        };
        insta::assert_snapshot!(said(&slow), @"4.2 goroutines an hour; RSS does not follow (r = -0.20)");
        assert_eq!(said(&Impact::default()), "");
        let calm = Impact {
            goroutines_per_hour: Some(0.0),
            rss_correlation: None,
            seconds_to_limit: None,
            ..full()
        };
        assert_eq!(said(&calm), "no growth at present");
    }

    #[test]
    fn what_a_process_uses() {
        let use_of = ProcessUse {
            rss_bytes: Some(120 << 20),
            heap_bytes: Some(80 << 20),
            cpu_ratio: Some(0.534),
            created_per_second: Some(20.0),
            memory_limit_bytes: Some(512 << 20),
            memory_used_bytes: Some(130 << 20),
            memory_limit_kind: Some("cgroup_v1"),
            ..ProcessUse::default()
        };
        insta::assert_snapshot!(process(&use_of).unwrap_or_default(), @"RSS 120.0 MiB, Go heap 80.0 MiB, 0.53 cores, 20 goroutines created a second, its cgroup uses 130.0 MiB of 512.0 MiB");
        assert_eq!(process(&ProcessUse::default()), None);
    }

    #[test]
    fn the_heaviest_leaks_are_named() {
        let open = |line: u32, rate: Option<f64>| {
            let mut created_at = leak().site.created_at;
            created_at.line = Some(line);
            OpenLeak {
                id: format!("{line:#x}"),
                site: site_counts(created_at, true).site,
                verdict: Verdict::Likely,
                impact: Impact {
                    goroutines_per_hour: rate,
                    ..Impact::default()
                },
            }
        };
        let leaks = [
            open(31, Some(1_234_567.0)),
            open(40, None),
            open(5, Some(60.0)),
            open(6, None),
        ];
        insta::assert_snapshot!(open_leaks(&leaks).unwrap_or_default(), @"/src/app/search.go:31 (1,234,567 an hour), /src/app/search.go:40, /src/app/search.go:5 (60 an hour) and 1 more");
        assert_eq!(open_leaks(&[]), None);
    }

    #[test]
    fn rates_and_spans() {
        let rates = [0.0, 0.25, 7.0, 9.97, 999.6, 1_000_000.0, -12_345.0, -0.01].map(rate);
        assert_eq!(
            rates,
            ["0", "0.2", "7", "10", "1,000", "1,000,000", "-12,345", "0"]
        );
        let spans = [0.0, 90.0, 600.0, 3599.0, 7200.0, 7810.0, 180_000.0, 5e6].map(span);
        assert_eq!(
            spans,
            [
                "0 s",
                "90 s",
                "10 min",
                "1 h",
                "2 h",
                "2 h 10 min",
                "2 days 2 h",
                "58 days"
            ]
        );
    }

    #[test]
    fn names_that_programs_rely_on() {
        let mut unknown = full();
        unknown
            .unknown
            .insert("seconds_to_limit", "it does not grow".into());
        let open = OpenLeak {
            id: "0x1".into(),
            site: leak().site,
            verdict: Verdict::Suspect,
            impact: unknown,
        };
        let value = serde_json::to_value(&open).expect("JSON");
        for name in [
            "id",
            "verdict",
            "rank",
            "of_leaks",
            "goroutines_per_hour",
            "stack_bytes_per_hour",
            "bytes_per_goroutine",
            "rss_correlation",
            "heap_correlation",
            "points",
            "bytes_per_hour",
            "bytes_from",
            "limit_bytes",
            "limit_kind",
            "limit_path",
            "used_bytes",
            "seconds_to_limit",
            "unknown",
        ] {
            assert!(value.get(name).is_some(), "no {name} in {value}");
        }
        assert_eq!(value["verdict"], "suspect");
        assert!(value.get("site").is_none(), "the counts have it");
        let value = serde_json::to_value(ProcessUse::default()).expect("JSON");
        for name in [
            "rss_bytes",
            "rss_anon_bytes",
            "heap_bytes",
            "cpu_ratio",
            "created_per_second",
            "memory_limit_bytes",
            "memory_used_bytes",
            "memory_limit_kind",
            "memory_limit_path",
            "memory_high_bytes",
            "go_memory_limit_bytes",
        ] {
            assert!(value.get(name).is_some(), "no {name} in {value}");
        }
    }
}
