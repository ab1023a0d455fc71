//! One service of a receiver, over gRPC or HTTP: encoded requests go in, what was taken comes out.

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceResponse, metrics::v1::ExportMetricsServiceResponse,
};
use prost::{Message as _, bytes::Bytes};

use super::{
    grpc::GrpcClient,
    http::HttpClient,
    settings::{OtlpSettings, Signal},
};
use crate::export::{
    ExportError, Secret,
    config::Protocol,
    delivery::{Accepted, Failure, FailureKind, Then},
    words,
};

/// Requests are not made larger than this, encoded: what gRPC servers take unless told otherwise.
pub(super) const LARGEST_REQUEST: usize = 4 << 20;

/// A receiver of one signal.
#[derive(Debug)]
pub(super) struct Service {
    signal: Signal,
    client: Client,
    timeout: std::time::Duration,
    secrets: Vec<Secret>,
    /// Where, as errors name it.
    place: String,
}

#[derive(Debug)]
enum Client {
    Grpc(Box<GrpcClient>),
    Http(Box<HttpClient>),
}

impl Service {
    /// Nothing is connected yet.
    pub(super) fn new(settings: &OtlpSettings) -> Result<Self, ExportError> {
        Ok(Self {
            signal: settings.signal,
            client: match settings.protocol {
                Protocol::Grpc => Client::Grpc(Box::new(GrpcClient::new(settings)?)),
                Protocol::Http => Client::Http(Box::new(HttpClient::new(settings)?)),
            },
            timeout: settings.timeout,
            secrets: settings.secrets(),
            place: settings.url.to_string(),
        })
    }

    /// Sends an encoded request, once.
    pub(super) async fn export(&mut self, body: Bytes) -> Result<Accepted, Failure> {
        let call = async {
            match &mut self.client {
                Client::Grpc(client) => client.call(body).await,
                Client::Http(client) => client.call(body).await,
            }
        };
        let answer = tokio::time::timeout(self.timeout, call).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(Failure {
                kind: FailureKind::Timeout,
                message: format!("no answer in {:?}", self.timeout),
                then: Then::Again(None),
            })
        });
        match answer {
            Ok(answer) => Ok(self.accepted(&answer)),
            Err(failure) => Err(Failure {
                message: format!("{}: {}", self.place, self.hidden(&failure.message)),
                ..failure
            }),
        }
    }

    /// Success, but perhaps not of all.
    fn accepted(&self, answer: &[u8]) -> Accepted {
        let (rejected, message) = match self.signal {
            Signal::Logs => ExportLogsServiceResponse::decode(answer)
                .unwrap_or_default()
                .partial_success
                .map(|part| (part.rejected_log_records, part.error_message)),
            Signal::Metrics => ExportMetricsServiceResponse::decode(answer)
                .unwrap_or_default()
                .partial_success
                .map(|part| (part.rejected_data_points, part.error_message)),
        }
        .unwrap_or_default();
        Accepted {
            rejected: u64::try_from(rejected).unwrap_or(0),
            message: (!message.is_empty()).then(|| words::printable(&self.hidden(&message), 200)),
        }
    }

    fn hidden(&self, text: &str) -> String {
        let hide = |text: String, secret: &Secret| secret.hidden_in(&text);
        self.secrets.iter().fold(text.to_owned(), hide)
    }
}
