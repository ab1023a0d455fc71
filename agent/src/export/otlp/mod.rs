//! OpenTelemetry's protocol: log records and metrics in the messages of `opentelemetry-proto`, made from our
//! own model and not through an SDK, because each process is a resource of its own. `docs/otlp.md` has all names.

mod attributes;
mod grpc;
mod http;
mod leak;
mod logs;
mod metrics;
mod resource;
mod service;
mod settings;
mod status;
#[cfg(test)]
mod tests;

pub(super) use logs::Logs;
pub(super) use metrics::Metrics;
pub(super) use settings::{OtlpSettings, Signal};
#[cfg(test)]
pub(super) use status::with_delay;
