//! Programs being started, from the kernel where it tells.

use std::fs;

use gostray_common::{ExecCount, ExecEvent};

use crate::probes::ExecEvents;

/// The machine's first pid namespace, in which the kernel's events count: `PROC_PID_INIT_INO`
/// (<https://github.com/torvalds/linux/blob/v6.12/include/linux/proc_ns.h#L40-L48>).
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// More than the kernel's buffer holds.
const AT_ONCE: usize = 8192;

/// Where news of programs come from.
#[derive(Debug)]
pub(super) struct Events {
    source: Result<ExecEvents, String>,
    seen: u64,
    dropped: u64,
}

impl Events {
    /// Begins to listen, if the kernel and our privileges allow it.
    pub(super) fn start() -> Self {
        let source = if is_first_namespace() {
            ExecEvents::start().map_err(|error| error.to_string())
        } else {
            Err(
                "gostray runs in a pid namespace of its own, in which the kernel's pids mean nothing; \
                 give its container the host's (hostPID: true, --pid=host)"
                    .to_owned(),
            )
        };
        Self {
            source,
            seen: 0,
            dropped: 0,
        }
    }

    /// None, ever.
    #[cfg(test)]
    pub(super) fn none(why: &str) -> Self {
        Self {
            source: Err(why.to_owned()),
            seen: 0,
            dropped: 0,
        }
    }

    /// Why nothing comes; `None` if something does.
    pub(super) fn why_none(&self) -> Option<&str> {
        self.source.as_ref().err().map(String::as_str)
    }

    /// The last event of each process since the last call.
    pub(super) fn take(&mut self) -> Vec<ExecEvent> {
        let Ok(source) = &mut self.source else {
            return Vec::new();
        };
        let taken = last_of_each(source.take(AT_ONCE));
        // They only grow, and the kernel always tells them.
        self.seen = source.count(ExecCount::Seen).unwrap_or(self.seen);
        self.dropped = source.count(ExecCount::BufferFull).unwrap_or(self.dropped);
        taken
    }

    /// Programs started up to the last call of [`Self::take`].
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// How many of these were lost.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

fn is_first_namespace() -> bool {
    fs::read_link("/proc/self/ns/pid")
        .is_ok_and(|namespace| namespace.as_os_str() == FIRST_PID_NAMESPACE)
}

/// A script, its interpreter and what that becomes: only the last counts. In the order in which they came.
fn last_of_each(mut events: Vec<ExecEvent>) -> Vec<ExecEvent> {
    events.sort_by_key(|event| (event.pid, std::cmp::Reverse(event.at_ns)));
    events.dedup_by_key(|event| event.pid);
    events.sort_by_key(|event| event.at_ns);
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_of_each_process() {
        let event = |pid, at_ns| ExecEvent { pid, at_ns };
        let events = vec![
            event(9, 1),
            event(3, 2),
            event(9, 5),
            event(3, 3),
            event(4, 4),
        ];
        assert_eq!(
            last_of_each(events),
            [event(3, 3), event(4, 4), event(9, 5)]
        );
        assert_eq!(last_of_each(Vec::new()), []);
    }
}
