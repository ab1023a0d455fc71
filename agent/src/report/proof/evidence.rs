//! What a proof says of a leak, as sentences.

use super::{Ground, LeakedGroup};
use crate::report::{Waited, words};

/// `1 pass`, `2 passes`.
pub(super) fn passes_in_words(passes: u32) -> String {
    match passes {
        1 => "1 pass".into(),
        _ => format!("{passes} passes"),
    }
}

impl LeakedGroup {
    /// Why these goroutines can never wake again, and what they cost; for people. `passes` is how
    /// many agreed.
    #[must_use]
    pub fn evidence(&self, passes: u32) -> Vec<String> {
        let passes = passes_in_words(passes);
        let alone = self.count == 1;
        let proof = match self.proof {
            Ground::Unreachable => format!(
                "{passes} over the heap found no way from anything that lives to {}",
                self.thing()
            ),
            Ground::NilChannel if alone => {
                "it waits on a nil channel, or in a select without cases: that never ends".into()
            }
            Ground::NilChannel => {
                "they wait on nil channels, or in selects without cases: that never ends".into()
            }
            Ground::Runtime => {
                "the program's own runtime has found that nothing can wake them (_Gleaked)".into()
            }
        };
        let mut evidence = vec![proof];
        if let Some(bytes @ 1..) = self.retained_bytes {
            let objects = match self.retained_objects {
                Some(objects) => format!(" in {}", words::number(objects, "object")),
                None => String::new(),
            };
            let who = if alone { "it leads" } else { "they lead" };
            evidence.push(format!(
                "only {who} to {} of heap memory{objects}",
                words::size(bytes)
            ));
        }
        evidence
    }

    /// What they wait on, in a few words.
    pub(super) fn thing(&self) -> String {
        let kind = |what: &Waited| match what {
            Waited::Channel { .. } => Some("channel"),
            Waited::Mutex { .. } | Waited::RwMutex { .. } => Some("mutex"),
            Waited::WaitGroup { .. } => Some("wait group"),
            Waited::Cond { .. } => Some("condition"),
            Waited::Semaphore { .. } => Some("semaphore"),
            Waited::NilChannel | Waited::Timer { .. } | Waited::Network { .. } => None,
        };
        let wait = if self.count == 1 {
            "it waits"
        } else {
            "they wait"
        };
        let mut kinds = self.waits_on.iter().map(|thing| kind(&thing.what));
        match (&self.waits_on[..], kinds.next().flatten()) {
            ([_], Some(kind)) => format!("the {kind} {wait} on"),
            (_, Some(first)) if kinds.all(|kind| kind == Some(first)) => {
                let plural = if first == "mutex" { "es" } else { "s" };
                format!("the {first}{plural} {wait} on")
            }
            _ => format!("what {wait} on"),
        }
    }
}
