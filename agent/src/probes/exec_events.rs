//! Programs being started, as the kernel tells it: all of them on the machine.

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData, RingBuf},
    programs::RawTracePoint,
};
use gostray_common::{ExecCount, ExecEvent};
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use super::{
    ProbeError, exec_object_bytes,
    programs::{array, load_error, map_error, refused, with_causes},
};

/// The name of the program, in messages.
const PROGRAM: &str = "exec";

/// Listens for programs being started, from when it is made until it is dropped.
pub struct ExecEvents {
    events: RingBuf<MapData>,
    counts: Array<MapData, u64>,
    /// Owns the program and its attachment.
    _ebpf: Ebpf,
}

impl ExecEvents {
    /// Loads the program and attaches it.
    ///
    /// # Errors
    /// Not allowed (CAP_BPF and CAP_PERFMON are needed), or the kernel refuses the program or has no such
    /// tracepoint.
    pub fn start() -> Result<Self, ProbeError> {
        // Before Linux 5.11 maps count as locked memory. Where this is not allowed, nor is the rest.
        let _: nix::Result<()> = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
        let mut ebpf = EbpfLoader::new()
            .load(exec_object_bytes()?)
            .map_err(|error| load_error(&error))?;
        let events = ebpf.take_map("EXECS").ok_or(ProbeError::Missing("EXECS"))?;
        let events = RingBuf::try_from(events).map_err(|e| map_error("EXECS", "read", &e))?;
        let counts = array(&mut ebpf, "EXEC_COUNTS")?;
        let program: &mut RawTracePoint = ebpf
            .program_mut(PROGRAM)
            .and_then(|program| program.try_into().ok())
            .ok_or(ProbeError::Missing(PROGRAM))?;
        program.load().map_err(|error| refused(PROGRAM, &error))?;
        program
            .attach("sched_process_exec")
            .map_err(|error| ProbeError::Load(with_causes(&error)))?;
        Ok(Self {
            events,
            counts,
            _ebpf: ebpf,
        })
    }

    /// What has come since the last call, at most `limit` of it; the rest stays for the next.
    pub fn take(&mut self, limit: usize) -> Vec<ExecEvent> {
        let mut taken = Vec::new();
        while taken.len() < limit
            && let Some(item) = self.events.next()
        {
            taken.extend(event(&item));
        }
        taken
    }

    /// How often `what` happened since it was made.
    ///
    /// # Errors
    /// The kernel's, which is not expected.
    pub fn count(&self, what: ExecCount) -> Result<u64, ProbeError> {
        self.counts
            .get(&(what as u32), 0)
            .map_err(|e| map_error("EXEC_COUNTS", "read", &e))
    }
}

impl std::fmt::Debug for ExecEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecEvents").finish_non_exhaustive()
    }
}

/// The record as the eBPF side wrote it; `None` if it is of another size.
fn event(bytes: &[u8]) -> Option<ExecEvent> {
    let (words, rest) = bytes.as_chunks::<8>();
    let &[pid, at_ns] = words else {
        return None;
    };
    rest.is_empty().then(|| ExecEvent {
        pid: u64::from_ne_bytes(pid),
        at_ns: u64::from_ne_bytes(at_ns),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_another_size_is_none() {
        let mut bytes = [0; 16];
        bytes[0] = 7;
        bytes[8] = 9;
        assert_eq!(event(&bytes), Some(ExecEvent { pid: 7, at_ns: 9 }));
        for length in [0, 8, 15] {
            assert_eq!(event(&bytes[..length]), None);
        }
        assert_eq!(event(&[0; 24]), None);
    }
}
