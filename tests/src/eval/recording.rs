//! What an agent said of one program, and how that ended.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

/// How sure the agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Worth a look.
    Suspect,
    /// A leak, by all that was seen.
    Likely,
    /// Nothing can wake them.
    Proven,
}

impl Verdict {
    /// From the agent's word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Suspect, Self::Likely, Self::Proven]
            .into_iter()
            .find(|verdict| verdict.word() == word)
    }

    /// The agent's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Suspect => "suspect",
            Self::Likely => "likely",
            Self::Proven => "proven",
        }
    }
}

/// A creation site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The function with the `go` statement.
    pub function: String,
    /// Its file; `None` where the agent does not know it.
    pub file: Option<String>,
    /// Its line; `None` where the agent does not know it.
    pub line: Option<u64>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Some(file), Some(line)) = (&self.file, self.line) else {
            return f.write_str(&self.function);
        };
        let name = file.rsplit('/').next().unwrap_or(file);
        write!(f, "{name}:{line}")
    }
}

/// A verdict of one site.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// Seconds since the agent was started.
    pub after: f64,
    /// How sure.
    pub verdict: Verdict,
    /// Where.
    pub place: Place,
    /// The pattern recognised.
    pub pattern: Option<String>,
    /// Whether it was said what to change.
    pub advised: bool,
}

impl Sighting {
    /// From an event of the agent; `None` if that is none about a leak.
    ///
    /// # Errors
    /// It is one, and lacks what has to be in it.
    pub fn of(after: f64, event: &Value) -> Result<Option<Self>> {
        if event["event"] != "leak" {
            return Ok(None);
        }
        let word = event["verdict"]
            .as_str()
            .context("a leak without verdict")?;
        let site = &event["site"]["created_at"];
        Ok(Some(Self {
            after,
            verdict: Verdict::from_word(word)
                .with_context(|| format!("a leak with the verdict {word:?}"))?,
            place: Place {
                function: site["function"]
                    .as_str()
                    .context("a leak without a site")?
                    .to_owned(),
                file: site["file"].as_str().map(str::to_owned),
                line: site["line"].as_u64(),
            },
            pattern: event["pattern"].as_str().map(str::to_owned),
            advised: event["advice"].is_string(),
        }))
    }
}

/// How watching ended. All but the first are failures, whatever was said before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was watched for as long as it was meant to be, and the agent ended as it was told to.
    Complete,
    /// Nothing ran at all, and why.
    NotStarted(String),
    /// The agent ended by itself, or badly; what it said last.
    AgentEnded(String),
    /// The agent says nothing any more, or what nobody understands.
    AgentUnclear(String),
    /// The program was gone before time was over.
    ProgramDied(String),
}

impl Ending {
    /// What went wrong, in words.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        Some(match self {
            Self::Complete => return None,
            Self::NotStarted(why) => format!("could not be run: {why}"),
            Self::AgentEnded(how) => format!("the agent ended by itself: {how}"),
            Self::AgentUnclear(how) => format!("the agent is not to be understood: {how}"),
            Self::ProgramDied(how) => format!("the program died: {how}"),
        })
    }
}

/// What was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Seconds for which the program had been ready when the agent was started.
    pub ready_before: f64,
    /// All verdicts, in order.
    pub sightings: Vec<Sighting>,
    /// Seconds for which the agent watched.
    pub watched: f64,
    /// How it ended.
    pub ending: Ending,
}

impl Recording {
    /// One in which nothing was seen.
    #[must_use]
    pub fn without(ending: Ending) -> Self {
        Self {
            ready_before: 0.0,
            sightings: Vec::new(),
            watched: 0.0,
            ending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_becomes_a_sighting() {
        let event = json!({
            "event": "leak", "verdict": "likely", "pattern": "mutex", "advice": null,
            "site": {"created_at": {"function": "main.f", "file": "/src/zoo/a.go", "line": 7}},
        });
        let sighting = Sighting::of(12.5, &event).unwrap().unwrap();
        assert_eq!(sighting.verdict, Verdict::Likely);
        assert_eq!(sighting.place.to_string(), "a.go:7");
        assert_eq!(sighting.pattern.as_deref(), Some("mutex"));
        assert!(!sighting.advised);
    }

    #[test]
    fn a_leak_that_is_not_understood_is_an_error_and_other_events_are_none() {
        assert!(
            Sighting::of(1.0, &json!({"event": "status"}))
                .unwrap()
                .is_none()
        );
        for wrong in [
            json!({"event": "leak"}),
            json!({"event": "leak", "verdict": "perhaps", "site": {"created_at": {"function": "f"}}}),
            json!({"event": "leak", "verdict": "likely", "site": null}),
        ] {
            assert!(Sighting::of(1.0, &wrong).is_err(), "{wrong}");
        }
    }
}
