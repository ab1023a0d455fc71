//! The sections of the configuration that say where events and metrics go.

mod filter;
mod otlp;
mod stdout;
#[cfg(test)]
mod tests;
mod webhook;

pub use crate::config::{Number, Period};
pub use filter::{Events, WantedVerdict};
pub use otlp::{Compression, Endpoint, OtlpConfig, Protocol};
pub use stdout::StdoutConfig;
pub use webhook::{WebUrl, WebhookConfig};

/// All of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExportConfig {
    /// `[otlp]`.
    pub otlp: Option<OtlpConfig>,
    /// Each `[[webhook]]`.
    pub webhooks: Vec<WebhookConfig>,
    /// `[stdout]`.
    pub stdout: Option<StdoutConfig>,
}
