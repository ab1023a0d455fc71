//! Answers that every request may get.

use std::{fmt::Display, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};

use crate::report::harmless;

/// Plain text, whatever is in it.
pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// An answer of the type `content_type`.
pub(super) fn answer(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Body>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// Text.
pub(super) fn text(body: impl Into<Body>) -> Response {
    answer(StatusCode::OK, TEXT, body)
}

/// A refusal: one line that says why.
pub(super) fn refusal(status: StatusCode, why: impl Display) -> Response {
    answer(status, TEXT, format!("{}\n", harmless(&why.to_string())))
}

/// A refusal that holds for some seconds only.
pub(super) fn later(why: impl Display) -> Response {
    let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, why);
    let seconds = HeaderValue::from_static("5");
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}

/// What holds for all answers: no browser guesses what they are, keeps them, or shows them to
/// another site.
pub(super) fn for_nobody_else(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Does `work` where it may block, and answers for it if it takes too long; it goes on then.
pub(super) async fn blocking<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Response> {
    match tokio::time::timeout(limit, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "a bug in gostray: this answer could not be made; please report it with the agent's log",
        )),
        Err(_) => Err(later(format_args!(
            "no answer within {} s; the agent is busy or stuck",
            limit.as_secs()
        ))),
    }
}
