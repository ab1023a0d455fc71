//! `/metrics` and `/status`.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Deserialize;

use super::{
    answers,
    metrics::{self, Format},
    server::Shared,
};
use crate::report::node::NodeStatus;

/// To render an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Columns of text, where nobody says how wide the terminal is, and at most.
const WIDTHS: (usize, usize) = (100, 1000);

/// `/metrics`, in the format that the client takes.
pub(super) async fn metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let format = Format::asked(&headers);
    let compress = metrics::takes_gzip(&headers);
    let render = move || -> std::io::Result<Body> {
        let served = metrics::Served {
            answers: shared.served.answers(),
            turned_away: shared.served.turned_away(),
        };
        let node = shared.node.sample();
        let written = shared.exposition.write(node, served, format);
        let written = written.map_err(std::io::Error::other)?;
        Ok(if compress {
            metrics::gzip(&written)?.into()
        } else {
            written.into()
        })
    };
    let body = match answers::blocking(PATIENCE, render).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return answers::refusal(StatusCode::INTERNAL_SERVER_ERROR, error),
        Err(response) => return response,
    };
    let mut response = answers::answer(StatusCode::OK, format.content_type(), body);
    let headers = response.headers_mut();
    let by = HeaderValue::from_static("Accept, Accept-Encoding");
    headers.insert(header::VARY, by);
    if compress {
        let gzip = HeaderValue::from_static("gzip");
        headers.insert(header::CONTENT_ENCODING, gzip);
    }
    response
}

/// How a status is to be written.
#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    /// `text` for people.
    format: Option<String>,
    /// Columns of the text.
    width: Option<usize>,
}

/// `/status`: JSON, or text with `format=text`.
pub(super) async fn status(
    State(shared): State<Arc<Shared>>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let (text, width) = match parameters {
        Ok(Query(Parameters { format, width })) => match format.as_deref() {
            None | Some("json") => (false, width),
            Some("text") => (true, width),
            Some(_) => {
                let why = "format: there are text and json";
                return answers::refusal(StatusCode::BAD_REQUEST, why);
            }
        },
        Err(_) => {
            let why = "the parameters cannot be read; write format=text and width=N, each once";
            return answers::refusal(StatusCode::BAD_REQUEST, why);
        }
    };
    let render = move || -> std::io::Result<Vec<u8>> {
        let node = shared.node.sample();
        let status = NodeStatus::new(&node);
        if !text {
            return Ok(serde_json::to_vec(&status)?);
        }
        let mut output = Vec::new();
        status.text(&mut output, width.unwrap_or(WIDTHS.0).min(WIDTHS.1))?;
        Ok(output)
    };
    match answers::blocking(PATIENCE, render).await {
        Ok(Ok(body)) if text => answers::text(body),
        Ok(Ok(body)) => {
            let json = HeaderValue::from_static("application/json");
            answers::answer(StatusCode::OK, json, body)
        }
        Ok(Err(error)) => answers::refusal(StatusCode::INTERNAL_SERVER_ERROR, error),
        Err(response) => response,
    }
}
