//! Loading the programs for one target, attaching them, and letting go again.

use std::{fmt::Write as _, num::NonZeroU32, os::fd::AsFd as _, path::Path, time::Instant};

use aya::{
    Ebpf, EbpfError,
    maps::{Array, Map, MapData, RingBuf},
    programs::{ProgramError, UProbe},
};
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use gostray_common::{Offsets, SiteChecks, SiteStats};

use super::{
    AttachPoint, Limit, Limits, Mechanism, Plan, ProbeError, ProbeKind, Spent,
    guards::Guards,
    loader::{self, Constants},
    object_bytes,
    watchdog::Watchdog,
};
use crate::{
    binary::{LoadBias, RuntimeAddress},
    governor::Budget,
    memory::MemoryReader,
};

/// The programs, loaded for one target and attached to it.
pub struct Probes {
    pub(super) sites: MapData,
    pub(super) births: MapData,
    pub(super) parks: MapData,
    pub(super) drops: Array<MapData, u64>,
    pub(super) stacks: RingBuf<MapData>,
    watchdog: Watchdog,
    /// Owns the loaded programs.
    ebpf: Ebpf,
}

impl Probes {
    /// Loads what `plan` needs into the kernel. Nothing is attached yet; what will be must keep to
    /// `limit`.
    ///
    /// # Errors
    /// Not allowed, or the kernel refuses a program.
    pub fn load(
        plan: &Plan,
        offsets: Offsets,
        limits: Limits,
        limit: Limit,
    ) -> Result<Self, ProbeError> {
        let at_stack_check = |kind| {
            plan.probe(kind)
                .is_some_and(|probe| probe.site.at_stack_check)
                .into()
        };
        let checks = SiteChecks {
            creation: at_stack_check(ProbeKind::Creation),
            exit: at_stack_check(ProbeKind::Exit),
            park: at_stack_check(ProbeKind::Park),
        };
        // Before Linux 5.11 maps count as locked memory. Where this is not allowed, nor is the rest.
        let _: nix::Result<()> = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
        let constants = Constants {
            offsets,
            checks,
            stacks_per_site: limits.stacks_per_site,
        };
        let mut ebpf =
            loader::load(object_bytes()?, constants, limits).map_err(|error| load_error(&error))?;
        let mut empty_site: Array<MapData, SiteStats> = array(&mut ebpf, "EMPTY_SITE")?;
        empty_site
            .set(0, SiteStats::EMPTY, 0)
            .map_err(|e| map_error("EMPTY_SITE", "written", &e))?;
        let mut kinds: Vec<_> = plan.probes.iter().map(|probe| probe.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in &kinds {
            program(&mut ebpf, *kind)?
                .load()
                .map_err(|error| refused(kind.name(), &error))?;
        }
        Ok(Self {
            sites: hash_map(&mut ebpf, "SITES")?,
            births: hash_map(&mut ebpf, "BIRTHS")?,
            parks: hash_map(&mut ebpf, "PARKS")?,
            drops: array(&mut ebpf, "DROPS")?,
            watchdog: Watchdog::start(Guards::new(&mut ebpf, kinds)?, limit)?,
            stacks: ebpf
                .take_map("STACKS")
                .ok_or(ProbeError::Missing("STACKS"))
                .and_then(|map| {
                    RingBuf::try_from(map).map_err(|e| map_error("STACKS", "read", &e))
                })?,
            ebpf,
        })
    }

    /// Attaches each planned probe, after comparing the target's code with its file's. All or
    /// nothing: an error detaches what was attached before it.
    ///
    /// # Errors
    /// The code differs or cannot be read; the kernel does not allow it.
    pub fn attach(
        &mut self,
        plan: &Plan,
        mechanism: &dyn Mechanism,
        exe: &Path,
        pid: NonZeroU32,
        memory: &impl MemoryReader,
        bias: LoadBias,
    ) -> Result<(), ProbeError> {
        for probe in &plan.probes {
            // Also brings the page in, which the kernel would otherwise fault on.
            check_code(
                memory,
                bias.to_runtime(probe.site.address),
                &probe.site.bytes,
            )?;
        }
        for probe in &plan.probes {
            let point = AttachPoint {
                kind: probe.kind,
                exe,
                offset: probe.offset,
                pid,
            };
            let program = program(&mut self.ebpf, probe.kind)?;
            self.watchdog.add(mechanism.attach(program, &point)?);
        }
        Ok(())
    }

    /// How many probes are attached.
    #[must_use]
    pub fn attached(&self) -> usize {
        self.watchdog.attached()
    }

    /// What they have cost the target up to now.
    #[must_use]
    pub fn spent(&self) -> Spent {
        self.watchdog.spent()
    }

    /// From now on they may cost so much.
    pub fn set_budget(&self, budget: Budget) {
        self.watchdog.set_budget(budget);
    }

    /// Makes all programs return at once, and detaches in the background: the kernel takes its time.
    /// The counts can still be read.
    pub fn detach(&mut self) {
        self.watchdog.detach();
    }

    /// Whether all that was to be detached is by `deadline`; waits so long. What is not goes when the
    /// kernel is done, at the latest when this process ends.
    #[must_use]
    pub fn is_gone_by(&self, deadline: Instant) -> bool {
        self.watchdog.is_gone_by(deadline)
    }

    /// Makes all programs return at once, with the probes still attached.
    ///
    /// # Errors
    /// The kernel's, which is not expected.
    pub(super) fn refuse(&self) -> Result<(), ProbeError> {
        self.watchdog.refuse()
    }
}

/// Compares the target's code with what its file says. A breakpoint of another tracer is no
/// difference.
fn check_code(
    memory: &impl MemoryReader,
    address: RuntimeAddress,
    expected: &[u8],
) -> Result<(), ProbeError> {
    /// `int3`; on arm64 uprobes use `brk #5`, whose first byte in memory is 0xa0.
    const BREAKPOINTS: [u8; 2] = [0xcc, 0xa0];
    let mut found = vec![0; expected.len()];
    memory.read(address, &mut found)?;
    let same = found == expected;
    let breakpoint = found.first().is_some_and(|byte| BREAKPOINTS.contains(byte));
    if same || breakpoint {
        return Ok(());
    }
    Err(ProbeError::CodeDiffers {
        address,
        found: hex(&found),
        expected: hex(expected),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn program(ebpf: &mut Ebpf, kind: ProbeKind) -> Result<&mut UProbe, ProbeError> {
    let name = kind.name();
    ebpf.program_mut(name)
        .and_then(|program| program.try_into().ok())
        .ok_or(ProbeError::Missing(name))
}

fn hash_map(ebpf: &mut Ebpf, name: &'static str) -> Result<MapData, ProbeError> {
    match ebpf.take_map(name) {
        Some(Map::HashMap(data)) => Ok(data),
        _ => Err(ProbeError::Missing(name)),
    }
}

pub(super) fn array<V: aya::Pod>(
    ebpf: &mut Ebpf,
    name: &'static str,
) -> Result<Array<MapData, V>, ProbeError> {
    let map = ebpf.take_map(name).ok_or(ProbeError::Missing(name))?;
    Array::try_from(map).map_err(|e| map_error(name, "read", &e))
}

pub(super) fn map_error(
    map: &'static str,
    action: &'static str,
    error: &aya::maps::MapError,
) -> ProbeError {
    ProbeError::Map {
        map,
        action,
        source: std::io::Error::other(with_causes(error)),
    }
}

/// An error with all it was caused by, in one line.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

fn denied(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM))
}

pub(super) fn refused(program: &'static str, error: &ProgramError) -> ProbeError {
    match error {
        ProgramError::LoadError { io_error, .. }
            if io_error.raw_os_error() == Some(libc::EPERM) =>
        {
            ProbeError::Denied {
                what: "loading an eBPF program",
            }
        }
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => ProbeError::Refused {
            program,
            reason: io_error.to_string(),
            verifier_log: verifier_log.to_string(),
        },
        other => ProbeError::Load(with_causes(other)),
    }
}

pub(super) fn load_error(error: &EbpfError) -> ProbeError {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(current) = cause {
        if current.downcast_ref::<std::io::Error>().is_some_and(denied) {
            return ProbeError::Denied {
                what: "creating an eBPF map",
            };
        }
        cause = current.source();
    }
    ProbeError::Load(with_causes(error))
}

impl Probes {
    pub(super) fn map_fd(map: &MapData) -> std::os::fd::BorrowedFd<'_> {
        map.fd().as_fd()
    }
}
