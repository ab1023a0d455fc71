//! Reading the configuration again: what did not change goes on as it was.

use std::{
    sync::{Arc, PoisonError},
    time::Instant,
};

use super::{Daemon, DaemonError, registry::State, settings, view::View};
use crate::{
    config::Config,
    discover::{Decision, Rules},
    listen::{self, ListenConfig, Listener},
};

impl Daemon {
    /// SIGHUP. Where the new configuration is wrong, or something of it cannot be had, the old one stays.
    pub(super) fn reload(&mut self) {
        self.manager.is_reloading();
        match self.take_configuration() {
            Ok(()) => {
                self.reloads += 1;
                tracing::info!("configuration {} was read again", self.path.display());
            }
            Err(error) => {
                let error = format!("the configuration stays as it was: {error}");
                self.went_wrong("reload", &error);
            }
        }
        self.manager.is_reloaded();
    }

    fn take_configuration(&mut self) -> Result<(), DaemonError> {
        let config = Config::read(&self.path)?;
        // What can fail comes first, so that all is new or all is old.
        let moves = config.listen != self.config.listen;
        if moves {
            self.listen(&config.listen)?;
        }
        if let Err(error) = self.exports.reconfigure(&config.exports) {
            let old = self.config.listen.clone();
            if moves && let Err(error) = self.listen(&old) {
                self.went_wrong("reload", &error.to_string());
            }
            return Err(error.into());
        }
        if config.kubernetes != self.config.kubernetes {
            tracing::warn!(
                "[kubernetes] has changed; that is used once the daemon is started again"
            );
        }
        self.config = config;
        // A new budget is shared at once.
        self.next_sharing = Instant::now();
        let settings = settings(&self.config, self.registry.count().watched);
        for watcher in self.registry.watchers() {
            watcher
                .control
                .set_suppressions(settings.suppressions.clone());
        }
        let common = &self.common;
        *common
            .settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = settings;
        *common.rules.write().unwrap_or_else(PoisonError::into_inner) =
            Rules::new(self.config.rules.clone());
        self.decide_again();
        Ok(())
    }

    /// By rules that may have changed.
    fn decide_again(&mut self) {
        let mut wanted = Vec::new();
        for entry in self.registry.entries() {
            match &entry.state {
                State::Watched(watcher, identity) => {
                    if let Decision::LeaveAlone { rule } = self.common.decide(identity) {
                        tracing::info!("process {} is left alone: {rule}", identity.pid);
                        watcher.control.stop();
                    }
                }
                State::LeftAlone(identity) => {
                    if self.common.may_want(identity) {
                        wanted.push(entry.process);
                    }
                }
                State::Failed { .. } => wanted.push(entry.process),
                State::Starting(_) => {}
            }
        }
        for process in wanted {
            self.look_at(process);
        }
    }

    /// Begins to listen as `config` says, in the place of whatever listened before; that goes on where
    /// the new cannot be had.
    pub(super) fn listen(&mut self, config: &ListenConfig) -> Result<(), DaemonError> {
        let start = |config: &ListenConfig, view: &Arc<View>| match config.enabled {
            true => Listener::start(config, Arc::clone(view) as Arc<dyn listen::Node>).map(Some),
            false => Ok(None),
        };
        let mut started = start(config, &self.view);
        if started.is_err() && self.listener.is_some() {
            // Perhaps only because we hold the address ourselves.
            self.listener = None;
            started = start(config, &self.view);
            if started.is_err() {
                self.listener = start(&self.config.listen, &self.view)?;
            }
        }
        self.listener = started?;
        Ok(())
    }
}
