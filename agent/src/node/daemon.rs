//! The daemon as it begins: its configuration, its sinks, its listener.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Instant, SystemTime},
};

use super::{
    manager::Manager,
    message::{Mailbox, mailbox},
    meter::Meter,
    privileges::{self, PrivilegesError},
    registry::Registry,
    sample, settings,
    view::View,
    watcher::Common,
};
use crate::{
    config::{Config, ConfigError},
    discover::{
        Discovery, Pods, Rules,
        kubernetes::{Kubernetes, KubernetesError},
    },
    export::{ExportError, Exports, HostIdentity},
    listen::{ListenError, Listener},
    report::node::NodeSample,
};

/// Why there is no daemon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its sinks.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Whom it asks about pods.
    #[error(transparent)]
    Kubernetes(#[from] KubernetesError),
    /// Its listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// It may not do what it is there for.
    #[error(transparent)]
    Privileges(#[from] PrivilegesError),
    /// The operating system.
    #[error("the daemon cannot {what}: {source}")]
    Io {
        /// What it cannot do.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Watches all Go programs of a node.
pub struct Daemon {
    pub(super) path: PathBuf,
    pub(super) config: Config,
    pub(super) common: Arc<Common>,
    pub(super) sender: super::message::Sender,
    pub(super) mailbox: Mailbox,
    pub(super) discovery: Discovery,
    pub(super) kubernetes: Option<Arc<Kubernetes>>,
    pub(super) registry: Registry,
    pub(super) exports: Exports,
    pub(super) listener: Option<Listener>,
    pub(super) view: Arc<View>,
    pub(super) manager: Manager,
    pub(super) meter: Meter,
    /// Of threads that have ended.
    pub(super) gone: (f64, f64),
    pub(super) watchers: u64,
    /// When the budget is shared anew.
    pub(super) next_sharing: Instant,
    /// What their kernel sides lost.
    pub(super) lost: u64,
    pub(super) errors: BTreeMap<&'static str, u64>,
    pub(super) reloads: u64,
    pub(super) started: SystemTime,
    pub(super) is_ending: bool,
}

impl Daemon {
    /// Reads the configuration at `path`, and begins to deliver and to listen.
    ///
    /// # Errors
    /// The configuration is wrong, or something of it cannot be had.
    pub fn start(path: &Path) -> Result<Self, DaemonError> {
        let config = Config::read(path)?;
        privileges::check(config.node.probes)?;
        let (sender, mailbox) = mailbox().map_err(|source| DaemonError::Io {
            what: "make a mailbox",
            source,
        })?;
        let kubernetes = Kubernetes::start(&config.kubernetes)?.map(Arc::new);
        let pods = kubernetes
            .clone()
            .map(|kubernetes| kubernetes as Arc<dyn Pods>);
        let rules = Rules::new(config.rules.clone());
        let common = Common::new(rules, pods, settings(&config, 0));
        let common = Arc::new(common.map_err(|source| DaemonError::Io {
            what: "start threads",
            source,
        })?);
        let exports = Exports::start(&config.exports, &HostIdentity::of_this_machine())?;
        let (now, started) = (Instant::now(), SystemTime::now());
        let mut daemon = Self {
            view: Arc::new(View::new(
                Arc::clone(&common),
                NodeSample {
                    targets: Vec::new(),
                    agent: sample::agent(&config, started),
                },
            )),
            path: path.to_owned(),
            common,
            sender,
            mailbox,
            discovery: Discovery::start(),
            kubernetes,
            registry: Registry::default(),
            exports,
            listener: None,
            manager: Manager::of_environment(),
            meter: Meter::new(now),
            gone: (0.0, 0.0),
            watchers: 0,
            next_sharing: now,
            lost: 0,
            errors: BTreeMap::new(),
            reloads: 0,
            started,
            is_ending: false,
            config,
        };
        let listen = daemon.config.listen.clone();
        daemon.listen(&listen)?;
        Ok(daemon)
    }
}
