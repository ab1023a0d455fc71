//! What the process uses, and its limits.

use std::time::Instant;

use super::{Impacts, LIMIT_PAUSE, NO_CGROUP_LIMIT, NO_HEAP, Rates, SHORTEST, Totals};
use crate::{
    memory::MemoryReader,
    report::{ProcessUse, Unknown},
    runtime::HeapUse,
    session::load::Created,
    target::MemoryLimit,
};

impl Impacts {
    /// What the process uses now.
    pub(in crate::session) fn process(
        &mut self,
        memory: &impl MemoryReader,
        created: Option<Created>,
    ) -> ProcessUse {
        self.measure(created);
        let mut unknown = Unknown::new();
        let mut process = ProcessUse::default();
        let resident = match &self.usage {
            Ok(usage) => usage.memory().map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match resident {
            Ok(memory) => {
                process.rss_bytes = Some(memory.resident);
                process.rss_anon_bytes = Some(memory.anonymous);
            }
            Err(reason) => {
                unknown.insert("rss_bytes", reason.clone());
                unknown.insert("rss_anon_bytes", reason);
            }
        }
        let heap: Result<HeapUse, String> = match self.heap {
            Some(heap) => heap.read(memory).map_err(|error| error.to_string()),
            None => Err(NO_HEAP.into()),
        };
        match heap {
            Ok(heap) => {
                process.heap_bytes = Some(heap.live_bytes);
                process.go_memory_limit_bytes = heap.soft_limit_bytes;
                if heap.soft_limit_bytes.is_none() {
                    unknown.insert("go_memory_limit_bytes", "GOMEMLIMIT is not set".into());
                }
            }
            Err(reason) => {
                unknown.insert("heap_bytes", reason.clone());
                unknown.insert("go_memory_limit_bytes", reason);
            }
        }
        process.cpu_ratio = self.rates.processor;
        process.created_per_second = self.rates.created;
        for (name, rate) in [
            ("cpu_ratio", self.rates.processor),
            ("created_per_second", self.rates.created),
        ] {
            if rate.is_none() {
                unknown.insert(name, "not measured twice yet, or not readable".into());
            }
        }
        match self.limit() {
            Ok(limit) => {
                process.memory_limit_bytes = Some(limit.limit);
                process.memory_used_bytes = Some(limit.used);
                process.memory_limit_kind = Some(limit.kind.as_str());
                process.memory_limit_path = limit.kind.path().map(str::to_owned);
                process.memory_high_bytes = limit.high;
                if process.memory_limit_path.is_none() {
                    unknown.insert("memory_limit_path", NO_CGROUP_LIMIT.into());
                }
                if limit.high.is_none() {
                    unknown.insert("memory_high_bytes", "none is set".into());
                }
            }
            Err(reason) => {
                for name in [
                    "memory_limit_bytes",
                    "memory_used_bytes",
                    "memory_limit_kind",
                    "memory_limit_path",
                    "memory_high_bytes",
                ] {
                    unknown.insert(name, reason.clone());
                }
            }
        }
        ProcessUse { unknown, ..process }
    }

    /// Rates since it was measured last, if that is long enough ago.
    pub(super) fn measure(&mut self, created: Option<Created>) {
        let usage = self.usage.as_ref().ok();
        let now = Totals {
            at: Instant::now(),
            processor: usage.and_then(|usage| usage.processor_time().ok()),
            created,
        };
        let Some(last) = self.last else {
            self.last = Some(now);
            return;
        };
        let passed = now.at.saturating_duration_since(last.at);
        if passed < SHORTEST {
            return;
        }
        let processor = now
            .processor
            .zip(last.processor)
            .map(|(now, last)| now.saturating_sub(last).as_secs_f64() / passed.as_secs_f64());
        let created = now.created.zip(last.created);
        self.rates = Rates {
            processor,
            created: created.and_then(|(now, last)| now.since(last)),
        };
        self.last = Some(now);
    }

    pub(super) fn limit(&mut self) -> Result<MemoryLimit, String> {
        let now = Instant::now();
        if let Some((at, limit)) = &self.limit
            && now.saturating_duration_since(*at) < LIMIT_PAUSE
        {
            return limit.clone();
        }
        let limit = MemoryLimit::of(self.pid).map_err(|error| error.to_string());
        self.limit = Some((now, limit.clone()));
        limit
    }
}
