//! The configuration file: TOML, every value checked; an error names file, line and key.

mod bounded;
mod node;
mod values;

pub use bounded::{Number, Period};
pub use node::{Interval, NodeConfig};
pub use values::{NodeBudget, NodeMemory, duration};

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::Spanned;

use crate::{
    detect::Suppression,
    discover::{RuleList, RulesConfig, kubernetes::KubernetesConfig},
    export::{
        ExportConfig,
        config::{OtlpConfig, StdoutConfig, WebhookConfig},
    },
    listen::{self, ListenConfig},
};

/// Larger ones are a mistake.
const MAX_BYTES: u64 = 1 << 20;

const BEGINNING: &str = "\
# gostray's configuration, for `gostray daemon` and, as far as known leaks go, `gostray attach`.
# What is commented out with # before the key is the default. SIGHUP reads the file again.
";

const SUPPRESS: &str = r#"# Leaks that are known and left alone: told with the reason, counted apart. A table fits where all of its
# site, package and label do.
#[[suppress]]
# The function of the `go` statement.
#site = "main.poll"
# A package, or all below one with `/...`.
#package = "example.com/legacy/..."
# A pprof label of the goroutines, NAME=VALUE.
#label = "job=report"
# Why: it is shown.
#reason = "ends with the process"
"#;

/// What can be configured.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Leaks that are known, and not reported as such.
    pub suppressions: Vec<Suppression>,
    /// What the daemon may take.
    pub node: NodeConfig,
    /// Which programs it watches.
    pub rules: RulesConfig,
    /// Whom it asks about pods.
    pub kubernetes: KubernetesConfig,
    /// Where it tells events and metrics.
    pub exports: ExportConfig,
    /// Where it answers requests.
    pub listen: ListenConfig,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not readable.
    #[error("configuration {}: {source}{}", path.display(), help(source))]
    Read {
        /// Which file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// Not TOML, or with values that cannot be.
    #[error("configuration {}: {reason}", path.display())]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Line, key and what is wrong.
        reason: String,
    },
}

fn help(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "; `gostray daemon --example-config` writes one to begin with, `--config` names another"
        }
        _ => "",
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    suppress: Vec<Spanned<Entry>>,
    #[serde(default)]
    node: NodeConfig,
    #[serde(default)]
    watch: RuleList,
    #[serde(default)]
    ignore: RuleList,
    #[serde(default)]
    kubernetes: KubernetesConfig,
    otlp: Option<OtlpConfig>,
    #[serde(default)]
    webhook: Vec<WebhookConfig>,
    stdout: Option<StdoutConfig>,
    listen: Option<Spanned<ListenConfig>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    site: Option<String>,
    package: Option<String>,
    label: Option<String>,
    reason: String,
}

impl Config {
    /// Where it is unless told otherwise.
    pub const DEFAULT: &str = "/etc/gostray/gostray.toml";

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// It cannot be read, or is wrong.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let read = fs::metadata(path).and_then(|file| match file.len() {
            0..=MAX_BYTES => fs::read_to_string(path),
            bytes => Err(io::Error::other(format!(
                "{bytes} bytes are more than a configuration has"
            ))),
        });
        let text = read.map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|reason| ConfigError::Invalid {
            path: path.to_owned(),
            reason,
        })
    }

    /// The default file's, or an empty one where there is none.
    ///
    /// # Errors
    /// It is there and cannot be read, or is wrong.
    pub fn read_default() -> Result<Self, ConfigError> {
        match Self::read(Path::new(Self::DEFAULT)) {
            Err(ConfigError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            read => read,
        }
    }

    /// A configuration with all sections and keys, each explained.
    #[must_use]
    pub fn example() -> String {
        let sections = [
            BEGINNING,
            NodeConfig::EXAMPLE,
            RulesConfig::EXAMPLE,
            SUPPRESS,
            StdoutConfig::EXAMPLE,
            &commented_out(OtlpConfig::EXAMPLE),
            &commented_out(WebhookConfig::EXAMPLE),
            listen::EXAMPLE,
            KubernetesConfig::EXAMPLE,
        ];
        sections.join("\n")
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| {
            let place = error.span().map(|span| place_of(text, span.start));
            let said = without_value(error.message());
            format!("{}{said}", place.unwrap_or_default())
        })?;
        let listen = match file.listen {
            None => ListenConfig::default(),
            Some(listen) => {
                let line = line_of(text, listen.span().start);
                let listen = listen.into_inner();
                let checked = listen.check();
                checked.map_err(|error| format!("line {line}: {error}"))?;
                listen
            }
        };
        let suppressions = file.suppress.into_iter().map(|entry| {
            let line = line_of(text, entry.span().start);
            let entry = entry.into_inner().checked();
            entry.map_err(|reason| format!("line {line}: suppress: {reason}"))
        });
        Ok(Self {
            suppressions: suppressions.collect::<Result<_, _>>()?,
            node: file.node,
            rules: RulesConfig {
                watch: file.watch,
                ignore: file.ignore,
            },
            kubernetes: file.kubernetes,
            exports: ExportConfig {
                otlp: file.otlp,
                webhooks: file.webhook,
                stdout: file.stdout,
            },
            listen,
        })
    }
}

impl Entry {
    fn checked(self) -> Result<Suppression, &'static str> {
        if self.site.is_none() && self.package.is_none() && self.label.is_none() {
            return Err("say what to suppress: site, package or label");
        }
        if self.reason.trim().is_empty() {
            return Err("reason: say why, it is shown with what is suppressed");
        }
        let named = [&self.site, &self.package, &self.label];
        if named
            .into_iter()
            .flatten()
            .any(|name| name.trim().is_empty())
        {
            return Err("an empty name fits nothing");
        }
        let label = match self.label {
            None => None,
            Some(label) => {
                let (name, value) = label.split_once('=').ok_or("label: write NAME=VALUE")?;
                Some((name.to_owned(), value.to_owned()))
            }
        };
        Ok(Suppression {
            site: self.site,
            package: self.package,
            label,
            reason: self.reason,
        })
    }
}

/// Nothing is sent anywhere before somebody has said where: a section that would.
fn commented_out(section: &str) -> String {
    let lines = section.lines().map(|line| match line.chars().next() {
        None | Some('#') => format!("{line}\n"),
        Some(_) => format!("#{line}\n"),
    });
    lines.collect()
}

/// An error of the parser without the text it quotes, which may be a secret in a wrong place.
fn without_value(message: &str) -> String {
    let wrong = ["invalid type: string ", "invalid value: string "];
    for beginning in wrong {
        if let Some(rest) = message.strip_prefix(beginning)
            && let Some((_, expected)) = rest.rsplit_once(", expected ")
        {
            return format!("{}, expected {expected}", beginning.trim_end());
        }
    }
    message.to_owned()
}

/// The line, and which key is written there, as far as it can be told.
fn place_of(text: &str, offset: usize) -> String {
    let line = line_of(text, offset);
    let mut lines: Vec<&str> = text.lines().take(line).map(str::trim).collect();
    let at = lines.pop().unwrap_or_default();
    let key = at.split_once('=').map(|(key, _)| key.trim());
    let is_table = |line: &&str| line.starts_with('[');
    let table = lines.into_iter().rfind(is_table);
    let table = table.map(|table| table.trim_matches(['[', ']', ' ']));
    match (table, key) {
        (Some(table), Some(key)) => format!("line {line}: {table}.{key}: "),
        (None, Some(key)) => format!("line {line}: {key}: "),
        _ => format!("line {line}: "),
    }
}

/// From 1.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.bytes().take(offset);
    before.filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests;
