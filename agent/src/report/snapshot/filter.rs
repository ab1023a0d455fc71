//! Which goroutines of a snapshot are wanted.

use std::time::Duration;

/// Those that meet all that is set.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In this state, as [`Group::state`](super::Group::state) has it.
    pub state: Option<String>,
    /// Waiting for something whose name contains this.
    pub wait: Option<String>,
    /// Known to wait for at least so long.
    pub min_age: Option<Duration>,
}

impl Filter {
    /// The same as two filters: one that asks for no age, and one that asks for nothing else.
    #[must_use]
    pub(super) fn split_age(mut self) -> (Self, Self) {
        let age = Self {
            min_age: self.min_age.take(),
            ..Self::default()
        };
        (self, age)
    }

    /// Whether a goroutine in this state is wanted; `waited_seconds` as far as it is known.
    #[must_use]
    pub fn wants(
        &self,
        state: &str,
        wait_reason: Option<&str>,
        waited_seconds: Option<f64>,
    ) -> bool {
        let in_state = self.state.as_ref().is_none_or(|wanted| wanted == state);
        let waits = self
            .wait
            .as_ref()
            .is_none_or(|wanted| wait_reason.is_some_and(|reason| reason.contains(wanted)));
        let old = self
            .min_age
            .is_none_or(|age| waited_seconds.is_some_and(|waited| waited >= age.as_secs_f64()));
        in_state && waits && old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_set_has_to_be_met() {
        let sends = |filter: &Filter| filter.wants("waiting", Some("chan send"), Some(130.0));
        let runs = |filter: &Filter| filter.wants("running", None, None);
        let mut filter = Filter::default();
        assert!(sends(&filter) && runs(&filter));
        filter.wait = Some("chan".into());
        assert!(sends(&filter) && !runs(&filter));
        filter.min_age = Some(Duration::from_secs(130));
        assert!(sends(&filter));
        filter.min_age = Some(Duration::from_secs(131));
        assert!(!sends(&filter));
        let running = Filter {
            state: Some("running".into()),
            ..Filter::default()
        };
        assert!(!sends(&running) && runs(&running));
    }
}
