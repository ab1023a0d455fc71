//! Servers nobody here wrote, as Debian ships them, and load for them.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::http::{Connection, Load, free_port};
use crate::lines::PATIENCE;

/// Where etcd is, if it is installed.
pub const ETCD: &str = "/usr/bin/etcd";
/// Where Caddy is, if it is installed.
pub const CADDY: &str = "/usr/bin/caddy";

/// A server process; killed when dropped.
pub struct Server {
    child: Child,
    /// `host:port` where it answers.
    pub host: String,
    _directory: TempDir,
}

impl Server {
    fn start(command: &mut Command, host: String, ready: &str, directory: TempDir) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self {
            child,
            host,
            _directory: directory,
        };
        // Servers have no handshake of their own but to answer; asking again needs no clock.
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Connection::open(&server.host).and_then(|mut c| c.request("GET", ready, "")) {
                Ok(_) => return Ok(server),
                Err(e) if Instant::now() > deadline => {
                    return Err(e.context("the server does not answer"));
                }
                Err(_) => std::thread::yield_now(),
            }
        }
    }

    /// etcd with a new store, and writers and readers.
    ///
    /// # Errors
    /// It does not start.
    pub fn etcd() -> Result<(Self, Load)> {
        let data = tempfile::tempdir()?;
        let (client, peer) = (free_port()?, free_port()?);
        let host = format!("127.0.0.1:{client}");
        let (client, peer) = (format!("http://{host}"), format!("http://127.0.0.1:{peer}"));
        let mut command = Command::new(ETCD);
        command.arg("--data-dir").arg(data.path()).args([
            "--unsafe-no-fsync",
            "--log-level",
            "error",
        ]);
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
        let server = Self::start(&mut command, host, "/health", data)?;
        let load = Load::start(&server.host, 8, |connection, number| {
            // The gateway speaks base64: "a2V5" and "dmFsdWU=" are key and value.
            let put =
                connection.request("POST", "/v3/kv/put", r#"{"key":"a2V5","value":"dmFsdWU="}"#)?;
            ensure!(
                put.contains("revision"),
                "put {number} was answered by {put}"
            );
            let got = connection.request("POST", "/v3/kv/range", r#"{"key":"a2V5"}"#)?;
            ensure!(
                got.contains("dmFsdWU="),
                "range {number} was answered by {got}"
            );
            Ok(())
        });
        Ok((server, load))
    }

    /// Caddy with a page, and readers.
    ///
    /// # Errors
    /// It does not start.
    pub fn caddy() -> Result<(Self, Load)> {
        let directory = tempfile::tempdir()?;
        let host = format!("127.0.0.1:{}", free_port()?);
        std::fs::write(directory.path().join("page.txt"), "x".repeat(10_000))?;
        let config = directory.path().join("Caddyfile");
        let text = format!(
            "{{\n admin off\n auto_https off\n}}\nhttp://{host} {{\n root * {}\n encode gzip\n file_server\n}}\n",
            directory.path().display()
        );
        std::fs::write(&config, text)?;
        let mut command = Command::new(CADDY);
        command
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(&config);
        command
            .env("HOME", directory.path())
            .env("XDG_DATA_HOME", directory.path())
            .env("XDG_CONFIG_HOME", directory.path());
        let server = Self::start(&mut command, host, "/page.txt", directory)?;
        let load = Load::start(&server.host, 8, |connection, _| {
            let page = connection.request("GET", "/page.txt", "")?;
            ensure!(page.len() == 10_000, "a page of {} bytes", page.len());
            Ok(())
        });
        Ok((server, load))
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
