//! A running daemon among programs that lie about themselves, and with secrets to keep.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context as _, Result, ensure};
use gostray_tests::go::{self, Mode};
use gostray_tests::lines::PATIENCE;
use gostray_tests::node::Node;
use gostray_tests::target::Target;
use gostray_tests::{agent, need, skip};
use serde_json::Value;

const PROMTOOL: &str = "/usr/bin/promtool";

/// Clears a screen, ends a line and a string, begins a line that looks like ours, and runs a command: for
/// whoever lets it. No slash, so that it can be a file's name.
const EVIL: &str = "e\u{1b}[2J\r\nWARN forged\t\"'\\}{$(touch gostray-was-here)`;#\u{9b}1m\u{202e}";

/// A program that leaks under labels which are no better than its name.
fn evil_program() -> String {
    format!(
        r#"package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime/pprof"
	"time"
)

const evil = {EVIL:?}

func lost(never chan int) {{ never <- 1 }}

func main() {{
	fmt.Println("READY evil")
	pprof.Do(context.Background(), pprof.Labels(evil, evil), func(context.Context) {{
		go func() {{
			for range time.Tick(50 * time.Millisecond) {{
				go lost(make(chan int)) // leaks
			}}
		}}()
	}})
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {{
	}}
}}
"#
    )
    // Go writes code points as \u with four digits, and Rust with braces.
    .replace("\\u{1b}", "\\x1b")
    .replace("\\u{9b}", "\\u009b")
    .replace("\\u{202e}", "\\u202e")
    .replace("\\'", "'")
}

fn configuration(directory: &Path, more: &str) -> String {
    let directory = directory.display();
    format!(
        "[node]\nbudget = \"unlimited\"\ninterval = \"200ms\"\nhistory_file = \"{directory}/history.db\"\n\
         stop_file = \"{directory}/stop\"\n[stdout]\nevents = \"all\"\nstatus = \"1s\"\n\
         [[watch]]\nexe = \"{directory}/**\"\n{more}"
    )
}

/// The daemon with all that it has to say on stderr.
fn verbose() -> Command {
    let mut command = Command::new(agent::binary().unwrap());
    command.arg("-vvv");
    command
}

/// What a terminal might obey, or a line that somebody else has begun.
fn assert_harmless(what: &str, text: &str) {
    for line in text.lines() {
        let is_bad = |c: char| c.is_control() || c == '\u{202e}';
        assert!(!line.contains(is_bad), "{what}: {line:?}");
        assert!(!line.starts_with("WARN forged"), "{what}: {line:?}");
    }
}

fn leaks(target: &Value, name: &str) -> Result<()> {
    let leaks = target["leaks"].as_array().context("no leaks")?;
    ensure!(
        leaks
            .iter()
            .any(|leak| leak["site"].to_string().contains(name)),
        "{leaks:?}"
    );
    Ok(())
}

fn status_text(node: &Node) -> String {
    let said = agent::answer(&["status", "--address", &node.listen, "--format", "text"]).unwrap();
    String::from_utf8(said).unwrap()
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn nobody_forges_what_is_shown() {
    need!(skip::is_root(), "needs root");
    let toolchain = go::newest().unwrap();
    let built = go::build_text("evil", &evil_program(), &toolchain).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let evil: PathBuf = directory.path().join(EVIL);
    std::fs::create_dir(&evil).unwrap();
    let program = evil.join(EVIL);
    std::fs::copy(built, &program).unwrap();
    let mut command = Command::new(&program);
    command.env("OTEL_SERVICE_NAME", EVIL);
    command.env(
        "OTEL_RESOURCE_ATTRIBUTES",
        OsStr::new(&format!("{EVIL}=1,host={EVIL}")),
    );
    command.args([EVIL, "--"]).current_dir(directory.path());
    let target = Target::spawn(command).unwrap();
    let pid = target.pid();

    let mut node = Node::run(&configuration(directory.path(), ""), verbose()).unwrap();
    node.until(|watched| {
        leaks(watched.get(&pid).context("it is not watched")?, "main.lost")
            .or_else(|_| leaks(&watched[&pid], "main.main"))
    })
    .unwrap();
    let told = node
        .agent
        .wait_for("leak", |leak| leak["pid"] == pid)
        .unwrap();
    assert!(
        told["labels"].to_string().contains("forged"),
        "the label is told: {told}"
    );

    let status = status_text(&node);
    // Not all of it: there is only so much room.
    assert!(status.contains("WARN for"), "the name is shown: {status}");
    assert_harmless("gostray status", &status);
    let json = node.get("/status").unwrap();
    // Quoted, as JSON has it: the raw text has nothing for a terminal but what is no ASCII.
    assert!(
        !json.contains(|c: char| c.is_ascii_control() && c != '\n'),
        "{json:?}"
    );
    let metrics = node.get("/metrics").unwrap();
    assert!(metrics.contains("forged"), "the name is told");
    assert!(
        !metrics.contains(|c: char| c.is_control() && c != '\n'),
        "{metrics:?}"
    );
    for line in metrics.lines() {
        assert!(
            line.starts_with("gostray_")
                || line.starts_with("go_")
                || line.starts_with('#')
                || line.starts_with("process_")
                || line.starts_with("target_"),
            "{line:?}"
        );
    }
    if Path::new(PROMTOOL).exists() {
        assert_eq!(promtool(&metrics), "");
    }
    assert_harmless("/debug/pprof/", &node.get("/debug/pprof/").unwrap());
    serde_json::from_str::<Value>(&node.get("/debug/pprof/targets").unwrap()).unwrap();
    node.get(&format!("/debug/pprof/goroutine?pid={pid}&debug=1"))
        .unwrap();
    // Each line of stdout has been JSON, or `wait_for` would have failed; so are the rest.
    let end = node.stop().unwrap();
    assert_harmless("stderr", &end.stderr);
    assert!(end.events.iter().any(|event| event["event"] == "detached"));
    for directory in [directory.path(), Path::new("."), Path::new("/")] {
        assert!(
            !directory.join("gostray-was-here").exists(),
            "{}",
            directory.display()
        );
    }
}

/// What it has against the metrics, but for their number of labels.
fn promtool(metrics: &str) -> String {
    let mut child = Command::new(PROMTOOL)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(metrics.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8(said).unwrap()
}

/// A receiver that is sent secrets, and quotes them when it refuses.
struct Indiscreet {
    address: String,
    requests: Receiver<String>,
}

impl Indiscreet {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                // A connection that breaks is the sender's affair.
                std::thread::spawn(move || quote(stream, &sender));
            }
        });
        Self { address, requests }
    }

    fn has_seen(&self, secret: &str) {
        while !self
            .requests
            .recv_timeout(PATIENCE)
            .unwrap()
            .contains(secret)
        {}
    }
}

fn quote(stream: TcpStream, sender: &Sender<String>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            ensure!(stream.read_line(&mut head)? > 0, "the connection has ended");
        }
        let lower = head.to_ascii_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: u64 = length.context("no length")?.parse()?;
        let mut body = Vec::new();
        (&mut stream).take(length).read_to_end(&mut body)?;
        let said = head.replace("\r\n", " ");
        write!(
            stream.get_mut(),
            "HTTP/1.1 403 {said:.200}\r\nContent-Length: {}\r\nContent-Type: text/plain\r\n\r\n{said}",
            said.len()
        )?;
        sender.send(head)?;
    }
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn secrets_are_told_to_those_they_are_meant_for() {
    const SECRETS: [&str; 4] = ["s3cr3t-bearer", "s3cr3t-key", "s3cr3t-path", "s3cr3t-query"];
    need!(skip::is_root(), "needs root");
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("lodger");
    let lodger = go::build("lodger", &go::newest().unwrap(), Mode::Stripped).unwrap();
    std::fs::copy(lodger, &program).unwrap();
    let mut target = Target::start(&program, &[], &[]).unwrap();
    target.ask("leak 10").unwrap();
    let pid = target.pid();
    let receiver = Indiscreet::start();
    // Nobody is there, so that it is a connection that fails.
    let nobody = format!("127.0.0.1:{}", gostray_tests::http::free_port().unwrap());
    let headers = directory.path().join("headers");
    std::fs::write(&headers, "X-Key: s3cr3t-key\n").unwrap();
    let headers = headers.display();
    let sinks = |otlp: &str, protocol: &str| {
        let address = &receiver.address;
        format!(
            "[otlp]\nendpoint = \"http://{otlp}\"\nprotocol = \"{protocol}\"\ninterval = \"1s\"\n\
             headers = {{ authorization = \"Bearer s3cr3t-bearer\" }}\nheaders_file = \"{headers}\"\n\
             [[webhook]]\nurl = \"http://{address}/s3cr3t-path?token=s3cr3t-query\"\n\
             verdicts = [\"suspect\", \"likely\", \"proven\"]\nheaders_file = \"{headers}\"\n\
             [[webhook]]\nurl = \"http://{nobody}/s3cr3t-path?token=s3cr3t-query\"\n\
             verdicts = [\"suspect\", \"likely\", \"proven\"]\n"
        )
    };
    let all = configuration(directory.path(), &sinks(&receiver.address, "http"));
    let mut node = Node::run(&all, verbose()).unwrap();
    let told = |node: &mut Node| {
        [
            node.get("/status").unwrap(),
            node.get("/metrics").unwrap(),
            status_text(node),
        ]
    };
    receiver.has_seen("s3cr3t-bearer");
    let leak = node
        .agent
        .wait_for("leak", |leak| leak["pid"] == pid)
        .unwrap();
    receiver.has_seen("s3cr3t-path?token=s3cr3t-query");
    let failed = |agent: &Value| {
        let sinks = agent["sinks"].as_array().unwrap();
        sinks
            .iter()
            .filter(|sink| sink["last_error"].is_string())
            .count()
            >= 3
    };
    let began = std::time::Instant::now();
    while !failed(&node.status().unwrap()["agent"]) {
        assert!(
            began.elapsed() < PATIENCE,
            "{}",
            node.status().unwrap()["agent"]
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let mut said = told(&mut node).to_vec();
    said.push(leak.to_string());
    // The same by gRPC, which this receiver does not understand.
    let all = configuration(directory.path(), &sinks(&receiver.address, "grpc"));
    assert!(node.reload(&all).unwrap());
    std::thread::sleep(std::time::Duration::from_secs(3));
    said.extend(told(&mut node));
    // A mistake beside a secret.
    assert!(
        !node
            .reload(&all.replace("headers = {", "headers = \"s3cr3t-key\" # {"))
            .unwrap()
    );
    assert!(
        !node
            .reload(&all.replace("protocol = \"grpc\"", "protocol = 7"))
            .unwrap()
    );
    let end = node.stop().unwrap();
    assert!(end.stderr.contains("TRACE"), "it says all it can");
    said.push(end.stderr);
    said.extend(end.events.iter().map(Value::to_string));
    for secret in SECRETS {
        for text in &said {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} is told");
        }
    }
}
