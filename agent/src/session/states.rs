//! Goroutines by what they do.

use std::borrow::Cow;

use crate::{
    report::node::{GoroutineState as Told, StateCount},
    runtime::{GoroutineState, WaitReasons},
};

/// A tally of one pass: counting costs an addition.
#[derive(Clone, Debug)]
pub(super) struct States {
    runnable: u64,
    running: u64,
    syscall: u64,
    other: u64,
    /// By the number of the wait reason.
    waiting: [u64; 256],
}

impl Default for States {
    fn default() -> Self {
        Self {
            runnable: 0,
            running: 0,
            syscall: 0,
            other: 0,
            waiting: [0; 256],
        }
    }
}

impl States {
    /// Adds one. The reason counts only for those that wait: in others it is an old one.
    pub(super) fn count(&mut self, state: GoroutineState, reason: u8) {
        let count = match state {
            GoroutineState::Runnable => &mut self.runnable,
            GoroutineState::Running => &mut self.running,
            GoroutineState::Syscall => &mut self.syscall,
            state if state.is_parked() => &mut self.waiting[usize::from(reason)],
            _ => &mut self.other,
        };
        *count += 1;
    }

    /// There are so many in all: those that nobody has counted could not be read.
    pub(super) fn complete(&mut self, alive: u64) {
        self.other += alive.saturating_sub(self.all());
    }

    fn all(&self) -> u64 {
        let waiting: u64 = self.waiting.iter().sum();
        self.runnable + self.running + self.syscall + self.other + waiting
    }

    /// All that are not zero; those that wait by the runtime's words, else by the number.
    pub(super) fn told(&self, reasons: Option<&WaitReasons>) -> Vec<StateCount> {
        let others = [
            (Told::Runnable, self.runnable),
            (Told::Running, self.running),
            (Told::Syscall, self.syscall),
            (Told::Other, self.other),
        ];
        let others = others.map(|(state, count)| (state, None, count));
        let waiting = (0..=u8::MAX).zip(self.waiting).map(|(number, count)| {
            let words = match reasons.and_then(|reasons| reasons.name(number)) {
                Some(name) => Some(Cow::Owned(name.to_owned())),
                // The first is no reason: stopped by the runtime, and not for anything.
                None if number == 0 => None,
                None => Some(Cow::Owned(format!("wait reason {number}"))),
            };
            (Told::Waiting, words, count)
        });
        let all = others.into_iter().chain(waiting);
        all.filter(|(.., count)| *count > 0)
            .map(|(state, wait_reason, count)| StateCount {
                state,
                wait_reason,
                count,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_by_state_and_reason() {
        let mut states = States::default();
        for (state, reason) in [
            (GoroutineState::Running, 2),
            (GoroutineState::Waiting, 2),
            (GoroutineState::Waiting, 2),
            (GoroutineState::Leaked, 2),
            (GoroutineState::Waiting, 0),
            (GoroutineState::Waiting, 200),
            (GoroutineState::Runnable, 0),
            (GoroutineState::Syscall, 0),
            (GoroutineState::CopyStack, 0),
            (GoroutineState::Unknown(77), 0),
        ] {
            states.count(state, reason);
        }
        states.complete(11);
        let names = ["", "chan receive", "chan send"].map(str::to_owned);
        let told = states.told(Some(&names.into_iter().collect()));
        let told: Vec<String> = told
            .iter()
            .map(|it| {
                let reason = it.wait_reason.as_deref().unwrap_or("-");
                format!("{} {reason} {}", it.state.as_str(), it.count)
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        runnable - 1
        running - 1
        syscall - 1
        other - 3
        waiting - 1
        waiting chan send 3
        waiting wait reason 200 1
        ");
    }
}
