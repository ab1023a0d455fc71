//! Taking a profile.

use super::super::{Profile, ProfileError, ProfileKind};
use crate::{
    binary::BinaryCache,
    memory::LiveMemory,
    session::{Inspected, ProveOptions, SessionError, SnapshotOptions, Subject, prove, snapshot},
    target::{TargetError, Vitality},
};

/// Looks at process `pid` now, whoever it is: that it is one of those watched is for the caller to
/// know. Blocks: some ten milliseconds for a snapshot; for a proof as long as its passes over the heap and
/// the pauses between them take, which `proof` bounds.
///
/// # Errors
/// It has ended, or cannot be read.
pub fn take(
    pid: i32,
    kind: ProfileKind,
    binaries: &BinaryCache,
    proof: &ProveOptions,
) -> Result<Profile, ProfileError> {
    let failed = |error: &dyn std::error::Error| ProfileError::Failed {
        pid,
        reason: error.to_string(),
    };
    let inspected = Inspected::new(pid, binaries).map_err(|error| match error {
        SessionError::Ended { .. }
        | SessionError::Target(TargetError::NoSuchProcess { .. } | TargetError::Zombie { .. }) => {
            gone(pid, Vitality::Ended)
        }
        error => failed(&error),
    })?;
    let memory = LiveMemory::new(pid);
    let taken = match kind {
        ProfileKind::Goroutine | ProfileKind::EachGoroutine => {
            let options = SnapshotOptions {
                full: kind == ProfileKind::EachGoroutine,
                ..SnapshotOptions::default()
            };
            snapshot(Subject::from(&inspected), &memory, &options)
                .map(|snapshot| Profile::Goroutine(Box::new(snapshot)))
                .map_err(|error| failed(&error))
        }
        ProfileKind::GoroutineLeak => prove(&inspected, &memory, proof, &mut |_| {})
            .map(|proof| Profile::GoroutineLeak(Box::new(proof)))
            .map_err(|error| failed(&error)),
    };
    // What was read while it ended, or became another program, is worth nothing; and whatever went
    // wrong then, this is why.
    match inspected.lifetime.vitality() {
        Vitality::Alive => taken,
        ended => Err(gone(pid, ended)),
    }
}

fn gone(pid: i32, vitality: Vitality) -> ProfileError {
    ProfileError::Gone {
        pid,
        became: match vitality {
            Vitality::Replaced => "became another program (execve)",
            _ => "has ended",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_ended_has_no_profile() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        child.wait().unwrap();
        let taken = take(
            pid,
            ProfileKind::Goroutine,
            &BinaryCache::new(),
            &ProveOptions::default(),
        );
        assert!(matches!(taken, Err(ProfileError::Gone { .. })), "{taken:?}");
    }

    #[test]
    fn who_is_no_go_program_has_none() {
        let own = i32::try_from(std::process::id()).unwrap();
        let taken = take(
            own,
            ProfileKind::Goroutine,
            &BinaryCache::new(),
            &ProveOptions::default(),
        );
        assert!(
            matches!(taken, Err(ProfileError::Failed { .. })),
            "{taken:?}"
        );
    }
}
