//! Everything that is known of a target before a probe is attached.

use std::{path::PathBuf, sync::Arc};

use thiserror::Error;

use crate::{
    binary::{BinaryCache, BinaryError, GoBinary, LoadBias},
    memory::LiveMemory,
    probes::{Limits, Plan, ProbeError, ProbeKind, SiteChoice},
    report::ProcessInfo,
    runtime::{
        WaitReasonError, WaitReasons,
        layout::{GoroutineLayout, LayoutError, Layouts},
    },
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
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Count parks.
    pub park: bool,
    /// How the instructions are chosen.
    pub choice: SiteChoice,
    /// Sizes of the kernel's maps.
    pub limits: Limits,
}

/// A process, its executable, and where things are in it.
#[derive(Debug)]
pub struct Inspected {
    /// The process.
    pub process: Process,
    /// Its executable.
    pub binary: Arc<GoBinary>,
    /// Where the executable is loaded.
    pub bias: LoadBias,
    /// Notices its end.
    pub lifetime: Lifetime,
    /// Where the fields of `runtime.g` are.
    pub layout: GoroutineLayout,
    /// Where that is known from, for people.
    pub layout_source: String,
    /// What wait reasons mean.
    pub wait_reasons: Result<WaitReasons, WaitReasonError>,
    /// Where the probes go.
    pub plan: Plan,
}

impl Inspected {
    /// Looks at process `pid`.
    ///
    /// # Errors
    /// It is gone, no Go program, or one that is not known well enough.
    pub fn new(pid: i32, options: Options, binaries: &BinaryCache) -> Result<Self, SessionError> {
        let process = Process::open(pid)?;
        match Self::of(process.clone(), options, binaries) {
            // A process that ends in the middle gives all kinds of errors; this is the true one.
            Err(error) => Err(match Process::open(pid) {
                Ok(now) if now.identity == process.identity => error,
                _ => SessionError::Ended { pid },
            }),
            inspected => inspected,
        }
    }

    fn of(
        process: Process,
        options: Options,
        binaries: &BinaryCache,
    ) -> Result<Self, SessionError> {
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
        let layouts = layouts(&binary).map_err(|source| SessionError::Layout {
            path: path.clone(),
            source,
        })?;
        let layout = GoroutineLayout::new(&layouts).map_err(|source| SessionError::Layout {
            path: path.clone(),
            source,
        })?;
        let mut kinds = vec![ProbeKind::Creation, ProbeKind::Exit];
        if options.park {
            kinds.push(ProbeKind::Park);
        }
        let plan = Plan::new(&binary, &kinds, options.choice)?;
        let code = plan
            .probe(ProbeKind::Creation)
            .ok_or(ProbeError::NotInFile {
                probe: ProbeKind::Creation.name(),
            })?;
        let bias = target::load_bias(&process, code.offset, code.site.address)?;
        let lifetime = Lifetime::watch(&process, bias.to_runtime(code.site.address))?;
        let wait_reasons = WaitReasons::find(&binary, &LiveMemory::new(pid), bias);
        Ok(Self {
            process,
            bias,
            lifetime,
            layout,
            layout_source: layouts.source().to_string(),
            wait_reasons,
            plan,
            binary,
        })
    }

    /// The same for reports.
    #[must_use]
    pub fn info(&self) -> ProcessInfo {
        let build = self.binary.build_info();
        ProcessInfo {
            exe: self.process.exe.display().to_string(),
            build_id: self.binary.build_id().map(str::to_owned),
            go_version: build.go_version.to_string(),
            main_module: build.main_module.as_ref().map(|module| module.path.clone()),
            vcs_revision: build.vcs_revision().map(str::to_owned),
            container_id: self.process.container_id.clone(),
            architecture: self.binary.architecture().name(),
            layout: self.layout_source.clone(),
        }
    }
}

fn layouts(binary: &GoBinary) -> Result<Layouts, LayoutError> {
    let (_, minor) = binary.build_info().go_version.release();
    Layouts::for_binary(binary.bytes(), minor.into(), binary.architecture())
}
