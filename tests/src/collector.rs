//! A real OpenTelemetry Collector (`tests/servers/collector`), and what it has received.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::go;
use crate::http::free_port;
use crate::lines::PATIENCE;

/// A collector that can be stopped and started again; its ports and files stay.
pub struct Collector {
    exe: PathBuf,
    directory: TempDir,
    running: Option<Child>,
    scheme: &'static str,
    grpc: u16,
    http: u16,
}

impl Collector {
    /// Builds it, if need be, and starts it: with TLS if there are a certificate and a key.
    ///
    /// # Errors
    /// It cannot be built, or does not start.
    pub fn start(tls: Option<(&Path, &Path)>) -> Result<Self> {
        Self::start_asking(tls, None)
    }

    /// As [`Collector::start`]; takes nothing from those who show no certificate of `clients`.
    ///
    /// # Errors
    /// It cannot be built, or does not start.
    pub fn start_asking(tls: Option<(&Path, &Path)>, clients: Option<&Path>) -> Result<Self> {
        let mut collector = Self {
            exe: go::build_server("collector", &go::newest()?)?,
            directory: tempfile::tempdir()?,
            running: None,
            scheme: if tls.is_some() { "https" } else { "http" },
            grpc: free_port()?,
            http: free_port()?,
        };
        let tls = tls.map_or(String::new(), |(certificate, key)| {
            let (certificate, key) = (certificate.display(), key.display());
            let clients = clients.map_or(String::new(), |clients| {
                format!(", client_ca_file: {}", clients.display())
            });
            format!(", tls: {{ cert_file: {certificate}, key_file: {key}{clients} }}")
        });
        let config = format!(
            "receivers:\n  otlp:\n    protocols:\n      \
             grpc: {{ endpoint: 127.0.0.1:{}{tls} }}\n      \
             http: {{ endpoint: 127.0.0.1:{}{tls} }}\n\
             exporters:\n  file:\n    path: {}\n    append: true\n\
             service:\n  telemetry:\n    metrics: {{ level: none }}\n  pipelines:\n    \
             logs: {{ receivers: [otlp], exporters: [file] }}\n    \
             metrics: {{ receivers: [otlp], exporters: [file] }}\n",
            collector.grpc,
            collector.http,
            collector.received_file().display()
        );
        fs::write(collector.config_file(), config)?;
        collector.go_on()?;
        Ok(collector)
    }

    /// Where it takes OTLP over gRPC.
    #[must_use]
    pub fn grpc(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.grpc)
    }

    /// Where it takes OTLP over HTTP.
    #[must_use]
    pub fn http(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.http)
    }

    /// Starts it again.
    ///
    /// # Errors
    /// It does not take connections.
    pub fn go_on(&mut self) -> Result<()> {
        let log = fs::File::create(self.directory.path().join("log"))?;
        let child = Command::new(&self.exe)
            .arg(self.config_file())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let child = self.running.insert(child);
        // It has no handshake but to take connections; asking again needs no clock.
        let deadline = Instant::now() + PATIENCE;
        for port in [self.grpc, self.http] {
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                let ended = child.try_wait()?;
                ensure!(
                    ended.is_none() && Instant::now() < deadline,
                    "the collector takes no connections: {}",
                    fs::read_to_string(self.directory.path().join("log"))?
                );
                std::thread::yield_now();
            }
        }
        Ok(())
    }

    /// Ends it, so that all it has received is in its file.
    ///
    /// # Errors
    /// It does not run.
    pub fn stop(&mut self) -> Result<()> {
        let mut child = self.running.take().context("the collector does not run")?;
        kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGTERM)?;
        child.wait()?;
        Ok(())
    }

    /// All requests it has received until it was stopped, as OTLP has them in JSON.
    ///
    /// # Errors
    /// Its file is no such thing.
    pub fn received(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.received_file())?;
        let lines = text.lines().map(|line| Ok(serde_json::from_str(line)?));
        lines.collect()
    }

    fn config_file(&self) -> PathBuf {
        self.directory.path().join("config.yaml")
    }

    fn received_file(&self) -> PathBuf {
        self.directory.path().join("received.json")
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The only element of a list.
///
/// # Errors
/// There are none, or more.
pub fn only<'a>(value: &'a Value, list: &str) -> Result<&'a Value> {
    let list = value[list]
        .as_array()
        .with_context(|| format!("no {list}"))?;
    ensure!(list.len() == 1, "{} instead of one: {list:?}", list.len());
    Ok(&list[0])
}

/// Attributes as one object of plain values.
#[must_use]
pub fn attributes(of: &Value) -> Value {
    let plain = |value: &Value| -> Value {
        let Some((kind, inner)) = value.as_object().and_then(|v| v.iter().next()) else {
            return Value::Null;
        };
        match kind.as_str() {
            // 64 bits are text in protobuf's JSON.
            "intValue" => inner.as_str().and_then(|n| n.parse::<i64>().ok()).into(),
            _ => inner.clone(),
        }
    };
    let list = of["attributes"].as_array().cloned().unwrap_or_default();
    let pairs = list.iter().map(|attribute| {
        let value = &attribute["value"];
        let value = match value["arrayValue"]["values"].as_array() {
            Some(values) => values.iter().map(plain).collect(),
            None => plain(value),
        };
        (
            attribute["key"].as_str().unwrap_or_default().to_owned(),
            value,
        )
    });
    Value::Object(pairs.collect())
}

/// A certificate for `localhost` that nobody else has signed, for servers and clients, and its key, made by Go's
/// own tool, which makes them for servers alone.
///
/// # Errors
/// The tool fails.
pub fn certificate(directory: &Path) -> Result<(PathBuf, PathBuf)> {
    let toolchain = go::newest()?;
    let tool = toolchain.root.join("src/crypto/tls/generate_cert.go");
    let (server, both) = (
        "x509.ExtKeyUsageServerAuth",
        "x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth",
    );
    let text = fs::read_to_string(tool)?;
    ensure!(text.contains(server), "generate_cert.go is another one");
    let tool = directory.join("generate_cert.go");
    fs::write(&tool, text.replace(server, both))?;
    let status = toolchain
        .go()
        .arg("run")
        .arg(tool)
        .args(["--host", "localhost", "--ecdsa-curve", "P256"])
        .current_dir(directory)
        .stderr(Stdio::null())
        .status()?;
    ensure!(status.success(), "generate_cert.go: {status}");
    Ok((directory.join("cert.pem"), directory.join("key.pem")))
}
