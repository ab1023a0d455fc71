//! Against a server that answers as Kubernetes does; it never ran against a real cluster.
//!
//! `ca.pem`, `server.pem` and `server.key` are made for these tests and good for nothing else: a
//! certificate for 127.0.0.1, and the authority that signed it, whose key was thrown away.

mod pods;
mod server;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use super::{client::Question, pod_list::KnownPods, *};
use crate::discover::Pods as _;
use pods::{CONTAINER, POD_LIST, UID};
use server::{Answer, Server};

const TOKEN: &str = "eyJhbGciOi.secret.token";

/// A folder with a token and the authority's certificate, and a configuration that names them.
struct Setting {
    folder: tempfile::TempDir,
    config: KubernetesConfig,
}

fn setting(server: &Server) -> Setting {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("token"), format!("{TOKEN}\n")).expect("written");
    fs::write(path("ca.crt"), include_str!("ca.pem")).expect("written");
    let config = KubernetesConfig {
        source: Source::Api,
        url: Some(ServerUrl::try_from(server.url()).expect("right")),
        node: Some(NodeName::try_from("node-1".to_owned()).expect("right")),
        token_file: path("token"),
        ca_file: path("ca.crt"),
        ..KubernetesConfig::default()
    };
    Setting { folder, config }
}

const LONG: Duration = Duration::from_secs(20);

fn asked_within(
    config: &KubernetesConfig,
    limit: Duration,
    bytes: usize,
) -> Result<KnownPods, KubernetesError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(Question::new(config)?.within(limit, bytes).ask())
}

fn asked(config: &KubernetesConfig) -> Result<KnownPods, KubernetesError> {
    asked_within(config, LONG, 1 << 20)
}

#[test]
fn the_pods_of_a_node() {
    let server = Server::start(Answer::Json(POD_LIST));
    let Setting { config, folder } = setting(&server);
    let pods = asked(&config).expect("an answer");
    let pod = pods.get(UID).expect("it is known");
    assert_eq!(pod.pod.name.as_deref(), Some("search-5d4f9c7b8-x2x7p"));
    let request = server.request();
    assert!(
        request.starts_with(
            "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1&resourceVersion=0 HTTP/1.1\r\n"
        ),
        "{request}"
    );
    assert!(
        request.contains(&format!("authorization: Bearer {TOKEN}\r\n")),
        "{request}"
    );
    // Tokens are renewed while we run.
    fs::write(folder.path().join("token"), "another").expect("written");
    asked(&config).expect("an answer");
    assert!(
        server
            .request()
            .contains("authorization: Bearer another\r\n")
    );
}

#[test]
fn the_kubelet() {
    let server = Server::start(Answer::Json(POD_LIST));
    let Setting {
        config,
        folder: _folder,
    } = setting(&server);
    let config = KubernetesConfig {
        source: Source::Kubelet,
        node: None,
        ..config
    };
    assert!(asked(&config).expect("an answer").contains_key(UID));
    assert!(server.request().starts_with("GET /pods HTTP/1.1\r\n"));
}

/// What goes wrong; that it tells no secret.
fn failure(answer: Answer) -> KubernetesError {
    let server = Server::start(answer);
    let Setting {
        config,
        folder: _folder,
    } = setting(&server);
    let error = asked(&config).expect_err("it is wrong");
    let text = format!("{error} {error:?}");
    assert!(!text.contains(TOKEN) && !text.contains("secret"), "{text}");
    error
}

#[test]
fn a_token_that_has_expired() {
    let error = failure(Answer::Status(401));
    assert!(
        matches!(error, KubernetesError::Unauthorised { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("expired"), "{error}");
    let error = failure(Answer::Status(403));
    assert!(
        matches!(error, KubernetesError::Forbidden { .. }),
        "{error}"
    );
}

#[test]
fn other_answers() {
    let error = failure(Answer::Status(500));
    assert!(
        matches!(error, KubernetesError::Status { status: 500, .. }),
        "{error}"
    );
    // To another server, which would be shown the token.
    let error = failure(Answer::Status(302));
    assert!(
        matches!(error, KubernetesError::Status { status: 302, .. }),
        "{error}"
    );
    for garbage in [
        "",
        "{",
        "[]",
        "{}",
        "null",
        "{\"items\": 7}",
        "{\"items\": [{}]}",
        "<html>",
    ] {
        let error = failure(Answer::Json(garbage));
        assert!(
            matches!(error, KubernetesError::Malformed { .. }),
            "{garbage}: {error}"
        );
    }
    let error = failure(Answer::Nothing);
    assert_eq!(error.kind(), "other", "{error}");
}

#[test]
fn a_slow_server_and_an_endless_answer() {
    let server = Server::start(Answer::Never);
    let Setting {
        config,
        folder: _folder,
    } = setting(&server);
    let began = Instant::now();
    let error = asked_within(&config, Duration::from_millis(200), 1 << 20).expect_err("too slow");
    assert!(matches!(error, KubernetesError::Timeout { .. }), "{error}");
    assert!(began.elapsed() < LONG);
    let server = Server::start(Answer::Endless);
    let Setting {
        config,
        folder: _folder,
    } = setting(&server);
    let error = asked_within(&config, LONG, 100_000).expect_err("too long");
    assert!(
        matches!(error, KubernetesError::TooLong { limit: 100_000, .. }),
        "{error}"
    );
}

#[test]
fn a_server_that_cannot_be_trusted_is_not_shown_the_token() {
    let server = Server::start(Answer::Json(POD_LIST));
    let Setting { mut config, folder } = setting(&server);
    let other = folder.path().join("other.crt");
    // Signed by nobody that the server's is signed by.
    fs::write(&other, include_str!("server.pem")).expect("written");
    let trusted = std::mem::replace(&mut config.ca_file, other);
    // Its own certificate is as good as its authority's to some libraries; a name that does not fit never is.
    let url = server.url().replace("127.0.0.1", "127.0.0.2");
    config.url = Some(ServerUrl::try_from(url).expect("right"));
    let error = asked(&config).expect_err("not to be trusted");
    assert!(matches!(error, KubernetesError::Connect { .. }), "{error}");
    config.ca_file = trusted;
    let error = asked(&config).expect_err("another name");
    assert!(matches!(error, KubernetesError::Connect { .. }), "{error}");
    assert!(error.to_string().contains("ertificate"), "{error}");
    config.insecure_skip_verify = true;
    asked(&config).expect("nobody checks");
}

#[test]
fn without_a_server_or_its_files() {
    let server = Server::start(Answer::Json(POD_LIST));
    let Setting { config, folder } = setting(&server);
    let missing = folder.path().join("missing");
    let without = |change: fn(&mut KubernetesConfig, &Path)| {
        let mut config = config.clone();
        change(&mut config, &missing);
        asked(&config).expect_err("it is wrong")
    };
    let error = without(|config, missing| config.token_file = missing.to_owned());
    assert!(matches!(error, KubernetesError::File { .. }), "{error}");
    let error = without(|config, missing| config.ca_file = missing.to_owned());
    assert!(matches!(error, KubernetesError::File { .. }), "{error}");
    fs::write(&missing, "no certificate").expect("written");
    let error = without(|config, missing| config.ca_file = missing.to_owned());
    assert!(matches!(error, KubernetesError::File { .. }), "{error}");
    fs::write(&missing, "two\nlines").expect("written");
    let error = without(|config, missing| config.token_file = missing.to_owned());
    assert!(matches!(error, KubernetesError::File { .. }), "{error}");
    assert!(!error.to_string().contains("lines"), "{error}");
    // A port that nobody listens at.
    let mut config = config;
    let url = format!("https://127.0.0.1:{}", server.stopped());
    config.url = Some(ServerUrl::try_from(url).expect("right"));
    let error = asked(&config).expect_err("nobody there");
    assert!(matches!(error, KubernetesError::Connect { .. }), "{error}");
}

#[test]
fn without_encryption_no_token_is_sent() {
    let server = Server::plain(Answer::Json(POD_LIST));
    let Setting {
        config,
        folder: _folder,
    } = setting(&server);
    assert!(asked(&config).expect("an answer").contains_key(UID));
    assert!(!server.request().contains(TOKEN));
}

#[test]
fn what_the_environment_of_a_pod_says() {
    let config = KubernetesConfig {
        source: Source::Api,
        ..KubernetesConfig::default()
    };
    let address = |config: &KubernetesConfig, variables: &[(&str, &str)]| {
        let question = Question::with(config, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        question.map_or_else(
            |error| error.kind().to_owned(),
            |question| question.address(),
        )
    };
    let node = ("NODE_NAME", "node-7");
    let host = ("KUBERNETES_SERVICE_HOST", "10.96.0.1");
    let port = ("KUBERNETES_SERVICE_PORT", "6443");
    assert_eq!(
        address(&config, &[node, host, port]),
        "https://10.96.0.1:6443/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-7&resourceVersion=0"
    );
    let six = ("KUBERNETES_SERVICE_HOST", "fd00::1");
    assert!(address(&config, &[node, six]).starts_with("https://[fd00::1]:443/"));
    for variables in [&[host, port][..], &[node], &[("NODE_NAME", "../x"), host]] {
        assert_eq!(address(&config, variables), "configuration");
    }
    let kubelet = KubernetesConfig {
        source: Source::Kubelet,
        ..config
    };
    assert_eq!(address(&kubelet, &[node]), "https://node-7:10250/pods");
    assert_eq!(address(&kubelet, &[]), "configuration");
}

/// Waits for what the thread learns.
fn wait_until(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < LONG, "nothing was learnt");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn an_unknown_pod_is_asked_for() {
    let server = Server::start(Answer::Json(r#"{"kind":"PodList","items":null}"#));
    let Setting {
        config,
        folder: _folder,
    } = setting(&server);
    let question = Question::new(&config).expect("right");
    let hour = Duration::from_secs(3600);
    let least = Duration::from_millis(50);
    let kubernetes = Kubernetes::asking(question, hour, least).expect("a thread");
    wait_until(|| kubernetes.health().answers == 1);
    server.answer(Answer::Json(POD_LIST));
    assert_eq!(kubernetes.pod(UID, CONTAINER), None);
    wait_until(|| kubernetes.health().answers == 2);
    let (pod, name, image) = kubernetes.pod(UID, CONTAINER).expect("it is known");
    assert_eq!(pod.container.as_deref(), Some("server"));
    assert_eq!(name.as_deref(), Some("server"));
    assert_eq!(
        image.as_deref(),
        Some("registry.example.com/shop/search:1.4")
    );
    // Whatever goes wrong then, it stays known.
    server.answer(Answer::Status(503));
    let (pod, name, _) = kubernetes
        .pod(UID, "another container")
        .expect("it is known");
    assert_eq!((pod.container, name), (None, None));
    wait_until(|| kubernetes.health().last_error.is_some());
    assert_eq!(kubernetes.health().errors.get("status"), Some(&1));
    assert!(kubernetes.pod(UID, CONTAINER).is_some());
}

#[test]
fn it_is_stopped_while_it_waits_for_an_answer() {
    let server = Server::start(Answer::Never);
    let Setting {
        config,
        folder: _folder,
    } = setting(&server);
    let kubernetes = Kubernetes::start(&config)
        .expect("a thread")
        .expect("configured");
    server.request();
    let began = Instant::now();
    drop(kubernetes);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(Kubernetes::start(&KubernetesConfig::default()).is_ok_and(|none| none.is_none()));
}
