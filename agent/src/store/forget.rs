//! What is forgotten, so that the file stays small: the oldest first.

use rusqlite::{Connection, params};

/// How much is kept. With the defaults the file stays below 128 MiB, and most stay far below: a
/// thousand sites that are always there take 11 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Programs.
    pub programs: u32,
    /// Sites of one program.
    pub sites: u32,
    /// Sites in all.
    pub all_sites: u32,
    /// Incidents in all.
    pub incidents: u32,
    /// Builds of one program.
    pub builds: u32,
    /// Runs of one program; what they did is kept in what is known of their builds.
    pub runs: u32,
    /// Pages of 4 KiB of the file.
    pub pages: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            programs: 200,
            sites: 1000,
            all_sites: 5000,
            incidents: 1000,
            builds: 50,
            runs: 200,
            pages: 32_768,
        }
    }
}

/// Forgets what is beyond `limits`, of `program` and in all. Sites that leaked stay longest: theirs
/// is what people come back for.
pub(super) fn forget(
    connection: &Connection,
    limits: &Limits,
    program: i64,
) -> rusqlite::Result<()> {
    let statements = [
        (
            "DELETE FROM runs WHERE id IN (
                SELECT runs.id FROM runs JOIN builds ON builds.id = runs.build
                WHERE builds.program = ?1 ORDER BY runs.last_seen DESC, runs.id DESC LIMIT -1 OFFSET ?2)",
            limits.runs,
        ),
        (
            "DELETE FROM builds WHERE id IN (
                SELECT id FROM builds WHERE program = ?1
                ORDER BY last_seen DESC, id DESC LIMIT -1 OFFSET ?2)",
            limits.builds,
        ),
        (
            "DELETE FROM sites WHERE id IN (
                SELECT id FROM sites WHERE program = ?1
                ORDER BY EXISTS (SELECT 1 FROM incidents WHERE site = sites.id) DESC,
                    last_seen DESC, id LIMIT -1 OFFSET ?2)",
            limits.sites,
        ),
        (
            "DELETE FROM sites WHERE ?1 = ?1 AND id IN (
                SELECT site FROM incidents ORDER BY last_seen DESC, id DESC LIMIT -1 OFFSET ?2)",
            limits.incidents,
        ),
        (
            "DELETE FROM sites WHERE ?1 = ?1 AND id IN (
                SELECT id FROM sites
                ORDER BY EXISTS (SELECT 1 FROM incidents WHERE site = sites.id) DESC,
                    last_seen DESC, id LIMIT -1 OFFSET ?2)",
            limits.all_sites,
        ),
        (
            "DELETE FROM programs WHERE ?1 = ?1 AND id IN (
                SELECT id FROM programs ORDER BY last_seen DESC, id DESC LIMIT -1 OFFSET ?2)",
            limits.programs,
        ),
    ];
    for (statement, limit) in statements {
        connection
            .prepare_cached(statement)?
            .execute(params![program, limit])?;
    }
    Ok(())
}
