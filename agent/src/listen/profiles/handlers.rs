//! `/debug/pprof/`.

use std::{
    fmt::Write as _,
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    super::{Profile, ProfileError, answers, server::Shared},
    request::{Form, Parameters, Wanted, wanted},
};
use crate::report::harmless;

/// What may be asked for, by its name in the path.
const PROFILES: [&str; 2] = ["goroutine", "goroutineleak"];

/// The longest answer. Go cuts what it writes of goroutines at the same length.
const MAX_BYTES: usize = 64 << 20;

/// A proof of a large heap takes minutes; a connection lasts no longer.
const PATIENCE: Duration = Duration::from_secs(290);

/// `/debug/pprof/`: who is watched, and where to look.
pub(in crate::listen) async fn index(State(shared): State<Arc<Shared>>) -> Response {
    let node = shared.node.sample();
    let mut text = String::from(
        "Goroutine profiles, taken from outside when they are asked for.\n\n\
         /debug/pprof/goroutine?pid=N      all goroutines\n\
         /debug/pprof/goroutineleak?pid=N  those proven to be leaked (takes seconds)\n\
         &debug=1 as text, &debug=2 each goroutine for itself\n\n",
    );
    if node.targets.is_empty() {
        text.push_str("No process is watched.\n");
    }
    for target in &node.targets {
        let identity = &target.target;
        let service = identity.service.name.as_deref().unwrap_or_default();
        let _ = writeln!(
            text,
            "{:>8}  {}  {}",
            identity.pid,
            harmless(&identity.name),
            harmless(service)
        );
    }
    answers::text(text)
}

/// `/debug/pprof/goroutine` and `/debug/pprof/goroutineleak`.
pub(in crate::listen) async fn profile(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    method: Method,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let Some(name) = PROFILES.into_iter().find(|known| *known == name) else {
        let why = "Unknown profile; there are goroutine and goroutineleak";
        return answers::refusal(StatusCode::NOT_FOUND, why);
    };
    let Ok(Query(parameters)) = parameters else {
        let why = "the parameters cannot be read; write pid=N and debug=N, each once";
        return answers::refusal(StatusCode::BAD_REQUEST, why);
    };
    let node = shared.node.sample();
    let wanted = match wanted(&parameters, name == "goroutineleak", &node) {
        Ok(wanted) => wanted,
        Err((status, why)) => return answers::refusal(status, why),
    };
    drop(node);
    // Nobody reads the body, so nothing is done for it.
    if method == Method::HEAD {
        return answer(name, wanted.form, Vec::new());
    }
    let taken = answers::blocking(PATIENCE, move || taken(&shared, wanted)).await;
    match taken {
        Ok(Ok(body)) => answer(name, wanted.form, body),
        Ok(Err(error)) => refused(&error),
        Err(response) => response,
    }
}

/// Takes the profile and writes it. The place at the gate is kept until that is done, also when the
/// client has long gone.
fn taken(shared: &Shared, wanted: Wanted) -> Result<Vec<u8>, ProfileError> {
    let Wanted { pid, kind, form } = wanted;
    let _pass = shared.gate.enter(pid)?;
    let profile = shared.node.profile(pid, kind)?;
    let mut output = Bounded::default();
    let written = match (&profile, form) {
        (Profile::Goroutine(snapshot), Form::Protobuf) => snapshot.pprof(&mut output),
        (Profile::Goroutine(snapshot), Form::Counted) => snapshot.counted_text(&mut output),
        (Profile::Goroutine(snapshot), Form::Each) => snapshot.tracebacks(&mut output),
        (Profile::GoroutineLeak(proof), Form::Protobuf) => proof.pprof(&mut output),
        (Profile::GoroutineLeak(proof), Form::Counted) => proof.counted_text(&mut output),
        (Profile::GoroutineLeak(proof), Form::Each) => proof.tracebacks(&mut output),
    };
    match written {
        Ok(()) => Ok(output.0),
        Err(error) => Err(ProfileError::Failed {
            pid,
            reason: error.to_string(),
        }),
    }
}

/// As Go answers.
fn answer(name: &'static str, form: Form, body: Vec<u8>) -> Response {
    if form != Form::Protobuf {
        return answers::text(body);
    }
    let binary = HeaderValue::from_static("application/octet-stream");
    let mut response = answers::answer(StatusCode::OK, binary, body);
    response.headers_mut().insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static(match name {
            "goroutine" => "attachment; filename=\"goroutine\"",
            _ => "attachment; filename=\"goroutineleak\"",
        }),
    );
    response
}

fn refused(error: &ProfileError) -> Response {
    match error {
        ProfileError::Busy { .. } => answers::later(error),
        ProfileError::NotWatched { .. } | ProfileError::Gone { .. } => {
            answers::refusal(StatusCode::NOT_FOUND, error)
        }
        ProfileError::Failed { .. } => answers::refusal(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}

/// `/debug/pprof/targets`: the watched processes as Prometheus' HTTP service discovery has them
/// (<https://prometheus.io/docs/prometheus/latest/http_sd/>), so that a scraper of profiles asks for each of them.
pub(in crate::listen) async fn discovery(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Response {
    let own = shared.address.to_string();
    // As the scraper reaches it, which may be by another name than that of the socket.
    let asked = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let address = asked.unwrap_or(&own);
    let node = shared.node.sample();
    let targets: Vec<Value> = node
        .targets
        .iter()
        .map(|target| {
            let identity = &target.target;
            let mut labels = json!({
                "__param_pid": identity.pid.to_string(),
                "pid": identity.pid.to_string(),
                "name": identity.name,
            });
            let mut add = |name: &str, value: Option<&String>| {
                if let Some(value) = value {
                    labels[name] = value.as_str().into();
                }
            };
            let service = identity.service.name.as_ref().unwrap_or(&identity.name);
            add("service_name", Some(service));
            let pod = identity.pod.as_ref();
            add("namespace", pod.and_then(|pod| pod.namespace.as_ref()));
            add("pod", pod.and_then(|pod| pod.name.as_ref()));
            add("container", pod.and_then(|pod| pod.container.as_ref()));
            json!({ "targets": [address], "labels": labels })
        })
        .collect();
    let json = HeaderValue::from_static("application/json");
    answers::answer(StatusCode::OK, json, Value::from(targets).to_string())
}

/// Takes no more than an answer may have.
#[derive(Default)]
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_BYTES {
            return Err(io::Error::other(
                "the profile is longer than 64 MiB; debug=0 is the shortest form",
            ));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
