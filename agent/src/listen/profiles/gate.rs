//! How many profiles may be taken at once.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use super::super::ProfileError;

/// Each reads a whole process, outside of what watching may cost.
const AT_ONCE: usize = 2;

/// Lets in one at a time for each process, and two at all.
#[derive(Clone, Debug, Default)]
pub(in crate::listen) struct Gate {
    taking: Arc<Mutex<HashSet<i32>>>,
}

/// Being let in; until it is dropped.
#[derive(Debug)]
pub(super) struct Pass {
    gate: Gate,
    pid: i32,
}

impl Gate {
    /// Lets in, or says who is there already.
    pub(super) fn enter(&self, pid: i32) -> Result<Pass, ProfileError> {
        let mut taking = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        if taking.contains(&pid) {
            let why = "a profile of this process is being taken already";
            return Err(ProfileError::Busy { why });
        }
        if taking.len() >= AT_ONCE {
            let why = "profiles of two other processes are being taken";
            return Err(ProfileError::Busy { why });
        }
        taking.insert(pid);
        let gate = self.clone();
        Ok(Pass { gate, pid })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let taking = &self.gate.taking;
        let mut taking = taking.lock().unwrap_or_else(PoisonError::into_inner);
        taking.remove(&self.pid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_process_and_two_at_all() {
        let gate = Gate::default();
        let first = gate.enter(1).unwrap();
        let same = gate.enter(1).unwrap_err().to_string();
        assert!(same.contains("of this process"), "{same}");
        let second = gate.enter(2).unwrap();
        let third = gate.enter(3).unwrap_err().to_string();
        assert!(third.contains("two other"), "{third}");
        drop(first);
        let _third = gate.enter(3).unwrap();
        drop(second);
        assert!(gate.enter(3).is_err());
        assert!(gate.enter(1).is_ok());
    }
}
