//! `runtime.timeHistogram`: durations in buckets that grow with them.

use super::Absent;
use crate::{
    binary::{
        RuntimeAddress,
        bytes::{slice_at, u64_at, words},
    },
    memory::{Extent, MemoryError, bounded},
    runtime::layout::Layouts,
};

const HISTOGRAM: &str = "runtime.timeHistogram";
/// What is counted: a million million a second would need centuries for more.
const MAX_COUNT: u64 = 1 << 60;

/// How many durations there were in one bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DurationCount {
    /// The upper bound of the bucket in seconds, not itself in it: 0 for those that are negative, infinite for
    /// the last.
    pub below_seconds: f64,
    /// How many are in it and in no lower one.
    pub count: u64,
}

/// How a histogram is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Histogram {
    shape: Shape,
    counts: u32,
    underflow: u32,
    /// From Go 1.20 on.
    overflow: Option<u32>,
    size: u32,
}

/// Buckets by the highest set bit of the nanoseconds, each divided in equal parts by the bits below it
/// (`src/runtime/histogram.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    /// Bits of what is smaller than the first power of two that begins a bucket.
    low_bits: u32,
    /// Bits that divide a bucket.
    part_bits: u32,
    /// Powers of two, the one for all that is smaller included.
    buckets: u32,
}

/// Go 1.18 and 1.19: `timeHistSubBucketBits`, `timeHistNumSuperBuckets`.
const FINE: Shape = Shape {
    low_bits: 4,
    part_bits: 4,
    buckets: 45,
};
/// From Go 1.20 on: `timeHistMinBucketBits` less one, `timeHistSubBucketBits`, `timeHistNumBuckets`.
const COARSE: Shape = Shape {
    low_bits: 8,
    part_bits: 2,
    buckets: 40,
};

impl Shape {
    fn counts(self) -> u32 {
        self.buckets << self.part_bits
    }

    /// Where count number `index` begins, in nanoseconds; for the number of counts, where they end.
    fn lower_nanoseconds(self, index: u32) -> u64 {
        let parts = 1 << self.part_bits;
        let (bucket, part) = (index / parts, u64::from(index % parts));
        match bucket.checked_sub(1) {
            None => part << (self.low_bits - self.part_bits),
            Some(bucket) => {
                let bit = self.low_bits + bucket;
                1 << bit | part << (bit - self.part_bits)
            }
        }
    }
}

impl Histogram {
    pub(super) fn new(layouts: &Layouts) -> Result<Self, Absent> {
        let counts = layouts.field(HISTOGRAM, "counts")?;
        let shapes = [FINE, COARSE].into_iter();
        let shape = shapes
            .filter(|shape| shape.counts() * 8 == counts.size)
            .find(|shape| (*shape == COARSE) == layouts.field(HISTOGRAM, "overflow").is_ok());
        Ok(Self {
            shape: shape.ok_or(Absent::Shape(HISTOGRAM))?,
            counts: counts.offset,
            underflow: layouts.offset_of_size(HISTOGRAM, "underflow", 8)?,
            overflow: layouts.optional_word(HISTOGRAM, "overflow")?,
            size: layouts.size(HISTOGRAM)?,
        })
    }

    /// That of a histogram at this address.
    pub(super) fn extent(&self, address: RuntimeAddress) -> Extent {
        Extent {
            address,
            length: self.size as usize,
        }
    }

    /// The buckets in rising order, those without a count left out. Counts go up while they are copied, so
    /// they are those of moments that lie less than a millisecond apart.
    pub(super) fn understand(
        &self,
        extent: Extent,
        bytes: &[u8],
    ) -> Result<Vec<DurationCount>, MemoryError> {
        let number = self.shape.counts();
        let size = u64::from(number) * 8;
        let counts = slice_at(bytes, self.counts.into(), size).unwrap_or_default();
        let negative = (0.0, u64_at(bytes, self.underflow.into()).unwrap_or(0));
        let counts = (1..=number).zip(words(counts)).map(|(next, count)| {
            // Without an overflow the last count has all that is larger.
            let below = match self.overflow {
                None if next == number => f64::INFINITY,
                _ => self.shape.lower_nanoseconds(next) as f64 / 1e9,
            };
            (below, count)
        });
        let overflow = self.overflow.and_then(|at| u64_at(bytes, at.into()));
        let all = std::iter::once(negative).chain(counts);
        let all = all.chain(overflow.map(|count| (f64::INFINITY, count)));
        all.filter(|(_, count)| *count > 0)
            .map(|(below_seconds, count)| {
                let what = "a bucket of scheduling latencies";
                Ok(DurationCount {
                    below_seconds,
                    count: bounded(what, extent.address, count, MAX_COUNT)?,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake::Runtime;

    /// `timeHistogramMetricsBuckets` of Go 1.18, without its first.
    fn fine() -> Vec<f64> {
        let mut bounds: Vec<u64> = (0..16).collect();
        for i in 0..44 {
            bounds.extend((0..16).map(|j| 1 << (i + 4) | j << i));
        }
        let mut bounds: Vec<f64> = bounds.into_iter().map(|nanos| nanos as f64 / 1e9).collect();
        bounds.push(f64::INFINITY);
        bounds
    }

    /// That of Go 1.27.
    fn coarse() -> Vec<f64> {
        let mut bounds: Vec<u64> = (0..4).map(|j| j << 6).collect();
        for i in 9..48 {
            bounds.extend((0..4).map(|j| 1 << (i - 1) | j << (i - 1 - 2)));
        }
        bounds.push(1 << 47);
        let mut bounds: Vec<f64> = bounds.into_iter().map(|nanos| nanos as f64 / 1e9).collect();
        bounds.push(f64::INFINITY);
        bounds
    }

    #[test]
    fn the_bounds_are_those_of_the_runtime() {
        for (minor, bounds) in [(18, fine()), (19, fine()), (20, coarse()), (27, coarse())] {
            let runtime = Runtime::new(minor);
            let histogram = Histogram::new(&runtime.layouts).expect("a layout");
            let at = runtime.object(HISTOGRAM);
            // As many in each as its number, from 1 on.
            let counts = histogram.shape.counts();
            runtime.set(at, histogram.underflow, 1);
            for index in 0..counts {
                runtime.set(at, histogram.counts + index * 8, u64::from(index) + 2);
            }
            if let Some(overflow) = histogram.overflow {
                runtime.set(at, overflow, u64::from(counts) + 2);
            }
            let extent = histogram.extent(RuntimeAddress(at));
            let mut bytes = vec![0; extent.length];
            crate::memory::MemoryReader::read(&runtime, extent.address, &mut bytes)
                .expect("mapped");
            let read = histogram.understand(extent, &bytes).expect("counts");
            let expected = (1..).zip(bounds);
            let expected = expected.map(|(count, below_seconds)| DurationCount {
                below_seconds,
                count,
            });
            assert_eq!(read, expected.collect::<Vec<_>>(), "1.{minor}");
        }
    }

    #[test]
    fn what_nothing_was_counted_in_is_left_out_and_nonsense_is_an_error() {
        let runtime = Runtime::new(27);
        let histogram = Histogram::new(&runtime.layouts).expect("a layout");
        let extent = histogram.extent(RuntimeAddress(0));
        let mut bytes = vec![0; extent.length];
        assert_eq!(histogram.understand(extent, &bytes).expect("counts"), []);
        bytes[7] = 0xff;
        assert!(histogram.understand(extent, &bytes).is_err());
    }
}
