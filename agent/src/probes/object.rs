//! The eBPF objects, built from source by `build.rs` and carried inside the binary.

use super::ProbeError;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/gostray.bpf.o"));

static EXEC_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/gostray-exec.bpf.o"));

/// The object file with the programs that are attached to a target.
///
/// # Errors
/// This agent was built without it.
pub fn object_bytes() -> Result<&'static [u8], ProbeError> {
    if OBJECT.is_empty() {
        return Err(ProbeError::NoObject);
    }
    Ok(OBJECT)
}

/// The object file with the program that sees others being started.
///
/// # Errors
/// This agent was built without it.
pub fn exec_object_bytes() -> Result<&'static [u8], ProbeError> {
    if EXEC_OBJECT.is_empty() {
        return Err(ProbeError::NoObject);
    }
    Ok(EXEC_OBJECT)
}
