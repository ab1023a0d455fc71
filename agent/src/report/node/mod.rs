//! What a node's agent knows, as data: the one model that every sink writes, each in its own format.

mod agent;
mod bounds;
mod identity;
mod line;
mod runtime;
mod sample;
#[cfg(test)]
pub(crate) mod samples;
mod status;

pub use agent::{AgentSample, NodeSample, ProcessCounts, ProcessFailure, SinkSample};
pub use bounds::{LATENCY_BOUNDS, LIFETIME_BOUNDS, bucket_below};
pub use identity::{Container, Engine, Identity, Pod, Service};
pub use runtime::{BucketCount, RuntimeMetrics, ScheduleLatencies};
pub use sample::{GoroutineState, StateCount, TargetEvent, TargetSample};
pub use status::{NodeStatus, TargetLeak, TargetStatus};

#[cfg(test)]
mod tests {
    use super::samples;

    #[test]
    fn an_agent_and_who_is_watched_are_told_in_json() {
        let node = samples::node();
        let agent = serde_json::to_value(&node.agent).expect("it is plain data");
        assert_eq!(agent["started"], "2026-11-18T11:06:40.000Z");
        assert_eq!(agent["sinks"][0]["errors"]["connect"], 4);
        let target = serde_json::to_value(&*node.targets[0].target).expect("it is plain data");
        assert_eq!(target["container"]["engine"], "containerd");
        assert_eq!(target["pod"]["labels"]["app"], "search");
    }
}
