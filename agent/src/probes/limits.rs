//! How large the kernel's maps are.

use gostray_common::SiteStats;

use crate::governor::MemoryBudget;

/// Sizes of the kernel's maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Creation sites.
    pub sites: u32,
    /// Living goroutines whose birth is remembered, at 72 bytes each.
    pub goroutines: u32,
    /// Creation stacks taken for each site.
    pub stacks_per_site: u64,
}

impl Limits {
    /// What an entry takes in the kernel: key, value, and what a hash map adds.
    const SITE_BYTES: u64 = 8 + size_of::<SiteStats>() as u64 + 48;
    const GOROUTINE_BYTES: u64 = 72;
    /// One part in so many is for sites.
    const SITES_PART: u64 = 8;

    /// What fits into the memory that may be used.
    #[must_use]
    pub fn within(memory: MemoryBudget) -> Self {
        Self::filling(memory.for_maps())
    }

    fn filling(all: u64) -> Self {
        let of_sites = all / Self::SITES_PART;
        let entries = |bytes, each| u32::try_from(bytes / each).unwrap_or(u32::MAX);
        Self {
            sites: entries(of_sites, Self::SITE_BYTES),
            goroutines: entries(all - of_sites, Self::GOROUTINE_BYTES),
            stacks_per_site: 4,
        }
    }

    /// What one of so many processes may have, where all their maps together may take half of `memory`
    /// bytes: room for some thousand goroutines at least.
    #[must_use]
    pub fn of_part(memory: u64, processes: u64) -> Self {
        const LEAST: u64 = 600_000;
        const MOST: u64 = 8_000_000;
        let all = (memory / 2 / processes.max(8)).clamp(LEAST, MOST);
        Self::filling(all)
    }

    /// No more than a program with so many goroutines now will need soon: all that is reserved is cleared when it is
    /// made, and gone through whenever it is read.
    #[must_use]
    pub fn for_goroutines(self, now: u64) -> Self {
        const LEAST: u32 = 16_384;
        const TIMES: u64 = 4;
        let soon = u32::try_from(now.saturating_mul(TIMES)).unwrap_or(u32::MAX);
        Self {
            goroutines: self.goroutines.min(soon.max(LEAST)),
            ..self
        }
    }

    /// What the kernel's maps take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        u64::from(self.sites) * Self::SITE_BYTES
            + u64::from(self.goroutines) * Self::GOROUTINE_BYTES
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::within(MemoryBudget::DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_programs_get_small_maps() {
        let most = Limits::of_part(256_000_000, 1);
        let few = most.for_goroutines(10);
        assert_eq!((few.goroutines, few.sites), (16_384, most.sites));
        assert_eq!(most.for_goroutines(10_000).goroutines, 40_000);
        assert_eq!(most.for_goroutines(u64::MAX), most);
    }

    #[test]
    fn maps_fill_their_part_of_the_memory() {
        for text in ["32MB", "128MB", "4GB"] {
            let memory: MemoryBudget = text.parse().expect("a size");
            let limits = Limits::within(memory);
            let left = memory.for_maps() - limits.bytes();
            assert!(left < 1000, "{text}: {limits:?}");
            assert!(limits.goroutines > 30 * limits.sites, "{text}: {limits:?}");
        }
    }
}
