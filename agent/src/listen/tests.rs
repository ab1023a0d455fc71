//! The listener as clients meet it.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use super::{
    AskError, ListenConfig, ListenError, Listener, Node, Profile, ProfileError, ProfileKind, ask,
    connection::Limits,
};
use crate::report::{
    Snapshot,
    node::{NodeSample, samples},
};

/// Only a broken run waits for so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon of which all is known.
struct Fake {
    sample: Mutex<Arc<NodeSample>>,
    profiles: AtomicU64,
    /// When there is one, a profile says that it has begun and waits to be told to go on.
    halted: Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>>,
}

impl Fake {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            sample: Mutex::new(Arc::new(samples::node())),
            profiles: AtomicU64::new(0),
            halted: Mutex::new(None),
        })
    }
}

impl Node for Fake {
    fn sample(&self) -> Arc<NodeSample> {
        self.sample.lock().unwrap().clone()
    }

    fn readiness(&self) -> Result<(), String> {
        Err("the processes are still being looked for\u{1b}[2J".into())
    }

    fn liveness(&self) -> Result<(), String> {
        Ok(())
    }

    fn profile(&self, pid: i32, _: ProfileKind) -> Result<Profile, ProfileError> {
        self.profiles.fetch_add(1, Ordering::Relaxed);
        let halted = self.halted.lock().unwrap().take();
        if let Some((begun, go_on)) = halted {
            begun.send(()).unwrap();
            let _ = go_on.recv();
        }
        if pid != 4321 {
            let became = "has ended";
            return Err(ProfileError::Gone { pid, became });
        }
        let place = |function, line| serde_json::json!({ "function": function, "file": "/a.go", "line": line });
        let snapshot: Snapshot = serde_json::from_value(serde_json::json!({
            "process": crate::report::samples::attached().process,
            "pid": pid,
            "taken_at": "2026-11-20T21:28:31.000Z",
            "goroutines": 3,
            "groups": [{
                "count": 3, "state": "waiting", "wait_reason": "chan send", "system": false,
                "created_at": place("main.search", 35), "start": place("main.search.func1", 35),
                "stack": [place("main.send", 9), place("main.search.func1", 36)],
                "oldest_seconds": 130.0, "labels": null, "goids": [18, 19, 24],
            }],
            "defects": {},
        }))
        .unwrap();
        Ok(Profile::Goroutine(Box::new(snapshot)))
    }
}

fn config() -> ListenConfig {
    config_with("")
}

fn config_with(keys: &str) -> ListenConfig {
    toml::from_str(&format!("address = \"127.0.0.1:0\"\n{keys}")).unwrap()
}

fn start(node: &Arc<Fake>) -> Listener {
    Listener::start(&config(), node.clone()).unwrap()
}

/// Head and body of the answer to what is sent as it is.
fn exchange(address: SocketAddr, request: &[u8]) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The answer may come before all is sent.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(&answer)));
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap().to_lowercase(), body)
}

fn request(address: SocketAddr, method: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
    let text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    exchange(address, text.as_bytes())
}

/// Status, head and text.
fn get(address: SocketAddr, path: &str) -> (u16, String, String) {
    let (head, body) = request(address, "GET", path, "");
    (status(&head), head, String::from_utf8(body).unwrap())
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn every_answer_keeps_browsers_from_guessing() {
    let listener = start(&Fake::new());
    for (path, expected, kind) in [
        ("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("/healthz", 200, "text/plain; charset=utf-8"),
        ("/readyz", 503, "text/plain; charset=utf-8"),
        ("/status", 200, "application/json"),
        ("/status?format=text", 200, "text/plain; charset=utf-8"),
        ("/status?format=xml", 400, "text/plain; charset=utf-8"),
        ("/debug/pprof/", 200, "text/plain; charset=utf-8"),
        ("/debug/pprof/targets", 200, "application/json"),
        ("/debug/pprof/goroutine", 200, "application/octet-stream"),
        (
            "/debug/pprof/goroutine?debug=1",
            200,
            "text/plain; charset=utf-8",
        ),
        (
            "/debug/pprof/goroutine?pid=4321&debug=2",
            200,
            "text/plain; charset=utf-8",
        ),
        (
            "/debug/pprof/goroutine?pid=1",
            404,
            "text/plain; charset=utf-8",
        ),
        (
            "/debug/pprof/goroutine?pid=1&pid=2",
            400,
            "text/plain; charset=utf-8",
        ),
        (
            "/debug/pprof/goroutine?seconds=5",
            400,
            "text/plain; charset=utf-8",
        ),
        ("/debug/pprof/heap", 404, "text/plain; charset=utf-8"),
        ("/", 404, "text/plain; charset=utf-8"),
        (
            "/debug/pprof/../../etc/passwd",
            404,
            "text/plain; charset=utf-8",
        ),
    ] {
        let (head, body) = request(listener.address(), "GET", path, "");
        assert_eq!(status(&head), expected, "{path}: {head}");
        for header in [
            &format!("content-type: {kind}"),
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(header), "{path}: no {header:?} in {head}");
        }
        let text = kind != "application/octet-stream";
        assert!(!body.is_empty(), "{path}");
        assert!(!text || !body.contains(&0x1b), "{path}");
        // The same without a body.
        let (head, body) = request(listener.address(), "HEAD", path, "");
        assert_eq!(status(&head), expected, "{path}: {head}");
        assert!(body.is_empty(), "{path}");
    }
}

#[test]
fn only_who_reads_and_asks_by_a_known_name_is_answered() {
    let listener = start(&Fake::new());
    let address = listener.address();
    let (head, _) = request(address, "POST", "/metrics", "Content-Length: 0\r\n");
    assert_eq!(status(&head), 405);
    assert!(head.contains("allow: get, head"), "{head}");
    for (request, expected) in [
        ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        ("GET /metrics HTTP/1.1\r\n\r\n", 400),
        ("GET /metrics HTTP/1.0\r\n\r\n", 200),
        (
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n",
            403,
        ),
        (
            "GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
            403,
        ),
        ("nonsense\r\n\r\n", 400),
    ] {
        assert_eq!(
            status(&exchange(address, request.as_bytes()).0),
            expected,
            "{request}"
        );
    }
    let named = config_with("hosts = [\"node-1.example\"]");
    let named = Listener::start(&named, Fake::new()).unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nHost: Node-1.example:9464\r\n\r\n";
    assert_eq!(status(&exchange(named.address(), request).0), 200);
}

#[test]
fn metrics_come_in_the_form_that_is_asked_for() {
    let listener = start(&Fake::new());
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    let (head, open) = request(listener.address(), "GET", "/metrics", accept);
    assert!(
        head.contains("application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    assert!(String::from_utf8(open).unwrap().ends_with("# EOF\n"));
    let gzip = "Accept-Encoding: gzip\r\n";
    let (head, body) = request(listener.address(), "GET", "/metrics", gzip);
    assert!(head.contains("content-encoding: gzip"), "{head}");
    assert!(head.contains("vary: accept, accept-encoding"), "{head}");
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&*body);
    decoder.read_to_string(&mut text).unwrap();
    assert!(
        text.contains("# TYPE gostray_site_created_total counter"),
        "{text}"
    );
    assert!(
        text.contains("gostray_agent_http_responses_total{code=\"200\"} 1"),
        "{text}"
    );
}

#[test]
fn health_is_what_the_daemon_says() {
    let listener = start(&Fake::new());
    let (code, _, text) = get(listener.address(), "/healthz");
    assert_eq!((code, &*text), (200, "ok\n"));
    let (code, _, text) = get(listener.address(), "/readyz");
    assert_eq!(code, 503);
    assert_eq!(text, "the processes are still being looked for\\u{1b}[2J\n");
}

#[test]
fn a_status_names_agent_and_targets() {
    let listener = start(&Fake::new());
    let answer = ask(listener.address(), "/status", PATIENCE).unwrap();
    let status: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(status["agent"]["sinks"][0]["dropped"], 3);
    let target = &status["targets"][0];
    assert_eq!(target["identity"]["pid"], 4321);
    assert_eq!(target["identity"]["container"]["engine"], "containerd");
    assert_eq!(target["mode"], "lifetimes");
    assert_eq!(target["goroutines"], 421);
    assert_eq!(target["leaks"], serde_json::json!([]));
    assert_eq!(target["overhead"]["budget_ratio"], 0.01);
    assert_eq!(target["sites"], 2);
}

#[test]
fn who_asks_is_told_why_there_is_no_answer() {
    let listener = start(&Fake::new());
    let address = listener.address();
    let refused = ask(address, "/nothing", PATIENCE).unwrap_err();
    assert!(matches!(refused, AskError::Refused { .. }), "{refused}");
    assert!(refused.to_string().contains("nothing here"), "{refused}");
    listener.stop(PATIENCE);
    let nobody = ask(address, "/status", PATIENCE).unwrap_err();
    assert!(matches!(nobody, AskError::Connect { .. }), "{nobody}");

    // Somebody who takes the connection and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let late = ask(address, "/status", Duration::from_millis(50)).unwrap_err();
    assert!(matches!(late, AskError::Late { .. }), "{late}");
    // And who speaks something else.
    let other = std::thread::spawn(move || {
        let _late = silent.accept().unwrap();
        let (mut stream, _) = silent.accept().unwrap();
        stream.write_all(b"220 mail.example ESMTP\r\n").unwrap();
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let broken = ask(address, "/status", PATIENCE).unwrap_err();
    assert!(matches!(broken, AskError::Broken { .. }), "{broken}");
    other.join().unwrap();
}

#[test]
fn profiles_look_as_those_of_go() {
    let node = Fake::new();
    let listener = start(&node);
    let (head, body) = request(
        listener.address(),
        "GET",
        "/debug/pprof/goroutine?pid=4321",
        "",
    );
    let disposition = "content-disposition: attachment; filename=\"goroutine\"";
    assert!(head.contains(disposition), "{head}");
    assert_eq!(body[..2], [0x1f, 0x8b]);
    let (_, _, text) = get(listener.address(), "/debug/pprof/goroutine?debug=1");
    insta::assert_snapshot!(text, @r#"
    goroutine profile: total 3
    3 @ 0x1 0x2
    #	0x1	main.send	/a.go:9
    #	0x2	main.search.func1	/a.go:36
    "#);
    let (_, _, text) = get(listener.address(), "/debug/pprof/goroutine?debug=2");
    insta::assert_snapshot!(text, @r#"
    goroutine 18 [chan send, 2 minutes]:
    main.send(...)
    	/a.go:9
    main.search.func1(...)
    	/a.go:36
    created by main.search
    	/a.go:35

    goroutine 19 [chan send, 2 minutes]:
    main.send(...)
    	/a.go:9
    main.search.func1(...)
    	/a.go:36
    created by main.search
    	/a.go:35

    goroutine 24 [chan send, 2 minutes]:
    main.send(...)
    	/a.go:9
    main.search.func1(...)
    	/a.go:36
    created by main.search
    	/a.go:35
    "#);
    let taken = node.profiles.load(Ordering::Relaxed);
    let (head, _) = request(listener.address(), "HEAD", "/debug/pprof/goroutine", "");
    assert_eq!(status(&head), 200);
    assert_eq!(
        node.profiles.load(Ordering::Relaxed),
        taken,
        "nobody reads it"
    );
}

#[test]
fn a_process_is_looked_at_once_at_a_time() {
    let node = Fake::new();
    let (begun, has_begun) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    *node.halted.lock().unwrap() = Some((begun, goes_on));
    let listener = start(&node);
    let address = listener.address();
    let first = std::thread::spawn(move || get(address, "/debug/pprof/goroutine?debug=1"));
    has_begun.recv_timeout(PATIENCE).unwrap();
    let (code, head, text) = get(address, "/debug/pprof/goroutine");
    assert_eq!(code, 503);
    assert!(head.contains("retry-after: 5"), "{head}");
    assert!(text.contains("is being taken already"), "{text}");
    // All else goes on.
    assert_eq!(get(address, "/metrics").0, 200);
    go_on.send(()).unwrap();
    assert_eq!(first.join().unwrap().0, 200);
    assert_eq!(get(address, "/debug/pprof/goroutine?debug=1").0, 200);
}

#[test]
fn who_has_ended_meanwhile_is_not_found() {
    let node = Fake::new();
    let mut sample = samples::node();
    let mut identity = (*sample.targets[0].target).clone();
    identity.pid = 77;
    Arc::make_mut(&mut sample.targets[0]).target = identity.into();
    *node.sample.lock().unwrap() = Arc::new(sample);
    let listener = start(&node);
    let (code, _, text) = get(listener.address(), "/debug/pprof/goroutine?debug=1");
    assert_eq!(code, 404);
    assert_eq!(text, "process 77 has ended, so there is no profile of it\n");
}

#[test]
fn processes_are_found_by_scrapers() {
    let listener = start(&Fake::new());
    let (_, _, text) = get(listener.address(), "/debug/pprof/targets");
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found[0]["targets"], serde_json::json!(["localhost"]));
    assert_eq!(found[0]["labels"]["__param_pid"], "4321");
    assert_eq!(found[0]["labels"]["service_name"], "search");
    assert_eq!(found[0]["labels"]["pod"], "search-5d4f");
}

fn impatient(connections: usize, node: &Arc<Fake>) -> Listener {
    let limits = Limits {
        request: Duration::from_millis(100),
        stall: Duration::from_millis(100),
        whole: PATIENCE,
    };
    let config = config_with(&format!("connections = {connections}"));
    Listener::within(&config, node.clone(), limits).unwrap()
}

#[test]
fn who_sends_slowly_is_cut_off() {
    let listener = impatient(16, &Fake::new());
    let mut stream = TcpStream::connect(listener.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: loc")
        .unwrap();
    let mut answer = Vec::new();
    // An end, with a last word or without.
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(get(listener.address(), "/healthz").0, 200);
}

#[test]
fn headers_have_an_end() {
    let listener = start(&Fake::new());
    let long = format!("X-Long: {}\r\n", "x".repeat(20 << 10));
    let (head, _) = request(listener.address(), "GET", "/metrics", &long);
    assert_eq!(status(&head), 431);
    let many: String = (0..100).map(|n| format!("X-{n}: x\r\n")).collect();
    let (head, _) = request(listener.address(), "GET", "/metrics", &many);
    assert_eq!(status(&head), 431);
}

#[test]
fn connections_too_many_are_told_so() {
    let node = Fake::new();
    let config = config_with("connections = 2");
    let listener = Listener::start(&config, node).unwrap();
    let address = listener.address();
    // Accepted in this order.
    let waiting = [(); 2].map(|()| TcpStream::connect(address).unwrap());
    let (code, head, text) = get(address, "/metrics");
    assert_eq!(code, 503);
    assert!(head.contains("retry-after: 5"), "{head}");
    assert!(text.contains("too many connections"), "{text}");
    drop(waiting);
    let text = until_answered(address, "/metrics");
    let counted = "gostray_agent_http_refused_connections_total ";
    let count = text.lines().find_map(|line| line.strip_prefix(counted));
    assert!(count.unwrap().parse::<u64>().unwrap() >= 1, "{text}");
}

#[test]
fn who_does_not_read_his_answer_is_cut_off() {
    let node = Fake::new();
    let mut sample = samples::node();
    // Longer than what fits between two sockets.
    sample.agent.sinks[0].last_error = Some("x".repeat(16 << 20));
    *node.sample.lock().unwrap() = Arc::new(sample);
    let listener = impatient(1, &node);
    let mut stream = TcpStream::connect(listener.address()).unwrap();
    stream
        .write_all(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    until_answered(listener.address(), "/healthz");
    drop(stream);
}

/// The text of the answer, once there is room for the request.
fn until_answered(address: SocketAddr, path: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (code, _, text) = get(address, path);
        if code == 200 {
            return text;
        }
        assert!(Instant::now() < deadline, "{code}: {text}");
        std::thread::yield_now();
    }
}

#[test]
fn it_stops_in_time_and_answers_who_is_being_answered() {
    let node = Fake::new();
    let (begun, has_begun) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    *node.halted.lock().unwrap() = Some((begun, goes_on));
    let listener = start(&node);
    let address = listener.address();
    let first = std::thread::spawn(move || get(address, "/debug/pprof/goroutine?debug=1"));
    has_begun.recv_timeout(PATIENCE).unwrap();
    let stopping = std::thread::spawn(move || listener.stop(PATIENCE));
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < deadline, "it goes on listening");
        std::thread::yield_now();
    }
    go_on.send(()).unwrap();
    assert_eq!(first.join().unwrap().0, 200);
    stopping.join().unwrap();

    // Who takes too long is not waited for.
    let (begun, has_begun) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    *node.halted.lock().unwrap() = Some((begun, goes_on));
    let listener = start(&node);
    let mut stream = TcpStream::connect(listener.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(b"GET /debug/pprof/goroutine HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    has_begun.recv_timeout(PATIENCE).unwrap();
    listener.stop(Duration::from_millis(50));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty());
    drop(go_on);
}

#[test]
fn an_address_that_cannot_be_had_is_said() {
    let mut remote = config();
    remote.address.0.set_ip([0, 0, 0, 0].into());
    let refused = Listener::start(&remote, Fake::new()).unwrap_err();
    assert!(matches!(refused, ListenError::Remote { .. }), "{refused}");
    remote.allow_remote = true;
    let listener = Listener::start(&remote, Fake::new()).unwrap();
    let mut taken = config();
    taken.address.0.set_port(listener.address().port());
    taken.address.0.set_ip(listener.address().ip());
    taken.allow_remote = true;
    let refused = Listener::start(&taken, Fake::new()).unwrap_err();
    assert!(matches!(refused, ListenError::Bind { .. }), "{refused}");
}
