//! Bounds of histograms, the same for everybody who is told: few, and none lies within a bucket that counts were
//! made in.

/// Of lifetimes, in seconds: powers of four from 1.024 µs to 19.5 hours. Those of the kernel's counts are powers
/// of two of nanoseconds.
pub static LIFETIME_BOUNDS: [f64; 19] = powers_of_four(1_024e-9);

/// Of times that goroutines wait for a processor, in seconds: powers of four from 64 ns to 18 minutes. Those of
/// Go's own histogram are powers of two of nanoseconds, and parts of these.
pub static LATENCY_BOUNDS: [f64; 18] = powers_of_four(64e-9);

const fn powers_of_four<const N: usize>(first: f64) -> [f64; N] {
    let mut bounds = [first; N];
    let mut n = 1;
    while n < N {
        bounds[n] = bounds[n - 1] * 4.0;
        n += 1;
    }
    bounds
}

/// Which of `bounds` has all that is below `below` seconds; behind the last where none has.
#[must_use]
pub fn bucket_below(bounds: &[f64], below: f64) -> usize {
    // A bound made by other steps may differ in its last digit.
    let below = below * (1.0 - 1e-9);
    bounds.partition_point(|bound| *bound < below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_powers_of_four() {
        assert_eq!(LIFETIME_BOUNDS[..3], [1.024e-6, 4.096e-6, 1.6384e-5]);
        assert_eq!(LIFETIME_BOUNDS[18], 70_368.744_177_664);
        assert_eq!(LATENCY_BOUNDS[..3], [6.4e-8, 2.56e-7, 1.024e-6]);
    }

    #[test]
    fn a_bucket_lies_below_its_bound() {
        let place = |below| bucket_below(&LIFETIME_BOUNDS, below);
        assert_eq!((place(1.024e-6), place(1.025e-6)), (0, 1));
        assert_eq!(place(f64::INFINITY), 19);
    }
}
