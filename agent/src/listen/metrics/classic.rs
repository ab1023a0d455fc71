//! Prometheus' text format 0.0.4, made of OpenMetrics.
//!
//! Samples are written alike in both; what is said about a family is not: the older format knows
//! counters by the names of their samples, has no units, no info and no end
//! (<https://github.com/prometheus/docs/blob/main/docs/instrumenting/exposition_formats.md>).

/// The same metrics.
pub(super) fn from_open_metrics(text: &str) -> String {
    let mut classic = String::with_capacity(text.len());
    // Our encoder writes what a family means before its type, which decides its name.
    let mut help = None;
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("# HELP ") {
            help = about.split_once(' ');
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|about| about.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                _ => ("", kind),
            };
            if let Some((_, help)) = help.take().filter(|(of, _)| *of == name) {
                // Here quotes stand for themselves.
                let help = help.replace("\\\"", "\"");
                classic.extend(["# HELP ", name, suffix, " ", &help, "\n"]);
            }
            classic.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            classic.extend([line, "\n"]);
        }
    }
    classic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stay_and_families_are_named_as_their_samples() {
        let text = "# HELP a Counts \\\"a\\\".\n# TYPE a counter\na_total{b=\"# c\\n\"} 1\n\
            # HELP d_seconds Time.\n# TYPE d_seconds gauge\n# UNIT d_seconds seconds\nd_seconds 2.5\n\
            # HELP e Who.\n# TYPE e info\ne_info{f=\"g\"} 1\n# EOF\n";
        assert_eq!(
            from_open_metrics(text),
            "# HELP a_total Counts \"a\".\n# TYPE a_total counter\na_total{b=\"# c\\n\"} 1\n\
             # HELP d_seconds Time.\n# TYPE d_seconds gauge\nd_seconds 2.5\n\
             # HELP e_info Who.\n# TYPE e_info gauge\ne_info{f=\"g\"} 1\n"
        );
    }
}
