//! Files that cannot be used: each says what it is and what to do, and none is changed.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    path::Path,
};

use rusqlite::Connection;

use super::{calm_batch, file};
use crate::store::{Limits, Store, StoreError};

fn refused(path: &Path) -> StoreError {
    Store::open(path).unwrap_err()
}

/// As a person reads it, wherever the test runs.
fn message(error: &StoreError, path: &Path) -> String {
    error
        .to_string()
        .replace(&path.display().to_string(), "history.db")
}

#[test]
fn the_file_is_for_its_owner_alone() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    store.write(&calm_batch(0)).unwrap();
    for name in ["history.db", "history.db-wal"] {
        let mode = fs::metadata(path.with_file_name(name))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let (directory, path) = file();
    let error = refused(directory.path());
    assert!(matches!(error, StoreError::IsDirectory { .. }), "{error:?}");
    let error = refused(&directory.path().join("no/history.db"));
    assert!(matches!(error, StoreError::NoDirectory { .. }), "{error:?}");
    let error = Store::open_to_read(&path).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error:?}");
    let _listener = UnixListener::bind(&path).unwrap();
    let error = refused(&path);
    assert!(matches!(error, StoreError::NotAFile { .. }), "{error:?}");
    let under = refused(&path.join("history.db"));
    assert!(matches!(under, StoreError::NoDirectory { .. }), "{under:?}");
}

#[test]
fn what_is_no_database_is_left_as_it_is() {
    let (_directory, path) = file();
    for text in [
        "a",
        "not a database at all",
        "SQLite format 3\0but not quite",
    ] {
        fs::write(&path, text).unwrap();
        for error in [refused(&path), Store::open_to_read(&path).unwrap_err()] {
            assert!(
                matches!(error, StoreError::Corrupt { .. }),
                "{text}: {error:?}"
            );
        }
        assert_eq!(fs::read(&path).unwrap(), text.as_bytes());
    }
    insta::assert_snapshot!(message(&refused(&path), &path), @"history.db: damaged, or no SQLite database; it was left as it is: move it away to begin anew, or try `sqlite3 history.db .recover`");
}

#[test]
fn a_damaged_database_is_left_as_it_is() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    store.write(&calm_batch(0)).unwrap();
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    let behind_schema = bytes.len() / 3;
    bytes[behind_schema..].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    let error = Store::open(&path)
        .and_then(|mut store| store.write(&calm_batch(60)))
        .unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_database_that_is_cut_short_is_an_error() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    store.write(&calm_batch(0)).unwrap();
    drop(store);
    let bytes = fs::read(&path).unwrap();
    for length in [50, 100, 4096, bytes.len() / 2] {
        fs::write(&path, &bytes[..length]).unwrap();
        let result = Store::open(&path).and_then(|mut store| store.write(&calm_batch(60)));
        assert!(
            matches!(result, Err(StoreError::Corrupt { .. })),
            "{length}: {result:?}"
        );
        assert_eq!(fs::read(&path).unwrap(), bytes[..length], "{length}");
    }
}

#[test]
fn a_newer_database_is_left_as_it_is() {
    let (_directory, path) = file();
    let store = Store::open(&path).unwrap();
    store
        .connection
        .pragma_update(None, "user_version", 7)
        .unwrap();
    drop(store);
    let before = fs::read(&path).unwrap();
    let errors = [refused(&path), Store::open_to_read(&path).unwrap_err()];
    for error in errors {
        insta::allow_duplicates! {
            insta::assert_snapshot!(message(&error, &path), @"history.db: made by a newer gostray (version 7 of the database, this one knows 1); use that one, or choose another file (`--history FILE`)");
        }
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn another_programs_database_is_left_as_it_is() {
    let (_directory, path) = file();
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE bookmarks (url TEXT)")
        .unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    let error = refused(&path);
    assert!(matches!(error, StoreError::Foreign { .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_lock_of_another_is_not_waited_for_long() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    store.write(&calm_batch(0)).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.write(&calm_batch(60)).unwrap_err();
    assert!(error.is_passing(), "{error:?}");
    // Who writes keeps no reader waiting.
    Store::open_to_read(&path).unwrap().incidents(None).unwrap();
    other.execute_batch("COMMIT").unwrap();
    store.write(&calm_batch(60)).unwrap();
    insta::assert_snapshot!(message(&error, &path), @"history.db: another process keeps it locked; end what holds it (`fuser history.db` names it), or choose another file (`--history FILE`)");
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let (_directory, path) = file();
    let limits = Limits {
        pages: 60,
        ..Limits::default()
    };
    let mut store = Store::open_with(&path, limits).unwrap();
    let written = (0..).map(|n| {
        let mut batch = calm_batch(n * 3600);
        batch.sites[0].site.started = format!("main.f{n}").repeat(20);
        store.write(&batch)
    });
    let (done, error) = written
        .enumerate()
        .find_map(|(n, result)| Some((n, result.err()?)))
        .unwrap();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert!(done > 100, "{done}");
    let there: i64 = store
        .connection
        .query_row("SELECT count(*) FROM sites", [], |row| row.get(0))
        .unwrap();
    assert_eq!(
        there,
        i64::try_from(done).unwrap(),
        "all that was written, and nothing in part"
    );
}

#[test]
fn what_cannot_be_written_to_is_said() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    store.write(&calm_batch(0)).unwrap();
    // As on a file system that became read-only; root is not stopped by permissions.
    store
        .connection
        .pragma_update(None, "query_only", true)
        .unwrap();
    let error = store.write(&calm_batch(60)).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
}

#[test]
fn it_is_read_where_no_log_can_be_made() {
    let (_directory, path) = file();
    let mut store = Store::open(&path).unwrap();
    store.write(&calm_batch(0)).unwrap();
    drop(store);
    // A name that means something in a URI.
    let odd = path.with_file_name("a?b#c%41.db");
    fs::rename(&path, &odd).unwrap();
    let uri = super::super::open::unchanging(&odd);
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags).unwrap();
    let sites: i64 = connection
        .query_row("SELECT count(*) FROM sites", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sites, 1);
}
