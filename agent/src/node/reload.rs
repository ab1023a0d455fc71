//! Reading the configuration again: what did not change goes on as it was.

use std::sync::{Arc, PoisonError};

use super::{Daemon, DaemonError, registry::State, settings};
use crate::{
    config::Config,
    discover::{Decision, Rules},
    listen::Listener,
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
        self.manager.is_ready();
    }

    fn take_configuration(&mut self) -> Result<(), DaemonError> {
        let config = Config::read(&self.path)?;
        self.exports.reconfigure(&config.exports)?;
        let old = std::mem::replace(&mut self.config, config);
        if self.config.listen != old.listen
            && let Err(error) = self.listen()
        {
            self.config.listen = old.listen;
            return Err(error);
        }
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
                    if matches!(self.common.decide(identity), Decision::Watch) {
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

    /// Begins to listen, as configured now, in the place of whatever listened before.
    pub(super) fn listen(&mut self) -> Result<(), DaemonError> {
        if !self.config.listen.enabled {
            self.listener = None;
            return Ok(());
        }
        self.listener = None;
        let view: Arc<super::view::View> = Arc::clone(&self.view);
        self.listener = Some(Listener::start(&self.config.listen, view)?);
        Ok(())
    }
}
