//! Kinds of values: read from the text that people write, checked at once, so that an error has the place
//! of the value.

use std::time::Duration;

use serde::Deserialize;

use crate::governor::bytes_of;

/// A number and its unit: `ms`, `s`, `m` or `h`.
///
/// # Errors
/// It is none, in words.
pub fn duration(text: &str) -> Result<Duration, String> {
    let help = || {
        format!("`{text}` is no time; write a number and its unit, such as 500ms, 30s, 5m or 1h")
    };
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(help)?;
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| help())?;
    let seconds = match unit {
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(help()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| help())
}

/// Processor time for the whole node, as a share of one core; infinite where unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct NodeBudget(f64);

impl NodeBudget {
    /// Of one core.
    #[must_use]
    pub fn cores(self) -> f64 {
        self.0
    }
}

impl Default for NodeBudget {
    fn default() -> Self {
        Self(0.02)
    }
}

impl TryFrom<String> for NodeBudget {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text == "unlimited" {
            return Ok(Self(f64::INFINITY));
        }
        let number = text.strip_suffix('%').map(str::trim).map(str::parse::<f64>);
        match number {
            Some(Ok(percent)) if (0.1..=100.0).contains(&percent) => Ok(Self(percent / 100.0)),
            Some(Ok(_)) => {
                Err("0.1% to 100% of one core can be kept to; `unlimited` watches at any price")
            }
            _ => Err("a share of one core is wanted, such as 2%, or `unlimited`"),
        }
    }
}

/// Memory for the whole node, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NodeMemory(u64);

impl NodeMemory {
    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl Default for NodeMemory {
    fn default() -> Self {
        Self(256_000_000)
    }
}

impl TryFrom<String> for NodeMemory {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match bytes_of(&text) {
            Some(bytes) if bytes >= 64_000_000 => Ok(Self(bytes)),
            Some(_) => Err("64MB is the least"),
            None => Err("a size is wanted, such as 256MB or 1GiB"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for bad in ["", "5", "s", "-1s", "1d", "1.2.3s", "99999999999999999999h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn budgets_and_sizes() {
        let budget = |text: &str| NodeBudget::try_from(text.to_owned());
        assert_eq!(budget("2%"), Ok(NodeBudget::default()));
        assert_eq!(budget("100 %").map(NodeBudget::cores), Ok(1.0));
        assert!(budget("unlimited").is_ok_and(|budget| budget.cores().is_infinite()));
        for bad in ["2", "0%", "101%", "-1%", "NaN%", "much"] {
            assert!(budget(bad).is_err(), "{bad}");
        }
        let memory = |text: &str| NodeMemory::try_from(text.to_owned());
        assert_eq!(memory("256MB"), Ok(NodeMemory::default()));
        assert!(memory("63MB").is_err() && memory("lots").is_err());
    }
}
