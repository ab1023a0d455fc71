//! Opening, which makes the file if there is none, and touches none that is not ours.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{DEFAULT_PATH, Limits, Store, StoreError, VERSION};

/// `gstr`, in the header of every database of ours.
const APPLICATION: i32 = 0x6773_7472;
const SCHEMA: &str = include_str!("schema.sql");
/// The first bytes of every SQLite file.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// How long a lock of somebody else is waited for.
const PATIENCE: Duration = Duration::from_millis(500);
/// What the log of changes may take when nobody needs it, in bytes.
const LOG_BYTES: i64 = 4 << 20;

impl Store {
    /// Opens the database at `path` for writing; makes it, for its owner alone, if it is not there.
    ///
    /// # Errors
    /// It cannot be used; the file is as it was.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, Limits::default())
    }

    /// As [`Self::open`], with other limits.
    ///
    /// # Errors
    /// It cannot be used; the file is as it was.
    pub fn open_with(path: &Path, limits: Limits) -> Result<Self, StoreError> {
        if path == Path::new(DEFAULT_PATH) {
            make_directory(path)?;
        }
        if !is_there(path)? {
            let made = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path);
            match made {
                // Another gostray was quicker.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => drop(made.map_err(|source| StoreError::from_io(path, source))?),
            }
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Self::connect(path, path.to_owned(), flags, limits)?;
        store.prepare()?;
        Ok(store)
    }

    /// Opens the database at `path` for reading, also while others write.
    ///
    /// # Errors
    /// It is not there, or cannot be used.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let owned = || path.to_owned();
        match is_there(path) {
            Ok(true) => {}
            Ok(false) | Err(StoreError::NoDirectory { .. }) => {
                return Err(StoreError::Missing { path: owned() });
            }
            Err(error) => return Err(error),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Self::connect(path, owned(), flags, Limits::default());
        let opened = store.and_then(|store| match store.version()? {
            0 if store.is_empty()? => Err(StoreError::Missing { path: owned() }),
            _ => Ok(store),
        });
        match opened {
            // Where the log cannot be made, on a file system that is read-only, nobody writes either.
            Err(StoreError::Sqlite { .. } | StoreError::ReadOnly { .. })
                if !beside(path, "-wal").exists() =>
            {
                let flags = flags | OpenFlags::SQLITE_OPEN_URI;
                let uri = PathBuf::from(unchanging(path));
                let store = Self::connect(path, uri, flags, Limits::default())?;
                store.version()?;
                Ok(store)
            }
            opened => opened,
        }
    }

    fn connect(
        path: &Path,
        name: PathBuf,
        flags: OpenFlags,
        limits: Limits,
    ) -> Result<Self, StoreError> {
        let sorted = |source| StoreError::from_sqlite(path, source);
        let connection = Connection::open_with_flags(name, flags).map_err(sorted)?;
        let store = Self {
            path: path.to_owned(),
            connection,
            limits,
        };
        store.connection.busy_timeout(PATIENCE).map_err(sorted)?;
        Ok(store)
    }

    /// Makes the tables where there are none, and sets what holds for this connection.
    fn prepare(&self) -> Result<(), StoreError> {
        let path = || self.path.clone();
        let connection = &self.connection;
        let sorted = |source| self.error(source);
        let is_read_only = connection.is_readonly(rusqlite::MAIN_DB).map_err(sorted)?;
        let version = self.version()?;
        if is_read_only {
            return Err(StoreError::ReadOnly { path: path() });
        }
        connection
            .pragma_update(None, "foreign_keys", true)
            .and_then(|()| connection.pragma_update(None, "synchronous", "NORMAL"))
            .and_then(|()| connection.pragma_update(None, "journal_size_limit", LOG_BYTES))
            .and_then(|()| {
                let pages = self.limits.pages;
                // It answers with the number of pages.
                connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            })
            .map_err(sorted)?;
        if version == 0 {
            // Readers are not kept waiting by who writes, and a crash loses nothing.
            connection
                .pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
                .map_err(sorted)?;
            let transaction =
                rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
                    .map_err(sorted)?;
            // Another gostray may have been quicker.
            if self.version()? == 0 {
                transaction.execute_batch(SCHEMA).map_err(sorted)?;
                transaction
                    .pragma_update(None, "application_id", APPLICATION)
                    .and_then(|()| transaction.pragma_update(None, "user_version", VERSION))
                    .map_err(sorted)?;
            }
            transaction.commit().map_err(sorted)?;
        }
        Ok(())
    }

    /// The version of the schema; 0 of an empty database.
    fn version(&self) -> Result<i32, StoreError> {
        let pragma = |name| {
            self.connection
                .pragma_query_value(None, name, |row| row.get::<_, i32>(0))
                .map_err(|source| self.error(source))
        };
        let path = || self.path.clone();
        match (pragma("application_id")?, pragma("user_version")?) {
            (APPLICATION, found) if found > VERSION => Err(StoreError::Newer {
                path: path(),
                found,
            }),
            (APPLICATION, version @ 1..) => Ok(version),
            (0, 0) if self.is_empty()? => Ok(0),
            _ => Err(StoreError::Foreign { path: path() }),
        }
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        self.connection
            .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| {
                row.get(0)
            })
            .map_err(|source| self.error(source))
    }
}

/// The directory of the default file is ours to make; others are not.
fn make_directory(path: &Path) -> Result<(), StoreError> {
    let Some(directory) = path.parent().filter(|directory| !directory.exists()) else {
        return Ok(());
    };
    match fs::DirBuilder::new().mode(0o755).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(|source| StoreError::from_io(path, source)),
    }
}

/// Whether `path` is a file that SQLite may be given. It makes of a file that is shorter than a header a
/// database, whatever that file was.
fn is_there(path: &Path) -> Result<bool, StoreError> {
    let sorted = |source| StoreError::from_io(path, source);
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| *parent != Path::new(""));
            return match parent.map(fs::metadata) {
                None => Ok(false),
                Some(Ok(parent)) if parent.is_dir() => Ok(false),
                Some(_) => Err(sorted(error)),
            };
        }
        Err(error) => return Err(sorted(error)),
    };
    let owned = || path.to_owned();
    if found.is_dir() {
        return Err(StoreError::IsDirectory { path: owned() });
    }
    if !found.is_file() {
        return Err(StoreError::NotAFile { path: owned() });
    }
    let mut header = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut header))
        .map_err(sorted)?;
    if header.is_empty() || header == MAGIC {
        Ok(true)
    } else {
        Err(StoreError::Corrupt { path: owned() })
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// `path` as SQLite takes it for a file that nobody changes.
pub(super) fn unchanging(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let escaped: String = path
        .as_os_str()
        .as_bytes()
        .iter()
        .map(|byte| match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                char::from(*byte).to_string()
            }
            byte => format!("%{byte:02x}"),
        })
        .collect();
    format!("file:{escaped}?immutable=1")
}
