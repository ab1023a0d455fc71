//! The runtime's global variables. A stripped binary has no names for data, but functions that use
//! a variable refer to it, and what a place holds shows whether it is the one that is sought.

use super::references::data_references;
use crate::binary::{GoBinary, LinkAddress};

/// A variable and who refers to it.
pub(super) struct Global<const N: usize> {
    /// Its symbol.
    pub(super) symbol: &'static str,
    /// Functions that refer to it, in every release: at least two have to agree.
    pub(super) users: [&'static str; N],
    /// What they refer to lies so many bytes behind its beginning.
    pub(super) inside: u64,
}

impl<const N: usize> Global<N> {
    /// Where the linker put it: by its symbol, else where two of its users agree. `plausible` looks
    /// at what is there.
    pub(super) fn find(
        &self,
        binary: &GoBinary,
        plausible: impl Fn(LinkAddress) -> bool,
    ) -> Option<LinkAddress> {
        if let Some((address, _)) = binary.elf().symbol(self.symbol)
            && plausible(address)
        {
            return Some(address);
        }
        self.agreed(binary, plausible)
    }

    /// Places that may be it, the symbol's alone if there is one: each where two of its users agree. What
    /// is there is not looked at.
    pub(super) fn candidates(&self, binary: &GoBinary) -> Vec<LinkAddress> {
        match binary.elf().symbol(self.symbol) {
            Some((address, _)) => vec![address],
            None => self.votes(binary).map(|(address, _)| address).collect(),
        }
    }

    /// By what its users refer to alone.
    fn agreed(
        &self,
        binary: &GoBinary,
        plausible: impl Fn(LinkAddress) -> bool,
    ) -> Option<LinkAddress> {
        let votes = self.votes(binary);
        let votes = votes.filter(|(address, _)| plausible(*address));
        let (address, _) = votes.max_by_key(|(_, votes)| *votes)?;
        Some(address)
    }

    /// Where two of its users agree at least, and how many do.
    fn votes(&self, binary: &GoBinary) -> impl Iterator<Item = (LinkAddress, usize)> {
        let mut votes: Vec<(LinkAddress, usize)> = Vec::new();
        let users = binary.pclntab().functions_named(self.users);
        for function in users.iter().flatten() {
            let code = binary.function_code(function).unwrap_or_default();
            let mut referred = data_references(binary.architecture(), function.entry(), code);
            referred.sort_unstable();
            referred.dedup();
            for place in referred {
                let Some(address) = place.0.checked_sub(self.inside).map(LinkAddress) else {
                    continue;
                };
                match votes.iter_mut().find(|(known, _)| *known == address) {
                    Some((_, votes)) => *votes += 1,
                    None => votes.push((address, 1)),
                }
            }
        }
        votes.into_iter().filter(|(_, votes)| *votes >= 2)
    }
}
