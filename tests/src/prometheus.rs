//! A real Prometheus, what it has scraped, and the text that it scrapes.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::http::{Connection, free_port};
use crate::lines::PATIENCE;

/// Where Debian has it.
pub const PROMETHEUS: &str = "/usr/bin/prometheus";
/// And its tool.
pub const PROMTOOL: &str = "/usr/bin/promtool";

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(50);

/// A series: its name and labels.
pub type Series = BTreeMap<String, String>;

/// The series of the text format, as far as we write it.
///
/// # Errors
/// It is not that format, or has a series twice.
pub fn parse(text: &str) -> Result<BTreeMap<Series, f64>> {
    let mut all = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let end = line.find(['{', ' ']).context("no value")?;
        let mut series = Series::from([("__name__".into(), line[..end].into())]);
        let mut rest = line[end..].strip_prefix('{').unwrap_or("}");
        while !rest.starts_with('}') {
            let (key, value) = rest.split_once("=\"").with_context(|| line.to_owned())?;
            let (mut text, mut end, mut escaped) = (String::new(), None, false);
            for (at, c) in value.char_indices() {
                match c {
                    'n' if escaped => text.push('\n'),
                    '"' if !escaped => {
                        end = Some(at);
                        break;
                    }
                    '\\' if !escaped => {
                        escaped = true;
                        continue;
                    }
                    c => text.push(c),
                }
                escaped = false;
            }
            rest = &value[end.context("a label without an end")? + 1..];
            rest = rest.strip_prefix(',').unwrap_or(rest);
            series.insert(key.into(), text);
        }
        let value = line.rsplit(' ').next().unwrap_or_default().parse()?;
        ensure!(all.insert(series, value).is_none(), "twice: {line}");
    }
    Ok(all)
}

/// Prometheus; killed when dropped.
pub struct Prometheus {
    child: Child,
    host: String,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    /// One that scrapes what listens at `address` each second.
    ///
    /// # Errors
    /// It does not start.
    pub fn scraping(address: &str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let config = directory.path().join("prometheus.yml");
        let text = format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n- job_name: gostray\n  static_configs:\n  \
             - targets: ['{address}']\n"
        );
        std::fs::write(&config, text)?;
        let check = Command::new(PROMTOOL)
            .args(["check", "config"])
            .arg(&config)
            .output()?;
        ensure!(check.status.success(), "{check:?}");
        let host = format!("127.0.0.1:{}", free_port()?);
        let child = Command::new(PROMETHEUS)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={host}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self {
            child,
            host,
            _directory: directory,
        })
    }

    /// What its API answers.
    ///
    /// # Errors
    /// It does not, or not well.
    pub fn ask(&self, path: &str) -> Result<Value> {
        let body = Connection::open(&self.host)?.request("GET", path, "")?;
        let answer: Value = serde_json::from_str(&body)?;
        ensure!(answer["status"] == "success", "{body:.300}");
        Ok(answer["data"].clone())
    }

    /// The newest values of our series, once they fit.
    ///
    /// # Errors
    /// They never did.
    pub fn series(
        &self,
        fits: impl Fn(&BTreeMap<Series, f64>) -> bool,
    ) -> Result<BTreeMap<Series, f64>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // {__name__=~"gostray_.+"}
            let query = "/api/v1/query?query=%7B__name__%3D~%22gostray_.%2B%22%7D";
            let all = self.ask(query).and_then(|data| {
                let all = data["result"].as_array().into_iter().flatten();
                all.map(series).collect::<Result<BTreeMap<_, _>>>()
            });
            match all {
                Ok(all) if fits(&all) => return Ok(all),
                Ok(all) if Instant::now() > deadline => bail!("not among these: {all:?}"),
                Err(error) if Instant::now() > deadline => return Err(error),
                _ => std::thread::sleep(PAUSE),
            }
        }
    }
}

/// One result of a query, without what Prometheus says of where it was scraped.
fn series(result: &Value) -> Result<(Series, f64)> {
    let mut labels: Series = serde_json::from_value(result["metric"].clone())?;
    ensure!(
        labels.remove("job").as_deref() == Some("gostray"),
        "{result}"
    );
    labels.remove("instance");
    let value = result["value"][1].as_str().context("no value")?;
    Ok((labels, value.parse()?))
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
