//! `/healthz` and `/readyz`.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, http::StatusCode, response::Response};

use super::{Node, answers, server::Shared};

/// A daemon that does not say in this time that it lives does not.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether it gets on.
pub(super) async fn liveness(State(shared): State<Arc<Shared>>) -> Response {
    said(shared, |node| node.liveness()).await
}

/// Whether it does its work.
pub(super) async fn readiness(State(shared): State<Arc<Shared>>) -> Response {
    said(shared, |node| node.readiness()).await
}

async fn said(shared: Arc<Shared>, ask: fn(&dyn Node) -> Result<(), String>) -> Response {
    match answers::blocking(PATIENCE, move || ask(&*shared.node)).await {
        Ok(Ok(())) => answers::text("ok\n"),
        Ok(Err(why)) => answers::refusal(StatusCode::SERVICE_UNAVAILABLE, why),
        Err(response) => response,
    }
}
