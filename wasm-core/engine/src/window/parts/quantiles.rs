//! A sketch of the distribution with a stated bound: readings are counted in buckets that grow with their size, so that the
//! answer for any quantile is within a share of the true reading. Buckets are taken from the bits of the number (64 to an
//! octave, as in HdrHistogram), not from a logarithm, so they cost little and are the same on every machine. C. Masson,
//! J. E. Rim, H. K. Lee, "DDSketch", VLDB 2019; when buckets run out neighbours are joined everywhere, as in I. Epicoco et
//! al., "UDDSketch", 2020. Which buckets there are depends on the readings alone, not on their order or grouping.

use super::{Part, number};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// Buckets of one sketch: readings of one sign whose largest is up to 65,536 times the smallest keep the finest resolution.
const BUCKETS_MAX: usize = 1024;
/// Finest buckets of an octave, as a power of two: the middle of one is within 1/128 = 0.78 % of all that is in it.
const OCTAVE_BITS: u32 = 6;
const SHIFT: u32 = 52 - OCTAVE_BITS;
/// Readings nearer to zero than 2^-64 count as zero.
const LEAST: u64 = (1023 - 64) << OCTAVE_BITS;
/// Buckets of at most this many octaves: joined further, signs would meet.
const COARSEST: u8 = 16;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantiles {
    count: u64,
    /// How often neighbours were joined; each time doubles the width.
    joined: u8,
    /// Buckets and their counts, by bucket: 0 holds zero, others have the sign of their readings.
    buckets: Vec<(i32, u32)>,
}

impl Quantiles {
    pub(super) fn new() -> Self {
        Self {
            count: 0,
            joined: 0,
            buckets: Vec::new(),
        }
    }

    pub(super) fn load(reader: &mut Reader) -> Result<Self> {
        let (count, joined) = (reader.counter()?, reader.u8()?);
        let buckets: Vec<(i32, u32)> = (0..reader.count(8)?)
            .map(|_| Ok((reader.u32()?.cast_signed(), reader.u32()?)))
            .collect::<Result<_>>()?;
        let held: u64 = buckets.iter().map(|&(_, count)| u64::from(count)).sum();
        let sorted = buckets.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if buckets.len() > BUCKETS_MAX || joined > COARSEST || held > count || !sorted {
            return Err(CoreError::Corrupt);
        }
        Ok(Self { count, joined, buckets })
    }

    /// The reading of rank ⌈`percent` / 100 · count⌉, at least the first, within a share of 2^(joined − 7) of its size.
    #[must_use]
    pub fn quantile(&self, percent: f64) -> f64 {
        let rank = (percent * number(self.count) / 100.0).ceil();
        let mut below = 0.0;
        for &(bucket, count) in &self.buckets {
            below += f64::from(count);
            if below >= rank {
                return self.middle(bucket);
            }
        }
        self.buckets.last().map_or(f64::NAN, |&(bucket, _)| self.middle(bucket))
    }

    /// Shannon entropy of the buckets in bits: readings nearer to each other than the bound count as the same.
    #[must_use]
    pub fn entropy(&self) -> f64 {
        let total = number(self.count);
        let bits = self.buckets.iter().map(|&(_, count)| {
            let share = f64::from(count) / total;
            share * libm::log2(share)
        });
        0.0 - bits.sum::<f64>()
    }

    fn middle(&self, bucket: i32) -> f64 {
        if bucket == 0 {
            return 0.0;
        }
        let steps = u64::from(bucket.unsigned_abs() - 1) << self.joined;
        let edge = |steps: u64| f64::from_bits((LEAST + steps) << SHIFT);
        let size = f64::midpoint(edge(steps), edge(steps + (1 << self.joined)));
        if bucket < 0 { -size } else { size }
    }

    fn count_in(&mut self, bucket: i32, count: u32) {
        match self.buckets.binary_search_by_key(&bucket, |&(other, _)| other) {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(count),
            Err(at) => {
                self.buckets.insert(at, (bucket, count));
                while self.buckets.len() > BUCKETS_MAX && self.joined < COARSEST {
                    self.join();
                }
            }
        }
    }

    /// Makes every bucket twice as wide.
    fn join(&mut self) {
        self.joined += 1;
        for (bucket, _) in &mut self.buckets {
            *bucket = joined(*bucket);
        }
        self.buckets.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                earlier.1 = earlier.1.saturating_add(later.1);
            }
            same
        });
    }
}

/// The bucket of twice the width that holds `bucket`.
fn joined(bucket: i32) -> i32 {
    bucket.signum() * ((bucket.abs() + 1) >> 1)
}

/// The finest bucket that holds `value`.
fn bucket_of(value: f64) -> i32 {
    let place = value.abs().to_bits() >> SHIFT;
    if place < LEAST {
        return 0;
    }
    let bucket = i32::try_from(place - LEAST + 1).expect("at most 2^17 buckets");
    if value < 0.0 { -bucket } else { bucket }
}

impl Part for Quantiles {
    fn add(&mut self, _time_ms: f64, value: f64) {
        self.count += 1;
        let bucket = (0..self.joined).fold(bucket_of(value), |bucket, _| joined(bucket));
        self.count_in(bucket, 1);
    }

    fn merge(&mut self, later: &Self) {
        while self.joined < later.joined {
            self.join();
        }
        self.count += later.count;
        for &(bucket, count) in &later.buckets {
            let bucket = (later.joined..self.joined).fold(bucket, |bucket, _| joined(bucket));
            self.count_in(bucket, count);
        }
    }

    fn save(&self, writer: &mut Writer) {
        writer.u64(self.count);
        writer.u8(self.joined);
        writer.u32(u32::try_from(self.buckets.len()).expect("at most BUCKETS_MAX"));
        for &(bucket, count) in &self.buckets {
            writer.u32(bucket.cast_unsigned());
            writer.u32(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64]) -> Quantiles {
        let mut sketch = Quantiles::new();
        values.iter().for_each(|&value| sketch.add(0.0, value));
        sketch
    }

    proptest! {
        #[test]
        fn a_quantile_is_within_its_bound_in_any_order_and_grouping(
            mut values in prop::collection::vec(prop_oneof![-50.0..50.0_f64, -1e90..1e90_f64, Just(0.0)], 1..3000),
            percent in 0.0..100.0_f64, cut in 0.0..1.0_f64,
        ) {
            let whole = of(&values);
            let (left, right) = values.split_at((cut * values.len() as f64) as usize);
            let mut merged = of(right);
            merged.merge(&of(left));
            prop_assert_eq!(&merged, &whole);
            let mut writer = Writer::new();
            whole.save(&mut writer);
            prop_assert_eq!(Quantiles::load(&mut Reader::new(writer.as_slice())).unwrap(), whole.clone());
            values.sort_by(f64::total_cmp);
            let rank = ((percent * values.len() as f64 / 100.0).ceil() as usize).max(1);
            let (found, exact) = (whole.quantile(percent), values[rank - 1]);
            let bound = f64::from(1_u32 << whole.joined) / 128.0;
            prop_assert!((found - exact).abs() <= bound * exact.abs() + 1e-19, "{found} for {exact}");
        }
    }

    #[test]
    fn readings_over_many_octaves_are_kept_in_wider_buckets() {
        let values: Vec<f64> = (0..4000_i32)
            .map(|n| libm::pow(1.05, f64::from(n % 2000 - 1000)))
            .collect();
        let sketch = of(&values);
        assert!(sketch.joined > 0 && sketch.buckets.len() <= BUCKETS_MAX);
    }
}
