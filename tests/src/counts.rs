//! What the programs count themselves, compared with what the agent says.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// One `go` statement, as the program itself knows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Site {
    /// What kind of statement it is.
    pub name: String,
    /// The file as the toolchain recorded it.
    pub file: String,
    /// The line.
    pub line: u32,
    /// The function with the `go` statement, as a traceback prints it.
    pub creator: String,
    /// The function that was started, as a traceback prints it.
    pub start: String,
    /// Goroutines created.
    pub created: u64,
    /// Goroutines that have ended.
    pub exited: u64,
    /// The difference.
    pub live: u64,
}

/// Created, exited, live.
pub type Counts = (u64, u64, u64);

/// Parses the answer to `counts`.
///
/// # Errors
/// It is not what `counters` prints.
pub fn parse(answer: &str) -> Result<Vec<Site>> {
    serde_json::from_str(answer).context("the answer to `counts`")
}

/// Keyed by `file:line`, as the agent keys them.
#[must_use]
pub fn own(sites: &[Site]) -> BTreeMap<String, Counts> {
    sites
        .iter()
        .map(|s| {
            (
                format!("{}:{}", s.file, s.line),
                (s.created, s.exited, s.live),
            )
        })
        .collect()
}

/// The same out of a `status` event. Several pcs may stand for one line (a generic function is
/// compiled once for each shape, an inlined one at each call): they are added up.
#[must_use]
pub fn seen(status: &Value) -> BTreeMap<String, Counts> {
    let mut all = BTreeMap::<String, Counts>::new();
    for entry in status["sites"].as_array().into_iter().flatten() {
        let place = &entry["site"]["created_at"];
        let key = format!(
            "{}:{}",
            place["file"].as_str().unwrap_or("?"),
            place["line"]
        );
        let sum = all.entry(key).or_default();
        sum.0 += entry["created"].as_u64().unwrap_or(0);
        sum.1 += entry["exited"].as_u64().unwrap_or(0);
        sum.2 += entry["live"].as_u64().unwrap_or(0);
    }
    all
}

/// What differs, one line a site; empty when all that the program counted was seen exactly.
#[must_use]
pub fn differences(sites: &[Site], status: &Value) -> Vec<String> {
    let seen = seen(status);
    own(sites)
        .into_iter()
        .filter(|(key, counts)| seen.get(key) != Some(counts))
        .map(|(key, counts)| match seen.get(&key) {
            Some(other) => {
                format!("{key}: created, exited, live are {counts:?}, the agent says {other:?}")
            }
            None => format!("{key}: {counts:?}, the agent does not know the site"),
        })
        .collect()
}

/// The name of the started function the agent gives for a line.
#[must_use]
pub fn start_at<'a>(status: &'a Value, file: &str, line: u32) -> Option<&'a str> {
    let entry = status["sites"].as_array()?.iter().find(|e| {
        e["site"]["created_at"]["file"] == file && e["site"]["created_at"]["line"] == line
    })?;
    entry["site"]["start"]["function"].as_str()
}

/// A traceback writes `main.F[...]` for whatever the type arguments are; compare modulo them.
#[must_use]
pub fn same_function(traceback: &str, agent: &str) -> bool {
    let without = |s: &str| match (s.find('['), s.rfind(']')) {
        (Some(a), Some(b)) if a < b => format!("{}[]{}", &s[..a], &s[b + 1..]),
        _ => s.to_owned(),
    };
    without(traceback) == without(agent)
}

#[cfg(test)]
mod tests {
    use super::{differences, same_function};
    use serde_json::json;

    #[test]
    fn type_arguments_do_not_matter() {
        assert!(same_function(
            "main.(*box[...]).run",
            "main.(*box[go.shape.int]).run"
        ));
        assert!(!same_function("main.a[...]", "main.b[...]"));
    }

    #[test]
    fn every_difference_is_named() {
        let own = super::parse(
            r#"[{"name":"a","file":"/x.go","line":3,"creator":"c","start":"s","created":2,"exited":1,"live":1}]"#,
        )
        .unwrap();
        let place = json!({"site": {"created_at": {"file": "/x.go", "line": 3}}, "created": 1, "exited": 1, "live": 0});
        let twice = json!({"sites": [place, {"site": place["site"], "created": 1, "exited": 0, "live": 1}]});
        assert_eq!(differences(&own, &twice), Vec::<String>::new());
        assert_eq!(differences(&own, &json!({"sites": [place]})).len(), 1);
        assert_eq!(differences(&own, &json!({"sites": []})).len(), 1);
    }
}
