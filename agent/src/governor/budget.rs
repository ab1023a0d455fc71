//! What watching may take: processor time and memory.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// Processor time that the agent and its probes may use together, as a share of one core.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Budget {
    cores: f64,
}

/// Why a budget is none.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BudgetError {
    /// Not a share of a core.
    #[error("a share of one core is wanted, such as 1% or 0.5%, or `unlimited`")]
    NotAShare,
    /// Too small to look at anything, or too large to go unnoticed.
    #[error("0.1% to 10% of one core can be kept to; `unlimited` watches at any price")]
    OutOfRange,
    /// Not a size.
    #[error("a size is wanted, such as 128MB or 1GB")]
    NotASize,
    /// Too small to hold anything.
    #[error("32MB is the least")]
    TooSmall,
}

impl Budget {
    /// One per cent of a core.
    pub const DEFAULT: Self = Self { cores: 0.01 };
    /// Watch everything at any price.
    pub const UNLIMITED: Self = Self {
        cores: f64::INFINITY,
    };

    /// A share of one core, from 0.001 to 0.1.
    ///
    /// # Errors
    /// Any other.
    pub fn new(cores: f64) -> Result<Self, BudgetError> {
        if (0.001..=0.1).contains(&cores) {
            Ok(Self { cores })
        } else {
            Err(BudgetError::OutOfRange)
        }
    }

    /// Part of a budget that several share: any that is more than nothing.
    #[must_use]
    pub fn part(cores: f64) -> Self {
        Self {
            cores: cores.max(1e-6),
        }
    }

    /// As a share of one core; infinite where unlimited.
    #[must_use]
    pub fn cores(self) -> f64 {
        self.cores
    }

    /// Whether there is a limit at all.
    #[must_use]
    pub fn is_limited(self) -> bool {
        self.cores.is_finite()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_limited() {
            // Without the noise of a binary fraction.
            let thousandths = (self.cores * 1e5).round() / 1e3;
            write!(f, "{thousandths}%")
        } else {
            f.write_str("unlimited")
        }
    }
}

impl FromStr for Budget {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Self, BudgetError> {
        if text == "unlimited" {
            return Ok(Self::UNLIMITED);
        }
        let number = text.strip_suffix('%').unwrap_or(text).trim();
        let percent: f64 = number.parse().map_err(|_| BudgetError::NotAShare)?;
        // A rounding of the division must not put the bounds themselves out of bounds.
        Self::new((percent * 1e4).round() / 1e6)
    }
}

/// Memory that the agent and the kernel's maps may use together, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemoryBudget(u64);

impl MemoryBudget {
    /// 128 MB.
    pub const DEFAULT: Self = Self(128_000_000);
    /// What the agent itself may need: code, symbols, series of a few thousand sites.
    const AGENT: u64 = 28_000_000;

    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// So many bytes; whether that is enough is for the caller to know.
    #[must_use]
    pub fn of_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Of these, the bytes for the kernel's maps: a third of what is not the agent's own, since
    /// reading them out and looking at the goroutines takes memory as well.
    #[must_use]
    pub fn for_maps(self) -> u64 {
        self.0.saturating_sub(Self::AGENT) / 3
    }

    /// Of the heaps that are looked through for leaks, the largest: marks take up to a 32nd, and so
    /// half of this.
    #[must_use]
    pub fn largest_heap(self) -> u64 {
        self.0.saturating_mul(16)
    }
}

impl Default for MemoryBudget {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}MB", self.0 / 1_000_000)
    }
}

impl FromStr for MemoryBudget {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Self, BudgetError> {
        let bytes = bytes_of(text).ok_or(BudgetError::NotASize)?;
        if bytes < 32_000_000 {
            return Err(BudgetError::TooSmall);
        }
        Ok(Self(bytes))
    }
}

/// A number and its unit, decimal or binary: `128MB`, `1GiB`.
#[must_use]
pub fn bytes_of(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 6] = [
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
    ];
    let (number, unit) = UNITS
        .into_iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    let number: u64 = number.trim().parse().ok()?;
    number.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_core() {
        let parse = |text: &str| text.parse::<Budget>();
        assert_eq!(parse("1%"), Ok(Budget::DEFAULT));
        assert_eq!(parse("0.5"), Budget::new(0.005));
        assert_eq!(parse("unlimited"), Ok(Budget::UNLIMITED));
        for (text, shown) in [("0.1%", "0.1%"), ("10%", "10%"), ("2.5 %", "2.5%")] {
            assert_eq!(parse(text).expect("in range").to_string(), shown);
        }
        for text in ["0", "0.09%", "10.1%", "-1%", "inf", "NaN"] {
            assert_eq!(parse(text), Err(BudgetError::OutOfRange), "{text}");
        }
        assert_eq!(parse("much"), Err(BudgetError::NotAShare));
    }

    #[test]
    fn sizes() {
        let parse = |text: &str| text.parse::<MemoryBudget>();
        assert_eq!(parse("128MB"), Ok(MemoryBudget::DEFAULT));
        assert_eq!(parse("1GiB").map(MemoryBudget::bytes), Ok(1 << 30));
        assert_eq!(parse("31MB"), Err(BudgetError::TooSmall));
        for text in ["128", "lots", "MB", "-1MB", "99999999999999999999GB"] {
            assert_eq!(parse(text), Err(BudgetError::NotASize), "{text}");
        }
        assert!(MemoryBudget::DEFAULT.for_maps() < 64_000_000);
    }
}
