//! `runtime.gcController`: what the collector is set to, and at which size of the heap it means to be done.

use super::Collector;
use crate::{
    binary::{
        RuntimeAddress,
        bytes::{i32_at, u64_at},
    },
    memory::{Extent, MemoryError},
    runtime::layout::{LayoutError, Layouts},
};

const CONTROLLER: &str = "runtime.gcControllerState";
/// No heap is larger: addresses of user programs have 47 bits on amd64 and 48 on arm64.
const MAX_HEAP: u64 = 1 << 48;
/// The goal stays so far above where a collection was begun (`minRunway` in
/// `src/runtime/mgcpacer.go`).
const MIN_RUNWAY: u64 = 64 << 10;
/// What the goal leaves below the memory limit at least (`memoryLimitMinHeapGoalHeadroom`;
/// `memoryLimitHeapGoalHeadroom` before Go 1.21), and in per cent from Go 1.21 on.
const HEADROOM: u64 = 1 << 20;
const HEADROOM_PERCENT: u64 = 3;

/// Where the collector's books are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Books {
    address: RuntimeAddress,
    /// `gcPercent`, four bytes. All others have eight.
    percent: u32,
    goal: Goal,
    begin: u32,
    end: u32,
}

/// How the goal is found.
#[derive(Clone, Copy, Debug)]
enum Goal {
    /// Go 1.18 keeps it: `heapGoal`.
    Kept(u32),
    /// It is computed anew each time.
    Computed(Fields),
}

/// Offsets of what the goal is computed from.
#[derive(Clone, Copy, Debug)]
struct Fields {
    memory_limit: u32,
    heap_marked: u32,
    percent_goal: u32,
    sweep_trigger: u32,
    triggered: u32,
    heap_free: u32,
    allocated: u32,
    freed: u32,
    mapped: u32,
    /// Whether what is left below the limit is in per cent too.
    has_percent: bool,
}

/// Values of the fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values {
    pub(super) memory_limit: u64,
    pub(super) heap_marked: u64,
    pub(super) percent_goal: u64,
    pub(super) sweep_trigger: u64,
    pub(super) triggered: u64,
    pub(super) heap_free: u64,
    pub(super) allocated: u64,
    pub(super) freed: u64,
    pub(super) mapped: u64,
    pub(super) has_percent: bool,
}

impl Books {
    /// `runtime.gcController` of Go 1.`minor` at this address.
    pub(super) fn at(
        address: RuntimeAddress,
        layouts: &Layouts,
        minor: u16,
    ) -> Result<Self, LayoutError> {
        let word = |field| layouts.offset_of_size(CONTROLLER, field, 8);
        let percent = layouts.offset_of_size(CONTROLLER, "gcPercent", 4)?;
        let (goal, words) = if minor < 19 {
            let kept = word("heapGoal")?;
            (Goal::Kept(kept), vec![kept])
        } else {
            let fields = Fields {
                memory_limit: word("memoryLimit")?,
                heap_marked: word("heapMarked")?,
                percent_goal: word("gcPercentHeapGoal")?,
                sweep_trigger: word("sweepDistMinTrigger")?,
                triggered: word("triggered")?,
                heap_free: word("heapFree")?,
                allocated: word("totalAlloc")?,
                freed: word("totalFree")?,
                mapped: word("mappedReady")?,
                has_percent: minor >= 21,
            };
            (Goal::Computed(fields), fields.offsets().to_vec())
        };
        let words_end = words.iter().map(|offset| offset + 8).max();
        Ok(Self {
            address,
            percent,
            goal,
            begin: words.into_iter().min().unwrap_or(percent).min(percent),
            end: words_end.unwrap_or(0).max(percent + 4),
        })
    }

    /// All that is read.
    pub(super) fn extent(&self) -> Result<Extent, MemoryError> {
        Ok(Extent {
            address: self.address.plus(self.begin.into())?,
            length: (self.end - self.begin) as usize,
        })
    }

    /// What the books say. `None` where their numbers do not fit each other, because they were being changed.
    pub(super) fn understand(&self, bytes: &[u8]) -> Option<Collector> {
        let at = |offset: u32| u64_at(bytes, u64::from(offset - self.begin));
        let percent = i32_at(bytes, u64::from(self.percent - self.begin))?;
        let (goal, limit) = match self.goal {
            Goal::Kept(goal) => (at(goal)?, None),
            Goal::Computed(fields) => {
                let values = fields.values(at)?;
                (values.goal()?, Some(values.memory_limit))
            }
        };
        Some(Collector {
            // No limit is the largest number there is, and so is the goal of a collector that is off.
            memory_limit_bytes: limit.filter(|limit| *limit < MAX_HEAP),
            goal_bytes: Some(goal).filter(|goal| *goal < MAX_HEAP),
            percent: u64::try_from(percent).ok(),
        })
    }
}

impl Fields {
    fn offsets(self) -> [u32; 9] {
        [
            self.memory_limit,
            self.heap_marked,
            self.percent_goal,
            self.sweep_trigger,
            self.triggered,
            self.heap_free,
            self.allocated,
            self.freed,
            self.mapped,
        ]
    }

    fn values(self, at: impl Fn(u32) -> Option<u64>) -> Option<Values> {
        Some(Values {
            memory_limit: at(self.memory_limit)?,
            heap_marked: at(self.heap_marked)?,
            percent_goal: at(self.percent_goal)?,
            sweep_trigger: at(self.sweep_trigger)?,
            triggered: at(self.triggered)?,
            heap_free: at(self.heap_free)?,
            allocated: at(self.allocated)?,
            freed: at(self.freed)?,
            mapped: at(self.mapped)?,
            has_percent: self.has_percent,
        })
    }
}

impl Values {
    /// `gcControllerState.heapGoalInternal` (`src/runtime/mgcpacer.go`, Go 1.19 to 1.27).
    pub(super) fn goal(&self) -> Option<u64> {
        let limited = self.limited_goal()?;
        if limited < self.percent_goal {
            return Some(limited);
        }
        let mut goal = self.percent_goal.max(self.sweep_trigger);
        if self.triggered != u64::MAX {
            goal = goal.max(self.triggered.saturating_add(MIN_RUNWAY));
        }
        Some(goal)
    }

    /// `memoryLimitHeapGoal`: what is left below the limit for the heap. The runtime tries again while
    /// its numbers do not fit each other.
    fn limited_goal(&self) -> Option<u64> {
        let in_use = self.allocated.checked_sub(self.freed)?;
        let heap = self.heap_free.checked_add(in_use)?;
        let others = self.mapped.checked_sub(heap)?;
        let beyond = self.mapped.saturating_sub(self.memory_limit);
        let Some(goal) = self
            .memory_limit
            .checked_sub(others.saturating_add(beyond))
            .filter(|goal| *goal > 0)
        else {
            return Some(self.heap_marked);
        };
        let headroom = match self.has_percent {
            true => HEADROOM.max(goal / 100 * HEADROOM_PERCENT),
            false => HEADROOM,
        };
        let goal = match goal.checked_sub(headroom) {
            Some(goal) if goal >= headroom => goal,
            _ => headroom,
        };
        Some(goal.max(self.heap_marked))
    }
}
