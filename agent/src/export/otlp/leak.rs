//! A leak's attributes. `docs/otlp.md` has them all.

use super::attributes::{Attributes, stacktrace};
use crate::report::{Leak, SiteName, WaitsOn};

/// Where the goroutines are created.
pub(super) fn site(attributes: &mut Attributes, site: &SiteName) {
    attributes
        .text("gostray.site.id", &site.id)
        .place(
            [
                "gostray.site.function.name",
                "gostray.site.file.path",
                "gostray.site.line.number",
            ],
            &site.created_at,
        )
        .text("gostray.site.start.function.name", &site.start.function);
}

/// All but the site.
pub(super) fn leak(attributes: &mut Attributes, leak: &Leak) {
    if let Some(place) = &leak.blocked_at {
        let keys = ["code.function.name", "code.file.path", "code.line.number"];
        attributes.place(keys, place);
    }
    let stack = |frames: &Option<Vec<_>>| frames.as_ref().map(|frames| stacktrace(frames));
    attributes
        .text_of("code.stacktrace", stack(&leak.stack))
        .text("gostray.leak.verdict", leak.verdict.as_str())
        .text("gostray.leak.rule", leak.rule)
        .number("gostray.leak.live", leak.live)
        .number_of("gostray.leak.older", leak.older)
        .number("gostray.leak.created", leak.created)
        .number("gostray.leak.exited", leak.exited)
        .text("gostray.leak.accuracy", leak.accuracy)
        .real_of("gostray.leak.coverage", Some(leak.coverage))
        .real_of(
            "gostray.leak.growth_per_minute",
            Some(leak.growth_per_minute),
        )
        .real_of("gostray.leak.oldest_seconds", leak.oldest_seconds)
        .text_of("gostray.leak.wait_reason", leak.wait_reason.as_ref())
        .text_of("gostray.leak.pattern", leak.pattern.as_ref())
        .texts("gostray.leak.evidence", &leak.evidence)
        .texts(
            "gostray.leak.waits_on",
            leak.waits_on.iter().filter_map(json),
        )
        .text_of("gostray.leak.advice", leak.advice.as_ref())
        .text_of("gostray.leak.example", leak.example.as_ref())
        .text_of("gostray.leak.created_by", stack(&leak.created_by))
        .number_of("gostray.leak.stack_bytes", leak.stack_bytes)
        .number_of("gostray.leak.retained_bytes", leak.retained_bytes)
        .number_of("gostray.leak.retained_objects", leak.retained_objects)
        .numbers("gostray.leak.goids", leak.goids.iter().copied())
        .text_of("gostray.leak.suppressed", leak.suppressed.as_ref());
    for (name, value) in leak.labels.iter().take(32) {
        attributes.text(&format!("gostray.leak.label.{name}"), value);
    }
    history(attributes, leak);
    impact(attributes, leak);
}

/// Different kinds have different fields, for which there are no attributes of attributes.
fn json(waits_on: &WaitsOn) -> Option<String> {
    serde_json::to_string(waits_on).ok()
}

fn history(attributes: &mut Attributes, leak: &Leak) {
    let Some(history) = &leak.history else {
        return;
    };
    attributes
        .text("gostray.leak.history.state", history.state)
        .text("gostray.leak.history.first_seen", &history.first_seen)
        .text_of("gostray.leak.history.last_seen", history.last_seen.as_ref())
        .number("gostray.leak.history.runs", history.runs)
        .number("gostray.leak.history.builds", history.builds)
        .real_of(
            "gostray.leak.history.growth_per_minute",
            history.earlier_growth_per_minute,
        );
}

fn impact(attributes: &mut Attributes, leak: &Leak) {
    let impact = &leak.impact;
    attributes
        .number_of("gostray.leak.impact.rank", impact.rank)
        .real_of(
            "gostray.leak.impact.goroutines_per_hour",
            impact.goroutines_per_hour,
        )
        .real_of("gostray.leak.impact.bytes_per_hour", impact.bytes_per_hour)
        .text_of("gostray.leak.impact.bytes_from", impact.bytes_from)
        .real_of(
            "gostray.leak.impact.bytes_per_goroutine",
            impact.bytes_per_goroutine,
        )
        .real_of(
            "gostray.leak.impact.rss_correlation",
            impact.rss_correlation,
        )
        .real_of(
            "gostray.leak.impact.heap_correlation",
            impact.heap_correlation,
        )
        .number_of("gostray.leak.impact.limit_bytes", impact.limit_bytes)
        .text_of("gostray.leak.impact.limit_kind", impact.limit_kind)
        .number_of("gostray.leak.impact.used_bytes", impact.used_bytes)
        .real_of(
            "gostray.leak.impact.seconds_to_limit",
            impact.seconds_to_limit,
        );
}
