//! POST requests over HTTP, and what their failures mean.

use std::{
    error::Error,
    time::{Duration, SystemTime},
};

use prost::bytes::Bytes;
use reqwest::{
    Certificate, Client, Response, StatusCode, Url,
    header::{HeaderMap, RETRY_AFTER},
    redirect::{Attempt, Policy},
};

use super::{
    ExportError,
    delivery::{Failure, FailureKind, Then},
    files::Tls,
    words,
};

/// Of an answer; what is longer is not read.
const LONGEST_ANSWER: usize = 64 << 10;
/// Redirections followed.
const REDIRECTIONS: usize = 3;

/// Posts to one address.
#[derive(Debug)]
pub(super) struct Poster {
    client: Client,
    url: Url,
    headers: HeaderMap,
}

/// A status and the beginning of what came with it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Bytes,
}

/// What is needed to reach an address.
pub(super) struct Reach<'a> {
    pub(super) section: &'static str,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) tls: &'a Tls,
    pub(super) timeout: Duration,
}

impl Poster {
    /// For one address. Nothing is connected yet.
    pub(super) fn new(reach: Reach<'_>) -> Result<Self, ExportError> {
        let section = reach.section;
        let wrong = |key: &str, reason: String| ExportError::Value {
            section,
            key: key.to_owned(),
            reason,
        };
        let mut builder = Client::builder()
            .user_agent(concat!("gostray/", env!("CARGO_PKG_VERSION")))
            .timeout(reach.timeout)
            .connect_timeout(reach.timeout)
            .pool_max_idle_per_host(1)
            .redirect(Policy::custom(same_place));
        if reach.url.scheme() == "http" {
            // Machines without any certificates speak plain text all the same.
            builder = builder.tls_certs_only([]);
        } else if let Some(ca) = &reach.tls.ca {
            let certificates = Certificate::from_pem_bundle(ca.as_bytes());
            let certificates = certificates
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or_else(|| wrong("ca_file", "no certificates in PEM are in it".into()))?;
            builder = builder.tls_certs_only(certificates);
        }
        if let Some(identity) = &reach.tls.identity {
            let pem = format!("{}\n{}", identity.certificate, identity.key.reveal());
            let identity = reqwest::Identity::from_pem(pem.as_bytes()).map_err(|_| {
                let reason = "no certificate and key in PEM that belong together";
                wrong("certificate_file", reason.into())
            })?;
            builder = builder.identity(identity);
        }
        let client = builder
            .build()
            .map_err(|error| wrong("ca_file", chain(&error.without_url())))?;
        Ok(Self {
            client,
            url: reach.url,
            headers: reach.headers,
        })
    }

    /// Posts `body`, once.
    pub(super) async fn post(&self, body: Bytes) -> Result<Answer, Failure> {
        let request = self.client.post(self.url.clone());
        let request = request.headers(self.headers.clone()).body(body);
        let response = request.send().await.map_err(failed)?;
        Answer::of(response).await
    }
}

impl Answer {
    async fn of(mut response: Response) -> Result<Self, Failure> {
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| told(value.to_str().ok()?));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            let room = LONGEST_ANSWER - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() >= room {
                break;
            }
        }
        Ok(Self {
            status,
            retry_after,
            body: body.into(),
        })
    }

    /// Any status but success as a failure that is tried again if `again`.
    pub(super) fn failure(&self, again: bool, words: &str) -> Failure {
        let mut message = format!("answered {}", self.status);
        if self.status.is_redirection() {
            message.push_str(": it points elsewhere, and nothing is sent to where nobody said");
        }
        if !words.is_empty() {
            message.push_str(": ");
            message.push_str(&words::printable(words, 200));
        }
        Failure {
            kind: match again {
                true => FailureKind::Status,
                false => FailureKind::Refused,
            },
            message,
            then: match again {
                true => Then::Again(self.retry_after),
                false => Then::GiveUp,
            },
        }
    }
}

/// Only the same host, by the same scheme, and only if the request stays as it is.
fn same_place(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let keeps_method = matches!(attempt.status().as_u16(), 307 | 308);
    let from = attempt.previous();
    let stays = from
        .first()
        .is_some_and(|first| first.origin() == attempt.url().origin());
    if keeps_method && stays && from.len() <= REDIRECTIONS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// `Retry-After`: seconds, or a date.
fn told(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new();
    let date = SystemTime::from(date.parse_timestamp(value.trim()).ok()?);
    // One that has passed means now.
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

fn failed(error: reqwest::Error) -> Failure {
    // An address may hold a token.
    let error = error.without_url();
    let kind = if error.is_timeout() {
        FailureKind::Timeout
    } else {
        kind_of(&error, FailureKind::Connect)
    };
    Failure {
        kind,
        message: words::printable(&chain(&error), 300),
        then: Then::Again(None),
    }
}

/// How `rustls` begins to tell what the other side has against us.
const ALERT: &str = "received fatal alert: ";

/// What an error of a connection comes from: TLS, or `otherwise`.
pub(super) fn kind_of(error: &(dyn Error + 'static), otherwise: FailureKind) -> FailureKind {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // HTTP/2 keeps only the words of an error that comes once the handshake is over for us, as where a
        // certificate of ours is asked for.
        if error.is::<rustls::Error>() || error.to_string().contains(ALERT) {
            return FailureKind::Tls;
        }
        // An I/O error hides what it was made of from `source`, and offers that one's cause.
        let made_of = error.downcast_ref::<std::io::Error>();
        cause = match made_of.and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    otherwise
}

/// An error and what it comes from, in a sentence.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Many repeat what they come from.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_with_certificates_is_found_below_any_wrapping() {
        let tls = rustls::Error::General("no trust".into());
        let wrapped = std::io::Error::other(std::io::Error::other(tls));
        assert_eq!(kind_of(&wrapped, FailureKind::Connect), FailureKind::Tls);
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let words = std::io::Error::other(alert.to_string());
        assert_eq!(kind_of(&words, FailureKind::Connect), FailureKind::Tls);
        let other = std::io::Error::other(std::io::Error::other("no route"));
        assert_eq!(kind_of(&other, FailureKind::Connect), FailureKind::Connect);
    }

    #[test]
    fn a_receiver_says_when_in_seconds_or_as_a_date() {
        assert_eq!(told("120"), Some(Duration::from_secs(120)));
        assert_eq!(told("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let future = told("Tue, 31 Dec 2999 23:59:59 GMT").expect("a date");
        assert!(future > Duration::from_secs(86_400 * 365));
        assert_eq!(told("soon"), None);
    }
}
