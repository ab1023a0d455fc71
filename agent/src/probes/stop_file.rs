//! A file that makes every agent on the machine let go at once.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// While this file is there, nothing is watched. It has to be owned by root, so that nobody else can
/// blind the agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopFile(PathBuf);

impl StopFile {
    /// Where it is unless told otherwise.
    pub const DEFAULT: &str = "/run/gostray/stop";

    /// The file at `path`, which need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether it is there. One that somebody else owns does not count, and that is an error.
    ///
    /// # Errors
    /// It is not root's, or it cannot be seen.
    pub fn is_there(&self) -> io::Result<bool> {
        match fs::symlink_metadata(&self.0) {
            Ok(file) if file.uid() == 0 => Ok(true),
            Ok(_) => Err(io::Error::other(
                "it is not owned by root, and so is ignored",
            )),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(false),
                _ => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_roots_file_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = StopFile::new(folder.path().join("stop"));
        assert!(!file.is_there().expect("it can be looked for"));
        fs::write(file.path(), "").expect("writable");
        if nix::unistd::geteuid().is_root() {
            assert!(file.is_there().expect("it can be seen"));
            let nobody = nix::unistd::Uid::from_raw(65534);
            nix::unistd::chown(file.path(), Some(nobody), None).expect("root may");
        }
        assert!(file.is_there().is_err());
        let below_a_file = StopFile::new(file.path().join("stop"));
        assert!(!below_a_file.is_there().expect("it can be looked for"));
    }
}
