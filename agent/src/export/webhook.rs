//! `[[webhook]]`: each event a POST of JSON.

use std::sync::Arc;

use prost::bytes::Bytes;
use reqwest::{
    StatusCode, Url,
    header::{CONTENT_TYPE, HeaderValue},
};

use super::{
    ExportError, Secret,
    config::WebhookConfig,
    delivery::{Accepted, Delivery, Failure, Parcel},
    files::{self, Headers, Tls},
    http::{Poster, Reach},
};
use crate::report::{Event, EventKind, node::TargetEvent};

const SECTION: &str = "webhook";

/// All that makes a webhook what it is: the section, and what is in the files it names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WebhookSettings {
    pub(super) config: WebhookConfig,
    headers: Headers,
    tls: Tls,
}

impl WebhookSettings {
    pub(super) fn of(config: &WebhookConfig) -> Result<Self, ExportError> {
        Ok(Self {
            headers: files::headers(SECTION, &config.headers, config.headers_file.as_ref())?,
            tls: files::tls(SECTION, config.ca_file.as_ref(), None, None)?,
            config: config.clone(),
        })
    }

    /// Whether `event` is wanted.
    pub(super) fn wants(&self, event: &Event) -> bool {
        match &event.kind {
            // What somebody has decided to leave alone is no alarm.
            EventKind::Leak(leak) => {
                let wanted = &self.config.verdicts;
                leak.suppressed.is_none() && wanted.iter().any(|wanted| wanted.is(leak.verdict))
            }
            EventKind::Resolved(_) => self.config.resolved,
            _ => false,
        }
    }
}

/// Posts events.
#[derive(Debug)]
pub(super) struct Webhook {
    poster: Poster,
    /// Not to be quoted by anybody.
    secrets: Vec<Secret>,
}

impl Webhook {
    pub(super) fn new(settings: &WebhookSettings) -> Result<Self, ExportError> {
        let url = settings.config.url.secret();
        let mut headers = files::header_map(SECTION, &settings.headers)?;
        headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/json"));
        let poster = Poster::new(Reach {
            section: SECTION,
            url: Url::parse(url.reveal()).map_err(|_| ExportError::Value {
                section: SECTION,
                key: "url".into(),
                reason: "this is no address".into(),
            })?,
            headers,
            tls: &settings.tls,
            timeout: settings.config.timeout(),
        })?;
        let secrets = settings.headers.values().cloned();
        Ok(Self {
            poster,
            secrets: secrets.chain([url.clone()]).collect(),
        })
    }
}

impl Delivery for Webhook {
    type Item = Arc<TargetEvent>;

    fn parcels(&mut self, items: &[Self::Item]) -> Vec<Parcel> {
        let parcels = items.iter().map(|event| Parcel {
            body: Bytes::from(event.to_json()),
            items: 1,
        });
        parcels.collect()
    }

    async fn send(&mut self, parcel: &Parcel) -> Result<Accepted, Failure> {
        let hidden = |failure: Failure| Failure {
            message: self
                .secrets
                .iter()
                .fold(failure.message, |text, secret| secret.hidden_in(&text)),
            ..failure
        };
        let answer = self.poster.post(parcel.body.clone()).await;
        let answer = answer.map_err(hidden)?;
        if answer.status.is_success() {
            return Ok(Accepted::default());
        }
        // What it says beyond its status may quote us, token and all.
        Err(answer.failure(is_worth_another_try(answer.status), ""))
    }
}

fn is_worth_another_try(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        )
}
