//! Everything that is known of a target before a probe is attached.

use std::{path::PathBuf, sync::Arc};

use thiserror::Error;

use super::{LandmarksError, Program, spending::Accounting};
use crate::{
    binary::{BinaryCache, BinaryError},
    detect::Suppression,
    governor::{Budget, MemoryBudget},
    memory::LiveMemory,
    probes::{Limits, Plan, ProbeError, ProbeKind, SiteChoice, StopFile},
    report::ProcessInfo,
    runtime::layout::LayoutError,
    target::{self, Lifetime, Process, TargetError},
};

/// Why a process cannot be watched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The process.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Its executable.
    #[error("{path}: {source}")]
    Binary {
        /// The executable.
        path: PathBuf,
        /// What is wrong with it.
        source: Arc<BinaryError>,
    },
    /// Its runtime's structs.
    #[error("{path}: {source}")]
    Layout {
        /// The executable.
        path: PathBuf,
        /// What is not known.
        source: LayoutError,
    },
    /// Probes.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// Its goroutines, without probes.
    #[error(transparent)]
    Landmarks(#[from] LandmarksError),
    /// Somebody wants all agents to let go.
    #[error(
        "{path} is there, and while it is no gostray watches anything; remove it to watch again"
    )]
    StopFile {
        /// The stop file.
        path: PathBuf,
    },
    /// It ended while it was looked at.
    #[error("process {pid} ended while it was being attached to; nothing is left behind")]
    Ended {
        /// Its pid.
        pid: i32,
    },
    /// It became another program while it was looked at.
    #[error(
        "process {pid} became another program (execve) while it was being attached to; nothing is left behind, try again"
    )]
    Replaced {
        /// Its pid.
        pid: i32,
    },
}

/// What to watch, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// No probes: look at the target's memory only.
    pub no_probes: bool,
    /// Count parks.
    pub park: bool,
    /// How the instructions are chosen.
    pub choice: SiteChoice,
    /// What agent and probes may cost.
    pub budget: Budget,
    /// Whose processor time that is.
    pub accounting: Accounting,
    /// A program that creates fewer goroutines a second is not worth a probe.
    pub least_creations: f64,
    /// What memory agent and maps may take.
    pub memory: MemoryBudget,
    /// Sizes of the kernel's maps.
    pub limits: Limits,
    /// While it is there, nothing is watched.
    pub stop_file: Option<StopFile>,
    /// Leaks that are known, and said as such.
    pub suppressions: Vec<Suppression>,
    /// The database that remembers; `None` is without.
    pub history: Option<PathBuf>,
}

/// A process and the program it runs.
#[derive(Debug)]
pub struct Inspected {
    /// The process.
    pub process: Process,
    /// What it runs.
    pub program: Program,
    /// Notices its end.
    pub lifetime: Lifetime,
}

impl Inspected {
    /// Looks at process `pid`.
    ///
    /// # Errors
    /// It is gone, no Go program, or one that is not known well enough.
    pub fn new(pid: i32, binaries: &BinaryCache) -> Result<Self, SessionError> {
        let process = Process::open(pid)?;
        match Self::of(process.clone(), binaries) {
            // A process that ends in the middle gives all kinds of errors; this is the true one.
            Err(error) => Err(match Process::open(pid) {
                Ok(now) if now.identity == process.identity => error,
                _ => SessionError::Ended { pid },
            }),
            inspected => inspected,
        }
    }

    fn of(process: Process, binaries: &BinaryCache) -> Result<Self, SessionError> {
        let pid = process.pid();
        let path = process.exe.clone();
        let exe = process.exe_link();
        // Opening it first tells "not allowed" and "gone" from trouble with the file itself.
        std::fs::File::open(&exe).map_err(|source| match source.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => TargetError::Denied {
                pid,
                what: "opening its executable",
            },
            _ => TargetError::Io {
                pid,
                what: "opening its executable",
                source,
            },
        })?;
        let binary = binaries.open(&exe).map_err(|source| SessionError::Binary {
            path: path.clone(),
            source,
        })?;
        let code = binary.module_data().text;
        let offset = binary.file_offset(code).ok_or_else(|| {
            let (what, offset) = ("the Go program", 0);
            let reason = "its code is not in the file";
            SessionError::Binary {
                path: path.clone(),
                source: Arc::new(BinaryError::Malformed {
                    what,
                    offset,
                    reason,
                }),
            }
        })?;
        let bias = target::load_bias(&process, offset, code)?;
        let lifetime = Lifetime::watch(&process, bias.to_runtime(code))?;
        let program = Program::new(binary, bias, &LiveMemory::new(pid))
            .map_err(|source| SessionError::Layout { path, source })?;
        Ok(Self {
            process,
            program,
            lifetime,
        })
    }

    /// Where the probes go that count all goroutines, and parks if wanted.
    ///
    /// # Errors
    /// The code is not what is known of the runtime.
    pub fn plan(&self, choice: SiteChoice, park: bool) -> Result<Plan, SessionError> {
        let mut kinds = vec![ProbeKind::Creation, ProbeKind::Exit];
        if park {
            kinds.push(ProbeKind::Park);
        }
        Ok(Plan::new(&self.program.binary, &kinds, choice)?)
    }

    /// The same for reports.
    #[must_use]
    pub fn info(&self) -> ProcessInfo {
        let Process {
            exe, container_id, ..
        } = &self.process;
        self.program
            .info(exe.display().to_string(), container_id.clone())
    }
}
