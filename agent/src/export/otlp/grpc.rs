//! OTLP over gRPC: requests that are encoded already go through tonic as they are.

use prost::bytes::{Buf as _, BufMut as _, Bytes};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use super::{
    settings::{OtlpSettings, SECTION},
    status,
};
use crate::export::{
    ExportError,
    delivery::{Failure, FailureKind, Then},
    files, http, words,
};

/// Of an answer.
const LONGEST_ANSWER: usize = 64 << 10;

/// One method of one receiver.
#[derive(Debug)]
pub(super) struct GrpcClient {
    grpc: Grpc<Channel>,
    method: &'static str,
    metadata: MetadataMap,
}

impl GrpcClient {
    /// Nothing is connected yet.
    pub(super) fn new(settings: &OtlpSettings) -> Result<Self, ExportError> {
        let wrong = |key: &str, reason: String| ExportError::Value {
            section: SECTION,
            key: key.to_owned(),
            reason,
        };
        let endpoint = Endpoint::from_shared(settings.url.to_string())
            .and_then(|endpoint| {
                endpoint.user_agent(concat!("gostray/", env!("CARGO_PKG_VERSION")))
            })
            .map_err(|error| wrong("endpoint", http::chain(&error)))?
            .connect_timeout(settings.timeout);
        let endpoint = match settings.url.scheme() {
            "https" => endpoint
                .tls_config(tls(settings))
                .or_else(|error| match settings.tls.ca {
                    // No certificates on this machine: those that browsers ship.
                    None => Endpoint::from_shared(settings.url.to_string())?
                        .connect_timeout(settings.timeout)
                        .tls_config(identity(settings).with_webpki_roots()),
                    Some(_) => Err(error),
                })
                .map_err(|error| wrong("ca_file", http::chain(&error)))?,
            _ => endpoint,
        };
        let mut grpc = Grpc::new(endpoint.connect_lazy()).max_decoding_message_size(LONGEST_ANSWER);
        if settings.gzip {
            grpc = grpc
                .send_compressed(CompressionEncoding::Gzip)
                .accept_compressed(CompressionEncoding::Gzip);
        }
        let headers = files::header_map(SECTION, &settings.headers)?;
        Ok(Self {
            grpc,
            method: settings.signal.method(),
            metadata: MetadataMap::from_headers(headers),
        })
    }

    /// Calls the method, once. An encoded answer comes back.
    pub(super) async fn call(&mut self, body: Bytes) -> Result<Bytes, Failure> {
        let connected = self.grpc.ready().await;
        connected.map_err(|error| unconnected(&error))?;
        let mut request = Request::new(body);
        *request.metadata_mut() = self.metadata.clone();
        let path = self.method.parse().map_err(|_| Failure {
            kind: FailureKind::Other,
            message: "the method is no path".into(),
            then: Then::GiveUp,
        })?;
        let answer = self.grpc.unary(request, path, AsItIs).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| failed(&status))
    }
}

fn tls(settings: &OtlpSettings) -> ClientTlsConfig {
    let tls = identity(settings);
    match &settings.tls.ca {
        Some(ca) => tls.ca_certificate(Certificate::from_pem(ca)),
        None => tls.with_native_roots(),
    }
}

fn identity(settings: &OtlpSettings) -> ClientTlsConfig {
    let tls = ClientTlsConfig::new();
    match &settings.tls.identity {
        Some(own) => tls.identity(Identity::from_pem(&own.certificate, own.key.reveal())),
        None => tls,
    }
}

fn unconnected(error: &tonic::transport::Error) -> Failure {
    Failure {
        kind: http::kind_of(error, FailureKind::Connect),
        message: words::printable(&http::chain(error), 300),
        then: Then::Again(None),
    }
}

/// What a status means, by the specification of OTLP.
pub(super) fn failed(status: &Status) -> Failure {
    let told = status::retry_delay(status.details());
    let again = match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => true,
        // Only who says when to come back expects us.
        Code::ResourceExhausted => told.is_some(),
        // Not a status of the receiver's, but a connection that broke.
        Code::Unknown | Code::Internal => std::error::Error::source(status).is_some(),
        _ => false,
    };
    let kind = match std::error::Error::source(status) {
        Some(error) => http::kind_of(error, FailureKind::Connect),
        None if status.code() == Code::DeadlineExceeded => FailureKind::Timeout,
        None if again => FailureKind::Status,
        None => FailureKind::Refused,
    };
    let mut message = match std::error::Error::source(status) {
        Some(error) => http::chain(error),
        None => format!("answered {:?}: {}", status.code(), status.message()),
    };
    message = words::printable(&message, 300);
    Failure {
        kind,
        message,
        then: match again {
            true => Then::Again(told),
            false => Then::GiveUp,
        },
    }
}

/// Encoded already, and decoded by somebody else.
#[derive(Clone, Copy, Debug)]
struct AsItIs;

impl Codec for AsItIs {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for AsItIs {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.reserve(item.len());
        to.put(item);
        Ok(())
    }
}

impl Decoder for AsItIs {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
