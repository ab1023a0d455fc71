//! Snapshots of programs that go on while they are read.

use anyhow::{Result, ensure};
use gostray::report::Snapshot;

/// How many goroutines a snapshot counts and does not show, each of which was another one each time
/// it was read, or had no number yet: nothing is known of it but that it is there. Those that moved
/// each time are shown without a stack.
///
/// # Errors
/// Anything else went wrong, which nothing can: memory that once held a goroutine stays mapped.
pub fn unseen(snapshot: &Snapshot) -> Result<u64> {
    ensure!(
        snapshot
            .defects
            .keys()
            .all(|reason| reason.contains("each time it was read")),
        "{:?}",
        snapshot.defects
    );
    let unseen = [
        "was another one each time it was read",
        "had no number yet each time it was read",
    ];
    let unseen = unseen.map(|reason| snapshot.defects.get(reason).copied().unwrap_or(0));
    Ok(unseen.iter().sum())
}
