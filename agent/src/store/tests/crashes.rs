//! Writers that die in the midst of it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use rusqlite::TransactionBehavior;

use super::{calm_batch, file};
use crate::store::Store;

const PATH: &str = "GOSTRAY_TEST_HISTORY";

fn is_sound(path: &Path) -> i64 {
    let store = Store::open(path).unwrap();
    let check: String = store
        .connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    store
        .connection
        .query_row("SELECT count(*) FROM sites", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn what_was_not_committed_is_as_if_it_had_not_been() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    store.write(&calm_batch(0)).unwrap();
    // Little memory, so that unfinished pages reach the file.
    store
        .connection
        .pragma_update(None, "cache_size", 5)
        .unwrap();
    let transaction = store
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    for n in 0..2000 {
        transaction
            .execute(
                "INSERT INTO sites (program, function, started, ordinal, last_seen)
                 VALUES (1, 'main.f', ?1, 0, 0)",
                [n],
            )
            .unwrap();
    }
    let copy = path.with_file_name("copy.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(
        path.with_file_name("history.db-wal"),
        path.with_file_name("copy.db-wal"),
    )
    .unwrap();
    assert_eq!(is_sound(&copy), 1);
}

/// The writer of the next test; by itself it does nothing.
#[test]
fn writer() {
    let Some(path) = std::env::var_os(PATH) else {
        return;
    };
    let mut store = Store::open(Path::new(&path)).unwrap();
    for n in 0.. {
        let mut batch = calm_batch(n);
        batch.sites[0].site.started = format!("main.f{n}");
        store.write(&batch).unwrap();
        println!("\nwritten {n}");
    }
}

#[test]
fn a_writer_is_killed() {
    let (_directory, path) = file();
    let mut sites = 0;
    for round in 1..=3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::crashes::writer", "--nocapture"])
            .env(PATH, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let written = lines.map_while(Result::ok);
        let mut written = written.filter(|line| line.starts_with("written "));
        let last = written.nth(50 * round).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let now = is_sound(&path);
        assert!(now >= sites, "nothing is lost");
        let last: i64 = last["written ".len()..].parse().unwrap();
        assert!(now > last, "what was committed is there: {now} of {last}");
        sites = now;
    }
}
