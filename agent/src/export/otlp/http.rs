//! OTLP over HTTP, in protobuf.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use prost::{Message as _, bytes::Bytes};
use reqwest::{
    StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue},
};

use super::{
    settings::{OtlpSettings, SECTION},
    status::RpcStatus,
};
use crate::export::{
    ExportError,
    delivery::{Failure, FailureKind, Then},
    files,
    http::{Answer, Poster, Reach},
};

/// One path of one receiver.
#[derive(Debug)]
pub(super) struct HttpClient {
    poster: Poster,
    gzip: bool,
}

impl HttpClient {
    /// Nothing is connected yet.
    pub(super) fn new(settings: &OtlpSettings) -> Result<Self, ExportError> {
        let mut headers = files::header_map(SECTION, &settings.headers)?;
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        );
        if settings.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let poster = Poster::new(Reach {
            section: SECTION,
            url: settings.url.clone(),
            headers,
            tls: &settings.tls,
            timeout: settings.timeout,
        })?;
        Ok(Self {
            poster,
            gzip: settings.gzip,
        })
    }

    /// Posts an encoded request, once. An encoded answer comes back.
    pub(super) async fn call(&self, body: Bytes) -> Result<Bytes, Failure> {
        let body = match self.gzip {
            true => zipped(&body)?,
            false => body,
        };
        let answer = self.poster.post(body).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        // By the specification of OTLP these and no others.
        let again = matches!(
            answer.status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        Err(answer.failure(again, &reason(&answer)))
    }
}

/// The receiver's words: a status in protobuf, by the specification, or text.
fn reason(answer: &Answer) -> String {
    match RpcStatus::decode(&answer.body[..]) {
        Ok(status) if !status.message.is_empty() => status.message,
        _ => String::from_utf8_lossy(&answer.body).into_owned(),
    }
}

fn zipped(body: &[u8]) -> Result<Bytes, Failure> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let zipped = encoder.write_all(body).and_then(|()| encoder.finish());
    zipped.map(Bytes::from).map_err(|error| Failure {
        kind: FailureKind::Other,
        message: format!("cannot compress: {error}"),
        then: Then::GiveUp,
    })
}
