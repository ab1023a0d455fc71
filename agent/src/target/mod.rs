//! One process as the kernel shows it: identity, executable, mappings, life and death.
//!
//! A pid alone names nothing, because it is reused; `ProcessIdentity` adds the start time. What
//! is true of the executable *file* is in [`crate::binary`].

mod descriptors;
mod error;
mod find;
mod lifetime;
mod mappings;
mod memory_limit;
mod memory_use;
mod process;
mod switches;

pub use descriptors::{Descriptor, Descriptors};
pub use error::TargetError;
pub use find::find_by_name;
pub use lifetime::{Lifetime, Vitality};
pub use mappings::load_bias;
pub use memory_limit::{LimitKind, MemoryLimit, MemoryLimitError};
pub use memory_use::{HostMemory, HostMemoryError, MemoryUse, Usage};
pub use process::{Process, ProcessIdentity};
pub use switches::first_threads_switches;
