//! Memory of the past: one SQLite file that anybody can query. What its tables hold is said in
//! `schema.sql`, how much it may hold in [`Limits`](crate::store::Limits).
//!
//! A file that cannot be used is left as it is, whatever is wrong with it.

mod error;
mod forget;
mod identity;
mod open;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::path::PathBuf;

use rusqlite::Connection;

pub use error::StoreError;
pub use forget::Limits;
pub use identity::{BuildIdentity, RunIdentity, SiteIdentity, Statement};
pub use read::{Incident, IncidentBuild, Known, Learnt};
pub use write::{Batch, LeakFound, SiteSample, Watched, Written};

/// Where it is if nothing else is said.
pub const DEFAULT_PATH: &str = "/var/lib/gostray/history.db";

/// Version of the schema.
pub const VERSION: i32 = 1;

/// The database, open.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
    limits: Limits,
}

impl Store {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    fn error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::from_sqlite(&self.path, source)
    }
}
