//! What is told of the questions.

use std::collections::BTreeMap;

/// How the questions went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Answers up to now. When it grows, names and labels of pods may have changed.
    pub answers: u64,
    /// Questions that failed, by their kind.
    pub errors: BTreeMap<&'static str, u64>,
    /// The last error in words, without secrets; `None` after an answer.
    pub last_error: Option<String>,
}
