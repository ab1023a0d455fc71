//! Servers nobody here wrote, stripped as Debian ships them, under load: they keep serving.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gostray_tests::agent::Agent;
use gostray_tests::http::{Connection, Load, free_port};
use gostray_tests::lines::PATIENCE;
use gostray_tests::{need, probes, skip};

/// A server process; killed when dropped.
struct Server(Child);

impl Server {
    fn start(command: &mut Command, host: &str, ready: &str) -> Result<Self> {
        let server = Self(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?,
        );
        // Servers have no handshake of their own but to answer; asking again needs no clock.
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Connection::open(host).and_then(|mut c| c.request("GET", ready, "")) {
                Ok(_) => return Ok(server),
                Err(e) if Instant::now() > deadline => {
                    return Err(e.context("the server does not answer"));
                }
                Err(_) => std::thread::yield_now(),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Attach, watch five reports, detach, all under load; then more load.
fn watch(server: &Server, load: Load) -> Result<()> {
    let pid = server.0.id();
    let agent = Agent::attach(pid, &["--interval", "500ms"])?;
    let attached = agent.attached()?;
    anyhow::ensure!(
        attached["process"]["go_version"].as_str().is_some(),
        "{attached}"
    );
    let mut created = 0;
    for _ in 0..5 {
        let before = load.done();
        let status = agent.wait_for("status", |_| load.done() > before)?;
        // Unknown is a value with a reason, never a zero.
        match status["goroutines"].as_u64() {
            Some(goroutines) => {
                anyhow::ensure!((3..5000).contains(&goroutines), "{goroutines} goroutines")
            }
            None => anyhow::ensure!(
                status["unknown"]["goroutines"].is_string(),
                "no goroutines, and no reason: {status}"
            ),
        }
        let sites = status["sites"].as_array().context("no sites")?;
        created = sites.iter().filter_map(|s| s["created"].as_u64()).sum();
        for site in sites {
            anyhow::ensure!(
                site["site"]["created_at"]["file"].is_string(),
                "a site without a place: {site}"
            );
        }
    }
    anyhow::ensure!(created > 0, "a busy server created no goroutine");
    agent.stop_cleanly()?;
    anyhow::ensure!(
        probes::changed_bytes(pid)?.is_empty(),
        "a breakpoint was left behind"
    );
    let detached = load.done();
    let deadline = Instant::now() + Duration::from_secs(60);
    while load.done() < detached + 200 {
        anyhow::ensure!(Instant::now() < deadline, "the server has stopped serving");
        std::thread::yield_now();
    }
    let requests = load.finish()?;
    eprintln!("{requests} requests, no error; {created} goroutines seen");
    Ok(())
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn etcd_keeps_serving() {
    need!(skip::is_root(), "needs root");
    need!(
        Path::new("/usr/bin/etcd").exists(),
        "etcd-server is not installed"
    );
    let data = tempfile::tempdir().unwrap();
    let (client, peer) = (free_port().unwrap(), free_port().unwrap());
    let host = format!("127.0.0.1:{client}");
    let (client, peer) = (format!("http://{host}"), format!("http://127.0.0.1:{peer}"));
    let mut command = Command::new("/usr/bin/etcd");
    command
        .arg("--data-dir")
        .arg(data.path())
        .args(["--unsafe-no-fsync", "--log-level", "error"]);
    command.args([
        "--listen-client-urls",
        &client,
        "--advertise-client-urls",
        &client,
    ]);
    command.args([
        "--listen-peer-urls",
        &peer,
        "--initial-advertise-peer-urls",
        &peer,
    ]);
    command.args(["--initial-cluster", &format!("default={peer}")]);
    let server = Server::start(&mut command, &host, "/health").unwrap();
    let load = Load::start(&host, 8, |connection, number| {
        // The gateway speaks base64: "a2V5" and "dmFsdWU=" are key and value.
        let put =
            connection.request("POST", "/v3/kv/put", r#"{"key":"a2V5","value":"dmFsdWU="}"#)?;
        anyhow::ensure!(
            put.contains("revision"),
            "put {number} was answered by {put}"
        );
        let got = connection.request("POST", "/v3/kv/range", r#"{"key":"a2V5"}"#)?;
        anyhow::ensure!(
            got.contains("dmFsdWU="),
            "range {number} was answered by {got}"
        );
        Ok(())
    });
    watch(&server, load).unwrap();
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn caddy_keeps_serving() {
    need!(skip::is_root(), "needs root");
    need!(
        Path::new("/usr/bin/caddy").exists(),
        "caddy is not installed"
    );
    let directory = tempfile::tempdir().unwrap();
    let host = format!("127.0.0.1:{}", free_port().unwrap());
    std::fs::write(directory.path().join("page.txt"), "x".repeat(10_000)).unwrap();
    let config = directory.path().join("Caddyfile");
    let text = format!(
        "{{\n admin off\n auto_https off\n}}\nhttp://{host} {{\n root * {}\n encode gzip\n file_server\n}}\n",
        directory.path().display()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new("/usr/bin/caddy");
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(&config);
    command
        .env("HOME", directory.path())
        .env("XDG_DATA_HOME", directory.path())
        .env("XDG_CONFIG_HOME", directory.path());
    let server = Server::start(&mut command, &host, "/page.txt").unwrap();
    let load = Load::start(&host, 8, |connection, _| {
        let page = connection.request("GET", "/page.txt", "")?;
        anyhow::ensure!(page.len() == 10_000, "a page of {} bytes", page.len());
        Ok(())
    });
    watch(&server, load).unwrap();
}
