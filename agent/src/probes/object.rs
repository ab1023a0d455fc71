//! The eBPF object, built from source by `build.rs` and carried inside the binary.

use super::ProbeError;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/gostray.bpf.o"));

/// The object file's bytes.
///
/// # Errors
/// This agent was built without it.
pub fn object_bytes() -> Result<&'static [u8], ProbeError> {
    if OBJECT.is_empty() {
        return Err(ProbeError::NoObject);
    }
    Ok(OBJECT)
}
