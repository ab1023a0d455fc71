//! The node daemon: all Go programs of a machine, watched at once within one budget.
//!
//! `Daemon` has a loop (`main_loop`). It has each process watched by a thread of its own (`watcher`), which runs the
//! same session as `attach` does (`rounds`); shares the budget among them (`shares`); hands what they tell to the sinks; and
//! keeps the newest sample where the listener finds it (`view`).

mod control;
mod daemon;
mod growth;
mod inspectors;
mod main_loop;
mod manager;
mod message;
mod meter;
mod privileges;
mod profiles;
mod registry;
mod reload;
mod rounds;
mod sample;
mod shares;
mod upkeep;
mod view;
mod watcher;

pub use daemon::{Daemon, DaemonError};
pub use privileges::PrivilegesError;
pub use shares::{Wish, shares};

use crate::{
    config::Config,
    governor::MemoryBudget,
    probes::{Limits, StopFile},
};
use watcher::Settings;

/// What sessions are told where so many processes are watched.
fn settings(config: &Config, watched: u64) -> Settings {
    let node = &config.node;
    Settings {
        interval: node.interval.get(),
        memory: MemoryBudget::of_bytes(node.memory.bytes()),
        limits: Limits::of_part(node.memory.bytes(), watched),
        stop_file: StopFile::new(node.stop_file.clone()),
        suppressions: config.suppressions.clone(),
        history: node.history.then(|| node.history_file.clone()),
        probes: node.probes,
    }
}
