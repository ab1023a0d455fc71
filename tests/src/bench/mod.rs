//! Benches. Absolute times say something about the machine; the ratios say something about gostray.

/// From start to first status, beside plain reading of the same file.
pub mod attach;
/// What a census costs the agent.
pub mod census;
mod copying;
/// Processor time of an agent with nothing to do.
pub mod idle;
/// What a daemon takes that watches many processes.
pub mod node;
/// What watching costs a program at work, beside what the agent says of it.
pub mod overhead;
/// What a goroutine costs the target, with and without probes.
pub mod probes;
/// What proofs cost, and whether they are ever wrong.
pub mod prove;
/// How much the target is held up by a census.
pub mod stall;
/// How soon probes that cost too much are gone.
pub mod watchdog;

/// Median, smallest and largest of some measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The one in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of at least one value.
    ///
    /// # Panics
    /// Without any.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        assert!(!values.is_empty(), "nothing was measured");
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self {
            median: sorted[sorted.len() / 2],
            min: sorted[0],
            max: sorted[sorted.len() - 1],
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let p = f.precision().unwrap_or(1);
        write!(f, "{:.p$} ({:.p$}–{:.p$})", self.median, self.min, self.max)
    }
}

/// Marks a figure that misses its promise.
fn verdict(kept: bool) -> &'static str {
    if kept { "" } else { " **missed**" }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_middle_is_the_middle() {
        let spread = super::Spread::of(&[3.0, 1.0, 2.0]);
        assert_eq!(format!("{spread:.0}"), "2 (1–3)");
    }
}
