//! A program in a core file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use thiserror::Error;

use super::{
    Program, SnapshotError,
    core_match::{Match, locate},
    snapshot::{SnapshotOptions, Subject, snapshot},
};
use crate::{
    binary::{Architecture, BinaryCache, BinaryError, GoBinary, LoadBias},
    memory::{
        CoreFile, FileChanged, FileIdentity, MappedFile,
        core_file::{CoreFileError, ReadOnly, Shortfall},
    },
    report::Snapshot,
    runtime::layout::LayoutError,
    target::Descriptors,
};

/// Why a core file cannot be looked into.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CoreError {
    /// The core file.
    #[error("{}: {source}", path.display())]
    Core {
        /// The core file.
        path: PathBuf,
        /// What is wrong with it.
        source: CoreFileError,
    },
    /// The executable.
    #[error("{}: {source}", path.display())]
    Binary {
        /// The executable.
        path: PathBuf,
        /// What is wrong with it.
        source: Arc<BinaryError>,
    },
    /// Two core files.
    #[error("{} is a core file; `--exe` takes the program that made it", path.display())]
    ExeIsCore {
        /// What was given as the executable.
        path: PathBuf,
    },
    /// Its runtime's structs.
    #[error("{}: {source}", path.display())]
    Layout {
        /// The executable.
        path: PathBuf,
        /// What is not known.
        source: LayoutError,
    },
    /// They are for different machines.
    #[error(
        "{} is of an {core} program, {} is for {exe}; give the executable that made the core file",
        core_path.display(), exe_path.display()
    )]
    Architecture {
        /// The core file.
        core_path: PathBuf,
        /// What it is of.
        core: Architecture,
        /// The executable.
        exe_path: PathBuf,
        /// What it is for.
        exe: Architecture,
    },
    /// Another program, or another build of it.
    #[error(
        "{} was not made by {}: {difference}; give the very file that ran{}",
        core.display(), exe.display(), there(recorded.as_deref())
    )]
    OtherExecutable {
        /// The core file.
        core: PathBuf,
        /// The executable given.
        exe: PathBuf,
        /// What tells them apart.
        difference: String,
        /// The executable that the core file names.
        recorded: Option<PathBuf>,
    },
    /// What would tell the executable is in the part of the core file that is missing.
    #[error(
        "{} ends before the headers and the data of {}: it is {shortfall}; make a new one, with \
         room on the disk and `ulimit -c unlimited`",
        core.display(), exe.display()
    )]
    Unrecognisable {
        /// The core file.
        core: PathBuf,
        /// The executable given.
        exe: PathBuf,
        /// What is missing of the core file.
        shortfall: Shortfall,
    },
    /// The goroutines could not be read.
    #[error("{}: {source}{}", path.display(), because(*shortfall))]
    Snapshot {
        /// The core file.
        path: PathBuf,
        /// What could not be read.
        source: SnapshotError,
        /// What is missing of the core file.
        shortfall: Option<Shortfall>,
    },
}

fn there(recorded: Option<&Path>) -> String {
    recorded.map_or_else(String::new, |path| {
        format!(", {} where it crashed", path.display())
    })
}

fn because(shortfall: Option<Shortfall>) -> String {
    shortfall.map_or_else(String::new, |shortfall| {
        format!("; the core file is {shortfall}")
    })
}

/// A core file and the program that made it.
#[derive(Debug)]
pub struct CoreProgram {
    /// The memory.
    pub core: CoreFile,
    /// The program.
    pub program: Program,
    path: PathBuf,
    exe: PathBuf,
}

impl CoreProgram {
    /// Opens the core file `core`, which the executable `exe` has made.
    ///
    /// # Errors
    /// One of them is not what it should be, or they do not belong together.
    pub fn open(core: &Path, exe: &Path, binaries: &BinaryCache) -> Result<Self, CoreError> {
        let path = core.to_owned();
        let mut memory = CoreFile::open(core).map_err(|source| CoreError::Core {
            path: path.clone(),
            source,
        })?;
        let unusable = |source| CoreError::Binary {
            path: exe.to_owned(),
            source,
        };
        let binary = binaries
            .open(exe)
            .map_err(|source| match CoreFile::open(exe) {
                Ok(_) => CoreError::ExeIsCore { path: exe.into() },
                Err(_) => unusable(source),
            })?;
        if memory.architecture() != binary.architecture() {
            return Err(CoreError::Architecture {
                core_path: path,
                core: memory.architecture(),
                exe_path: exe.to_owned(),
                exe: binary.architecture(),
            });
        }
        let other = |difference| {
            let process = memory.process();
            let recorded = process.entry.and_then(|entry| process.file_at(entry));
            CoreError::OtherExecutable {
                core: core.to_owned(),
                exe: exe.to_owned(),
                difference,
                recorded: recorded.map(|file| file.path.clone()),
            }
        };
        let bias = match (locate(&binary, &memory), memory.shortfall()) {
            (Match::Same(bias), _) => bias,
            (Match::Other(difference), _) => return Err(other(difference)),
            (Match::Unknown, Some(shortfall)) => {
                return Err(CoreError::Unrecognisable {
                    core: path,
                    exe: exe.to_owned(),
                    shortfall,
                });
            }
            (Match::Unknown, None) => {
                let where_they_are = "neither its headers nor its data are where it has them";
                return Err(other(where_they_are.into()));
            }
        };
        let file = map(exe, binary.identity()).map_err(|error| unusable(Arc::new(error)))?;
        memory.set_executable(file, read_only(&binary, bias));
        let program = Program::new(binary, bias, &memory).map_err(|source| CoreError::Layout {
            path: exe.to_owned(),
            source,
        })?;
        Ok(Self {
            core: memory,
            program,
            path,
            exe: exe.to_owned(),
        })
    }

    /// All goroutines at the moment of the core file.
    ///
    /// # Errors
    /// The list of goroutines is not found or not readable.
    pub fn snapshot(&self, options: &SnapshotOptions) -> Result<Snapshot, CoreError> {
        let pid = self.core.process().pid;
        let subject = Subject {
            program: &self.program,
            process: self.program.info(self.exe.display().to_string(), None),
            pid,
            taken_at: modified(self.core.identity()),
            // The clock stopped with the program, and nothing has written down where.
            now_ns: None,
            began_ns: None,
            descriptors: Descriptors::none(),
            landmarks: None,
        };
        let shortfall = self.core.shortfall();
        let mut snapshot =
            snapshot(subject, &self.core, options).map_err(|source| CoreError::Snapshot {
                path: self.path.clone(),
                source,
                shortfall,
            })?;
        if shortfall.is_some() {
            // Said even if no goroutine is missing: the reader has to know what the answer rests on.
            let reason = "the core file is cut short";
            snapshot.defects.entry(reason.into()).or_default();
        }
        Ok(snapshot)
    }
}

/// What the program could not write to. The data that the loader relocates is not among it.
fn read_only(binary: &GoBinary, bias: LoadBias) -> Vec<ReadOnly> {
    let elf = binary.elf();
    elf.loaded()
        .filter(|segment| segment.flags & object::elf::PF_W == 0)
        .map(|segment| ReadOnly {
            address: bias.to_runtime(segment.address),
            offset: segment.offset,
            size: segment.file_size,
        })
        .collect()
}

/// Maps the file that was parsed as `identity` once more.
fn map(exe: &Path, identity: FileIdentity) -> Result<MappedFile, BinaryError> {
    let file = MappedFile::open(exe).map_err(|source| BinaryError::Io {
        path: exe.to_owned(),
        source,
    })?;
    if file.identity() != identity {
        return Err(FileChanged.into());
    }
    Ok(file)
}

/// When the file was written.
fn modified(identity: FileIdentity) -> SystemTime {
    let since = u64::try_from(identity.mtime).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_nanos(since)
}
